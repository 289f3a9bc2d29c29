#include "upgrades.h"

#include <sys/socket.h>

#include "conf.h"
#include "metrics.h"
#include "process.h"
#include "wazoauth/acl/compile.h"

namespace wazoauth::nginx {

namespace {
constexpr ngx_msec_t tick_ms = 20;
constexpr std::int64_t look_ms = 1000;
constexpr std::int64_t good_ms = 2000;      // how old a heartbeat through LISTEN may be
constexpr int successor_scans = 8;          // in one tick: each walks the whole zone
constexpr ngx_msec_t successor_ms = 10000;  // a successor that expires makes no noise
constexpr int most_asking = 256;            // of PostgreSQL at once; requests at the gate want to ask, too
}  // namespace

Upgrades::Upgrades(Process& process) : process_(process) {
  tick_.handler = on_tick;
  tick_.data = this;
  tick_.cancelable = 1;
}

void Upgrades::watch(ngx_http_request_t* r) {
  const RequestContext* context = find_context(r);
  if (!context || !context->passed || !context->identified) return;
  ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
  if (!cleanup) throw std::bad_alloc();
  const Zone& zone = process_.zone;
  if (all_.empty()) {
    position_ = zone.ring_position();
    epoch_ = zone.epoch();
    last_look_ms_ = now_ms();
  }
  const std::uint64_t id = ++next_id_;
  Upgrade& upgrade = all_[id];
  upgrade.id = id;
  upgrade.owner = this;
  upgrade.connection = r->connection;
  upgrade.token = view(context->token);
  upgrade.key = context->key;
  upgrade.facts = context->facts;
  if (context->has_access) upgrade.required = view(context->required);
  upgrade.grace_ms = static_cast<std::int64_t>(loc_conf(r).grace);
  upgrade.expiry.handler = on_expiry;
  upgrade.expiry.data = &upgrade;
  upgrade.expiry.cancelable = 1;
  upgrade.expiry.log = ngx_cycle->log;
  by_key_.emplace(upgrade.key, &upgrade);
  cleanup->data = &upgrade;
  cleanup->handler = [](void* data) {
    auto* upgrade = static_cast<Upgrade*>(data);
    upgrade->owner->forget(*upgrade);
  };
  arm_expiry(upgrade);
  look(upgrade);  // it may have died since the gate saw it
  tick_.log = ngx_cycle->log;
  if (!tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::forget(Upgrade& upgrade) {
  if (upgrade.expiry.timer_set) ngx_del_timer(&upgrade.expiry);
  auto [begin, end] = by_key_.equal_range(upgrade.key);
  for (auto at = begin; at != end; ++at) {
    if (at->second != &upgrade) continue;
    by_key_.erase(at);
    break;
  }
  all_.erase(upgrade.id);
  if (all_.empty() && tick_.timer_set) ngx_del_timer(&tick_);
}

void Upgrades::on_tick(ngx_event_t* event) {
  static_cast<Upgrades*>(event->data)->tick();
}

void Upgrades::tick() {
  try {
    look_at_ring();
    if (now_ms() - last_look_ms_ >= look_ms) look_at_all();
    ask_waiting();
    ask_successors();
  } catch (const std::exception& e) {
    log::error(std::string("upgraded connections: ") + e.what());
  }
  if (!all_.empty() && !tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::look_at_ring() {
  if (process_.zone.ring_position() == position_) return;
  const Zone::Revoked revoked = process_.zone.revoked_since(position_);
  position_ = revoked.position;
  for (auto& [id, upgrade] : all_) upgrade.ask_successor = upgrade.ask_successor || upgrade.expired;
  if (revoked.lost) {
    for (auto& [id, upgrade] : all_) look(upgrade);
    return;
  }
  for (const TokenKey& key : revoked.keys) {
    auto [begin, end] = by_key_.equal_range(key);
    for (auto at = begin; at != end; ++at) look(*at->second);
  }
}

bool Upgrades::listening() const {
  return now_ms() - process_.zone.last_good_ms() <= good_ms && process_.zone.epoch() == epoch_;
}

void Upgrades::look_at_all() {
  last_look_ms_ = now_ms();
  const bool listening = this->listening();
  epoch_ = process_.zone.epoch();
  for (auto& [id, upgrade] : all_) {
    if (listening && !upgrade.waits) continue;
    if (upgrade.expired)
      upgrade.ask_successor = true;
    else if (now_ms() < process_.zone.database_down_until_ms() && !still_believed(upgrade))
      end(upgrade, "nobody can tell whether its token lives");
    else
      ask_database(upgrade);
  }
}

bool Upgrades::still_believed(const Upgrade& upgrade) const {
  return now_ms() <= known_good_ms(process_.zone, upgrade.facts) + upgrade.grace_ms + good_ms;
}

void Upgrades::look(Upgrade& upgrade) {
  if (upgrade.ended || upgrade.expired) return;
  const std::int64_t expired_before = upgrade.facts.expire_t;
  switch (process_.zone.check(upgrade.key, upgrade.required, upgrade.facts)) {
    case Verdict::revoked:
      return end(upgrade, "its token was revoked");
    case Verdict::denied:
      return end(upgrade, "its token lost the access");
    case Verdict::unknown:
      return ask_database(upgrade);
    case Verdict::granted:
      if (upgrade.facts.expire_t != expired_before) arm_expiry(upgrade);
  }
}

void Upgrades::ask_database(Upgrade& upgrade) {
  upgrade.waits = some_wait_ = true;
}

// Those whose token has to be confirmed, as many at once as others can bear; nobody while PostgreSQL is away.
void Upgrades::ask_waiting() {
  if (!some_wait_ || now_ms() < process_.zone.database_down_until_ms()) return;
  some_wait_ = false;
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.waits || upgrade.asking || upgrade.ended || upgrade.expired) continue;
    if (asking_ >= most_asking || !ask_now(upgrade)) {
      some_wait_ = true;
      return;
    }
  }
}

bool Upgrades::ask_now(Upgrade& upgrade) {
  auto loaded = std::make_shared<Loaded>();
  auto work = [this, loaded, token = upgrade.token] {
    try {
      *loaded = process_.app.tokens().revalidate(token);
    } catch (const std::exception& e) {
      log::error(std::string("a token could not be loaded: ") + e.what());
    }
  };
  auto done = [this, loaded, id = upgrade.id] { answered(id, *loaded); };
  if (!process_.offload.post(Offload::loading, std::move(work), std::move(done))) return false;
  ++asking_;
  upgrade.asking = true;
  upgrade.asked_in_epoch = process_.zone.epoch();
  upgrade.waits = false;
  return true;
}

void Upgrades::answered(std::uint64_t id, const Loaded& loaded) {
  --asking_;
  const auto found = all_.find(id);
  if (found == all_.end()) return;
  Upgrade& upgrade = found->second;
  upgrade.asking = false;
  if (upgrade.ended) return;
  if (loaded.status == Loaded::Status::unknown) return end(upgrade, "its token is gone");
  if (loaded.status == Loaded::Status::unavailable) {
    if (!still_believed(upgrade)) return end(upgrade, "nobody can tell whether its token lives");
    return ask_database(upgrade);
  }
  upgrade.facts.validated_at_ms = now_ms();
  upgrade.facts.epoch = upgrade.asked_in_epoch;
  const std::string list = acl::compile(loaded.record->acl);
  const acl::Holder holder{loaded.record->auth_id, loaded.record->session_uuid};
  if (!acl::AccessList(list).grants(upgrade.required, holder)) return end(upgrade, "its token lost the access");
  const std::int64_t expire_t = loaded.record->expire_t.value_or(0);
  if (expire_t == upgrade.facts.expire_t) return;
  upgrade.facts.expire_t = expire_t;
  arm_expiry(upgrade);
}

void Upgrades::arm_expiry(Upgrade& upgrade) {
  if (upgrade.expiry.timer_set) ngx_del_timer(&upgrade.expiry);
  if (upgrade.facts.expire_t == 0) return;
  // It is expired when now > expire_t, in whole seconds.
  const std::int64_t wait = (upgrade.facts.expire_t + 1) * 1000 - now_ms();
  ngx_add_timer(&upgrade.expiry, static_cast<ngx_msec_t>(std::max<std::int64_t>(wait, 1)));
}

void Upgrades::on_expiry(ngx_event_t* event) {
  auto* upgrade = static_cast<Upgrade*>(event->data);
  upgrade->expired = upgrade->ask_successor = true;
}

void Upgrades::ask_successors() {
  int scans = successor_scans;
  // Nobody asks PostgreSQL about a successor: it counts while it is known to live, or PostgreSQL is known to be away.
  const auto usable = [&](std::int64_t grace_ms) {
    return [this, grace_ms](const TokenFacts& facts) {
      const Freshness freshness = judge(process_.zone, facts, now_ms(), grace_ms);
      const bool recent = now_ms() <= known_good_ms(process_.zone, facts) + look_ms + good_ms;
      return freshness == Freshness::good || freshness == Freshness::grace ||
             (freshness == Freshness::revalidate && recent);
    };
  };
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.ask_successor || upgrade.ended) continue;
    if (scans-- == 0) return;
    upgrade.ask_successor = false;
    if (!process_.zone.has_successor(upgrade.key, upgrade.facts, upgrade.required, ngx_time(),
                                     usable(upgrade.grace_ms))) {
      end(upgrade, "its token expired");
      continue;
    }
    if (!upgrade.expiry.timer_set) ngx_add_timer(&upgrade.expiry, successor_ms);
  }
}

// nginx's own code sees the end of the stream and clears up.
void Upgrades::end(Upgrade& upgrade, const char* why) {
  if (upgrade.ended) return;
  upgrade.ended = true;
  process_.zone.add(counter::upgrades_ended);
  ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, 0, "wazo_auth: the upgraded connection ends: %s", why);
  if (shutdown(upgrade.connection->fd, SHUT_RDWR) == -1)
    ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, ngx_socket_errno, "shutdown() failed");
}

}  // namespace wazoauth::nginx

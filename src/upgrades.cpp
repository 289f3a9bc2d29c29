#include "upgrades.h"

#include <sys/socket.h>

#include <utility>

#include "conf.h"
#include "counters.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

namespace {
constexpr ngx_msec_t tick_ms = 20;
constexpr std::chrono::milliseconds look_every{1000}, successor_every{10000};
constexpr int successor_scans = 8;  // in one tick: each walks the whole zone
constexpr int most_asking = 256;    // of PostgreSQL at once; requests at the gate want to ask, too

bool expired(const TokenFacts& facts) {
  return gate::expired(facts.expire_t, ngx_time());
}
}  // namespace

Upgrades::Upgrades(Zone& zone, TokenStore& tokens, Offload& offload) : zone_(zone), tokens_(tokens), offload_(offload) {
  tick_.handler = on_tick;
  tick_.data = this;
  tick_.cancelable = 1;
}

void Upgrades::watch(ngx_http_request_t* r, const RequestContext& context) {
  ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
  if (!cleanup) throw std::bad_alloc();
  if (all_.empty()) {
    position_ = zone_.ring_position();
    epoch_ = zone_.epoch();
    last_look_ = loop_time();
  }
  const std::uint64_t id = ++next_id_;
  Upgrade& upgrade = all_[id];
  upgrade.id = id;
  upgrade.owner = this;
  upgrade.connection = r->connection;
  if (r->http_version >= NGX_HTTP_VERSION_20) upgrade.stream = r;
  upgrade.token = view(context.token);
  upgrade.key = context.key;
  upgrade.facts = context.facts;
  if (context.has_access) upgrade.required = view(context.required);
  upgrade.grace_ms = context.grace_ms;
  by_key_.emplace(upgrade.key, &upgrade);
  cleanup->data = &upgrade;
  cleanup->handler = [](void* data) {
    auto* upgrade = static_cast<Upgrade*>(data);
    upgrade->owner->forget(*upgrade);
  };
  look(upgrade);  // it may have died since the gate saw it
  tick_.log = ngx_cycle->log;
  if (!tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::forget(Upgrade& upgrade) {
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
    if (second_ != ngx_time()) look_at_expiries();
    if (loop_time() - last_look_ >= look_every) look_at_all();
    ask_waiting();
    ask_successors();
    end_streams();
  } catch (const std::exception& e) {
    log::error(std::string("upgraded connections: ") + e.what());
  }
  if (!all_.empty() && !tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::look_at_ring() {
  if (zone_.ring_position() == position_) return;
  const RevokedKeys revoked = zone_.revoked_since(position_);
  position_ = revoked.position;
  for (auto& [id, upgrade] : all_) upgrade.ask_successor = upgrade.ask_successor || expired(upgrade.facts);
  if (revoked.lost) {
    for (auto& [id, upgrade] : all_) look(upgrade);
    return;
  }
  for (const TokenKey& key : revoked.keys) {
    auto [begin, end] = by_key_.equal_range(key);
    for (auto at = begin; at != end; ++at) look(*at->second);
  }
}

void Upgrades::look_at_expiries() {
  second_ = ngx_time();
  const BootTime now = loop_time();
  for (auto& [id, upgrade] : all_) {
    if (!expired(upgrade.facts)) {
      // The clock was set back: what came meanwhile wasn't about this token, or so it seemed.
      if (upgrade.ask_again != BootTime()) look(upgrade);
      upgrade.ask_again = BootTime();
    } else if (now >= upgrade.ask_again) {
      upgrade.ask_successor = true;
      upgrade.ask_again = now + successor_every;
    }
  }
}

bool Upgrades::listening() const {
  return zone_.listening(loop_time()) && zone_.epoch() == epoch_;
}

void Upgrades::look_at_all() {
  last_look_ = loop_time();
  const bool listening = this->listening();
  epoch_ = zone_.epoch();
  for (auto& [id, upgrade] : all_) {
    if (listening && !upgrade.waits) continue;
    if (expired(upgrade.facts))
      upgrade.ask_successor = true;
    else if (zone_.database_away(loop_time()) && !still_believed(upgrade))
      end(upgrade, "nobody can tell whether its token lives");
    else
      ask_database(upgrade);
  }
}

bool Upgrades::still_believed(const Upgrade& upgrade) const {
  const std::chrono::milliseconds grace(upgrade.grace_ms);
  return loop_time() - gate::known_good(zone_, upgrade.facts) <= grace + Zone::good_for;
}

void Upgrades::look(Upgrade& upgrade) {
  if (upgrade.ended || expired(upgrade.facts)) return;
  switch (zone_.check(upgrade.key, upgrade.required, upgrade.facts)) {
    case Lookup::revoked:
      return end(upgrade, "its token was revoked");
    case Lookup::denied:
      return end(upgrade, "its token lost the access");
    case Lookup::unknown:
      return ask_database(upgrade);
    case Lookup::granted:
      break;
  }
}

void Upgrades::ask_database(Upgrade& upgrade) {
  upgrade.waits = some_wait_ = true;
}

// Those whose token has to be confirmed, as many at once as others can bear; nobody while PostgreSQL is away.
void Upgrades::ask_waiting() {
  if (!some_wait_ || zone_.database_away(loop_time())) return;
  some_wait_ = false;
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.waits || upgrade.asking || upgrade.ended || expired(upgrade.facts)) continue;
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
      *loaded = tokens_.revalidate(token);
    } catch (const std::exception& e) {
      log::error(std::string("a token could not be loaded: ") + e.what());
    }
  };
  auto done = [this, loaded, id = upgrade.id] { answered(id, *loaded); };
  if (!offload_.post(Offload::loading, std::move(work), std::move(done))) return false;
  ++asking_;
  upgrade.asking = true;
  upgrade.asked_in_epoch = zone_.epoch();
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
  upgrade.facts.validated_at = loop_time();
  upgrade.facts.epoch = upgrade.asked_in_epoch;
  const std::string list = acl::compile(loaded.record->acl);
  const acl::Holder holder{loaded.record->auth_id, loaded.record->session_uuid};
  if (!acl::AccessList(list).grants(upgrade.required, holder)) return end(upgrade, "its token lost the access");
  upgrade.facts.expire_t = loaded.record->expire_t.value_or(0);
}

void Upgrades::ask_successors() {
  int scans = successor_scans;
  // Nobody asks PostgreSQL about a successor: it counts while it is known to live, or PostgreSQL is known to be away.
  const auto usable = [&](std::int64_t grace_ms) {
    return [this, grace_ms](const TokenFacts& facts) {
      using gate::Freshness;
      const Freshness freshness = gate::freshness(zone_, facts, loop_time(), std::chrono::milliseconds(grace_ms));
      const bool recent = loop_time() - gate::known_good(zone_, facts) <= look_every + Zone::good_for;
      return freshness == Freshness::good || freshness == Freshness::grace ||
             (freshness == Freshness::revalidate && recent);
    };
  };
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.ask_successor || upgrade.ended) continue;
    if (!expired(upgrade.facts)) {  // the clock was set back since
      upgrade.ask_successor = false;
      continue;
    }
    if (scans-- == 0) return;
    upgrade.ask_successor = false;
    if (!zone_.has_successor(upgrade.key, upgrade.facts, upgrade.required, ngx_time(), usable(upgrade.grace_ms)))
      end(upgrade, "its token expired");
  }
}

// nginx's own code sees the end of the stream and clears up.
void Upgrades::end(Upgrade& upgrade, const char* why) {
  if (upgrade.ended) return;
  upgrade.ended = true;
  zone_.add(counter::upgrades_ended);
  ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, 0, "wazo_auth: the connection ends: %s", why);
  if (upgrade.stream) return ended_streams_.push_back(upgrade.id);
  if (shutdown(upgrade.connection->fd, SHUT_RDWR) == -1)
    ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, ngx_socket_errno, "shutdown() failed");
}

// As if the client had left, which also forgets it here.
void Upgrades::end_streams() {
  for (const std::uint64_t id : std::exchange(ended_streams_, {})) {
    const auto found = all_.find(id);
    if (found == all_.end()) continue;
    ngx_http_request_t* r = found->second.stream;
    ngx_connection_t* connection = r->connection;
    ngx_http_set_log_request(connection->log, r);
    ngx_http_finalize_request(r, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(connection);
  }
}

}  // namespace wazoauth::nginx

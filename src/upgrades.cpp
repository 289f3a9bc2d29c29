#include "upgrades.h"

#include <sys/socket.h>

#include <utility>

#include "conf.h"
#include "counters.h"
#include "request.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

namespace {
constexpr ngx_msec_t tick_ms = 20;
constexpr std::chrono::milliseconds look_every{1000}, successor_every{10000};
constexpr int successor_scans = 8;       // in one tick: each walks the whole zone
constexpr int most_confirmations = 256;  // by PostgreSQL at once; requests at the gate need it, too

bool expired(const TokenFacts& facts) {
  return gate::expired(facts.expire_t, ngx_time());
}
}  // namespace

Upgrades::Upgrades(const Parts& parts)
    : zone_(parts.zone),
      node_(parts.zone.node()),
      conf_(parts.conf),
      address_locks_(parts.address_locks),
      tenants_(parts.tenants),
      counters_(parts.counters),
      tokens_(parts.tokens),
      offload_(parts.offload) {
  tick_.handler = on_tick;
  tick_.data = this;
  tick_.cancelable = 1;
}

void Upgrades::watch(ngx_http_request_t* r, const RequestContext& context) {
  ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
  if (!cleanup) throw std::bad_alloc();
  if (all_.empty()) {
    position_ = zone_.revocations();
    epoch_ = node_.epoch();
    last_look_ = loop_time();
  }
  const std::uint64_t id = ++next_id_;
  Upgrade& upgrade = all_[id];
  upgrade.id = id;
  upgrade.owner = this;
  upgrade.connection = r->connection;
  if (r->http_version >= NGX_HTTP_VERSION_20) upgrade.stream = r;
  upgrade.token = view(context.token);
  upgrade.address = client_address(r, conf_);
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
  look_at_address(upgrade);
  look(upgrade);  // it may have been revoked since the gate saw it
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
    look_at_addresses();
    if (second_ != ngx_time()) look_at_expiries();
    if (loop_time() - last_look_ >= look_every) look_at_all();
    start_confirmations();
    look_for_successors();
    end_streams();
  } catch (const std::exception& e) {
    log::error(std::string("upgraded connections: ") + e.what());
  }
  if (!all_.empty() && !tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::look_at_ring() {
  if (zone_.revocations() == position_) return;
  const RevokedKeys revoked = zone_.revoked_since(position_);
  position_ = revoked.position;
  for (auto& [id, upgrade] : all_) upgrade.needs_successor = upgrade.needs_successor || expired(upgrade.facts);
  if (revoked.lost) {
    for (auto& [id, upgrade] : all_) look(upgrade);
    return;
  }
  for (const TokenKey& key : revoked.keys) {
    auto [begin, end] = by_key_.equal_range(key);
    for (auto at = begin; at != end; ++at) look(*at->second);
  }
}

// Also when a tenant was moved: it may have come below one whose locks count for it, too.
void Upgrades::look_at_addresses() {
  const std::uint64_t version = address_locks_.version(), generation = node_.tenant_generation();
  if (version == locks_version_ && generation == tenant_generation_ && !addresses_unjudged_) return;
  if (reading_tenants_) return;
  locks_version_ = version;
  tenant_generation_ = generation;
  addresses_unjudged_ = false;
  if (address_locks_.count() == 0) return;
  for (auto& [id, upgrade] : all_) look_at_address(upgrade);
  if (addresses_unjudged_) read_tenants();
}

void Upgrades::look_at_address(Upgrade& upgrade) {
  if (upgrade.ended || address_locks_.count() == 0) return;
  switch (gate::judge_address(address_locks_, tenants_, upgrade.address, upgrade.facts, ngx_time(),
                              std::chrono::milliseconds(upgrade.grace_ms))) {
    case gate::Verdict::Outcome::address_locked:
      return end(upgrade, "its address is locked");
    case gate::Verdict::Outcome::read_tenants:
      addresses_unjudged_ = true;
      return;
    default:
      return;
  }
}

void Upgrades::read_tenants() {
  auto work = [this] {
    try {
      tenants_.refresh();
    } catch (const std::exception& e) {
      log::error(std::string("the tenants could not be read: ") + e.what());
    }
  };
  reading_tenants_ = offload_.post(Lane::loading, std::move(work), [this] { reading_tenants_ = false; });
}

void Upgrades::look_at_expiries() {
  second_ = ngx_time();
  const BootTime now = loop_time();
  for (auto& [id, upgrade] : all_) {
    if (!expired(upgrade.facts)) {
      // The clock was set back: while the token seemed expired, notices about it were ignored.
      if (upgrade.next_look != BootTime()) look(upgrade);
      upgrade.next_look = BootTime();
    } else if (now >= upgrade.next_look) {
      upgrade.needs_successor = true;
      upgrade.next_look = now + successor_every;
    }
  }
}

bool Upgrades::listening() const {
  return node_.listening(loop_time()) && node_.epoch() == epoch_;
}

void Upgrades::look_at_all() {
  last_look_ = loop_time();
  const bool listening = this->listening();
  epoch_ = node_.epoch();
  for (auto& [id, upgrade] : all_) {
    if (listening && !upgrade.unconfirmed) continue;
    if (expired(upgrade.facts))
      upgrade.needs_successor = true;
    else if (node_.database_away(loop_time()) && !still_believed(upgrade))
      end(upgrade, "nobody can tell whether its token lives");
    else
      request_confirmation(upgrade);
  }
}

bool Upgrades::still_believed(const Upgrade& upgrade) const {
  const std::chrono::milliseconds grace(upgrade.grace_ms);
  return loop_time() - gate::known_good(node_, upgrade.facts) <= grace + NodeState::good_for;
}

void Upgrades::look(Upgrade& upgrade) {
  if (upgrade.ended || expired(upgrade.facts)) return;
  switch (zone_.check(upgrade.key, upgrade.required, upgrade.facts)) {
    case Lookup::revoked:
      return end(upgrade, "its token was revoked");
    case Lookup::denied:
      return end(upgrade, "its token lost the access");
    case Lookup::unknown:
      return request_confirmation(upgrade);
    case Lookup::granted:
      break;
  }
}

void Upgrades::request_confirmation(Upgrade& upgrade) {
  upgrade.unconfirmed = some_unconfirmed_ = true;
}

// Limits how many run at once, for the sake of requests at the gate; none while PostgreSQL is away.
void Upgrades::start_confirmations() {
  if (!some_unconfirmed_ || node_.database_away(loop_time())) return;
  some_unconfirmed_ = false;
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.unconfirmed || upgrade.confirming || upgrade.ended || expired(upgrade.facts)) continue;
    if (confirming_ >= most_confirmations || !start_confirmation(upgrade)) {
      some_unconfirmed_ = true;
      return;
    }
  }
}

bool Upgrades::start_confirmation(Upgrade& upgrade) {
  auto loaded = std::make_shared<Loaded>();
  auto work = [this, loaded, token = upgrade.token] {
    try {
      *loaded = tokens_.revalidate(token);
    } catch (const std::exception& e) {
      log::error(std::string("a token could not be loaded: ") + e.what());
    }
  };
  auto done = [this, loaded, id = upgrade.id] { on_confirmation(id, *loaded); };
  if (!offload_.post(Lane::loading, std::move(work), std::move(done))) return false;
  ++confirming_;
  upgrade.confirming = true;
  upgrade.confirming_in_epoch = node_.epoch();
  upgrade.unconfirmed = false;
  return true;
}

void Upgrades::on_confirmation(std::uint64_t id, const Loaded& loaded) {
  --confirming_;
  const auto found = all_.find(id);
  if (found == all_.end()) return;
  Upgrade& upgrade = found->second;
  upgrade.confirming = false;
  if (upgrade.ended) return;
  if (loaded.status == Loaded::Status::unknown) return end(upgrade, "its token is gone");
  if (loaded.status == Loaded::Status::unavailable) {
    if (!still_believed(upgrade)) return end(upgrade, "nobody can tell whether its token lives");
    return request_confirmation(upgrade);
  }
  upgrade.facts.validated_at = loop_time();
  upgrade.facts.epoch = upgrade.confirming_in_epoch;
  const std::string list = acl::compile(loaded.record->acl);
  const acl::Holder holder{loaded.record->auth_id, loaded.record->session_uuid};
  if (!acl::AccessList(list).grants(upgrade.required, holder)) return end(upgrade, "its token lost the access");
  upgrade.facts.expire_t = loaded.record->expire_t.value_or(0);
}

void Upgrades::look_for_successors() {
  int scans = successor_scans;
  // PostgreSQL doesn't confirm a successor: it counts while it is fresh, or while PostgreSQL is known to be away.
  const auto usable = [&](std::int64_t grace_ms) {
    return [this, grace_ms](const TokenFacts& facts) {
      using gate::Freshness;
      const Freshness freshness = gate::freshness(node_, facts, loop_time(), std::chrono::milliseconds(grace_ms));
      const bool recent = loop_time() - gate::known_good(node_, facts) <= look_every + NodeState::good_for;
      return freshness == Freshness::good || freshness == Freshness::grace ||
             (freshness == Freshness::revalidate && recent);
    };
  };
  for (auto& [id, upgrade] : all_) {
    if (!upgrade.needs_successor || upgrade.ended) continue;
    if (!expired(upgrade.facts)) {  // the clock was set back since
      upgrade.needs_successor = false;
      continue;
    }
    if (scans-- == 0) return;
    upgrade.needs_successor = false;
    if (!zone_.has_successor(upgrade.key, upgrade.facts, upgrade.required, ngx_time(), usable(upgrade.grace_ms)))
      end(upgrade, "its token expired");
  }
}

// nginx's own code sees the end of the stream and clears up.
void Upgrades::end(Upgrade& upgrade, const char* why) {
  if (upgrade.ended) return;
  upgrade.ended = true;
  counters_.add(counter::upgrades_ended);
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

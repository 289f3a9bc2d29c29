#include "upgrades.h"

#include <sys/socket.h>

#include <functional>
#include <utility>

#include "conf.h"
#include "counters.h"
#include "request.h"
#include "trace.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/base/log.h"
#include "websocket.h"

namespace wazoauth::nginx {

namespace {
constexpr ngx_msec_t tick_ms = 20;
constexpr std::chrono::milliseconds look_every{1000};
constexpr int most_questions = 256;  // to PostgreSQL at once; requests at the gate need it, too
// For the rest of a frame that has begun; then for the client to close.
constexpr std::chrono::milliseconds frame_limit{100}, close_limit{1000};

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
  upgrade.trace_id = known_trace_id(r);
  upgrade.facts = context.facts;
  if (context.has_access) upgrade.required = view(context.required);
  upgrade.grace_ms = context.grace_ms;
  index(upgrade, context.shown.key());
  cleanup->data = &upgrade;
  cleanup->handler = [](void* data) {
    auto* upgrade = static_cast<Upgrade*>(data);
    upgrade->owner->forget(*upgrade);
  };
  if (context.close_codes && r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS && is_websocket_handshake(r))
    upgrade.farewell.follow(r);
  if (const auto known = zone_.find(ShownToken(upgrade.token)))
    upgrade.client = TokenClient::of(known->record);
  else
    ask(upgrade, Question::alive);
  look_at_address(upgrade);
  look(upgrade);  // it may have been revoked since the gate saw it
  tick_.log = ngx_cycle->log;
  if (!tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::index(Upgrade& upgrade, const TokenKey& key) {
  upgrade.key = key;
  by_key_.emplace(key, &upgrade);
}

void Upgrades::unindex(const Upgrade& upgrade) {
  auto [begin, end] = by_key_.equal_range(upgrade.key);
  for (auto at = begin; at != end; ++at) {
    if (at->second != &upgrade) continue;
    by_key_.erase(at);
    return;
  }
}

void Upgrades::forget(Upgrade& upgrade) {
  unindex(upgrade);
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
    start_asking();
    end_streams();
    end_farewells();
  } catch (const std::exception& e) {
    log::error(std::string("upgraded connections: ") + e.what());
  }
  if (!all_.empty() && !tick_.timer_set) ngx_add_timer(&tick_, tick_ms);
}

void Upgrades::look_at_ring() {
  if (zone_.revocations() == position_) return;
  const RevokedKeys revoked = zone_.revoked_since(position_);
  position_ = revoked.position;
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
  for (auto& [id, upgrade] : all_) {
    if (upgrade.ended || upgrade.given_up) continue;
    if (expired(upgrade.facts))
      ask(upgrade, Question::successor);
    else if (upgrade.question == Question::successor)
      ask(upgrade, Question::alive);  // the clock was set back: until now notices about this token were ignored
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
    if (listening && upgrade.question == Question::none) continue;
    if (node_.database_away(loop_time()) && (upgrade.given_up || !still_believed(upgrade)))
      end(upgrade, "nobody can tell whether its token lives");
    else
      ask(upgrade, upgrade.given_up || expired(upgrade.facts) ? Question::successor : Question::alive);
  }
}

bool Upgrades::still_believed(const Upgrade& upgrade) const {
  const std::chrono::milliseconds grace(upgrade.grace_ms);
  return loop_time() - gate::known_good(node_, upgrade.facts) <= grace + NodeState::good_for;
}

void Upgrades::look(Upgrade& upgrade) {
  if (upgrade.ended || upgrade.given_up || expired(upgrade.facts)) return;
  const std::optional<acl::Required> required =
      upgrade.required ? std::optional<acl::Required>(*upgrade.required) : std::nullopt;
  switch (zone_.check(ShownToken(upgrade.token), required ? &*required : nullptr, upgrade.facts)) {
    case Lookup::revoked:
      if (!zone_.given_up(upgrade.key)) return end(upgrade, "its session ended");
      upgrade.given_up = true;
      return ask(upgrade, Question::successor);
    case Lookup::denied:
      return end(upgrade, "its token lost the access");
    case Lookup::unknown:
      return ask(upgrade, Question::alive);
    case Lookup::granted:
      break;
  }
}

void Upgrades::ask(Upgrade& upgrade, Question question) {
  upgrade.question = question;
  some_ask_ = true;
}

// Limits how many run at once, for the sake of requests at the gate; none while PostgreSQL is away.
void Upgrades::start_asking() {
  if (!some_ask_ || node_.database_away(loop_time())) return;
  some_ask_ = false;
  for (auto& [id, upgrade] : all_) {
    if (upgrade.question == Question::none || upgrade.ended) continue;
    if (upgrade.asking) {  // of what was so before
      some_ask_ = true;
      continue;
    }
    if (asking_ >= most_questions || !start_asking(upgrade)) {
      some_ask_ = true;
      return;
    }
  }
}

namespace {
// work() on a thread. Neither may throw there.
template <class Answer, class Work>
std::function<void()> guarded(const std::shared_ptr<Answer>& answer, Work work) {
  return [answer, work = std::move(work)] {
    try {
      *answer = work();
    } catch (const std::exception& e) {
      log::error(std::string("a token could not be loaded: ") + e.what());
    }
  };
}
}  // namespace

bool Upgrades::start_asking(Upgrade& upgrade) {
  std::function<void()> work, done;
  if (upgrade.question == Question::alive) {
    const auto loaded = std::make_shared<Loaded>();
    work = guarded(
        loaded, [this, token = upgrade.token, asked = BootClock::now()] { return tokens_.revalidate(token, asked); });
    done = [this, loaded, id = upgrade.id] { on_alive(id, *loaded); };
  } else {
    const auto next = std::make_shared<Successor>();
    work = guarded(next, [this, token = upgrade.token, client = upgrade.client, required = upgrade.required] {
      return tokens_.successor(token, client, required);
    });
    done = [this, next, id = upgrade.id] { on_successor(id, *next); };
  }
  if (!offload_.post(Lane::loading, std::move(work), std::move(done))) return false;
  ++asking_;
  upgrade.asking = true;
  upgrade.asking_in_epoch = node_.epoch();
  upgrade.question = Question::none;
  return true;
}

Upgrades::Upgrade* Upgrades::answered(std::uint64_t id) {
  --asking_;
  const auto found = all_.find(id);
  if (found == all_.end() || found->second.ended) return nullptr;
  found->second.asking = false;
  return &found->second;
}

void Upgrades::on_unavailable(Upgrade& upgrade) {
  // A token that was given up has no grace.
  if (upgrade.given_up || !still_believed(upgrade)) return end(upgrade, "nobody can tell whether its token lives");
  ask(upgrade, expired(upgrade.facts) ? Question::successor : Question::alive);
}

void Upgrades::on_alive(std::uint64_t id, const Loaded& loaded) {
  Upgrade* const upgrade = answered(id);
  if (!upgrade || upgrade->given_up) return;
  if (loaded.status == Loaded::Status::unknown) return end(*upgrade, "its token is gone");
  if (loaded.status == Loaded::Status::unavailable) return on_unavailable(*upgrade);
  confirm(*upgrade, *loaded.record);
  const std::string list = acl::compile(loaded.record->acl);
  const acl::Holder holder{loaded.record->auth_id, loaded.record->session_uuid};
  if (!acl::AccessList(list).grants(upgrade->required, holder)) end(*upgrade, "its token lost the access");
}

void Upgrades::confirm(Upgrade& upgrade, const TokenRecord& record) {
  upgrade.facts.validated_at = loop_time();
  upgrade.facts.epoch = upgrade.asking_in_epoch;
  upgrade.facts.expire_t = record.expire_t.value_or(0);
  upgrade.client = TokenClient::of(record);
}

void Upgrades::on_successor(std::uint64_t id, const Successor& successor) {
  Upgrade* const upgrade = answered(id);
  if (!upgrade) return;
  if (!upgrade->given_up && !expired(upgrade->facts)) return ask(*upgrade, Question::alive);  // the clock was set back
  if (successor.status == Loaded::Status::unavailable) return on_unavailable(*upgrade);
  if (successor.status == Loaded::Status::unknown)
    return end(*upgrade, upgrade->given_up ? "its token was deleted" : "its token expired");
  unindex(*upgrade);
  index(*upgrade, token_key(successor.token));
  upgrade->token = successor.token;
  upgrade->given_up = false;
  upgrade->question = Question::none;
  confirm(*upgrade, successor.record);
  look(*upgrade);  // it may have been revoked since
}

// nginx's own code sees the end of the stream and clears up.
void Upgrades::end(Upgrade& upgrade, const char* why) {
  if (upgrade.ended) return;
  upgrade.ended = true;
  counters_.add(counter::upgrades_ended);
  ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, 0, "wazo_auth: the connection ends: %s%s%s", why,
                upgrade.trace_id.empty() ? "" : ", trace: ", upgrade.trace_id.c_str());
  if (upgrade.stream) return ended_streams_.push_back(upgrade.id);
  if (upgrade.farewell.begin(gate::close_expired))
    leaving_.push_back({upgrade.id, loop_time() + frame_limit, false});
  else
    cut(upgrade);
}

void Upgrades::cut(const Upgrade& upgrade) {
  if (shutdown(upgrade.connection->fd, SHUT_RDWR) == -1)
    ngx_log_error(NGX_LOG_INFO, upgrade.connection->log, ngx_socket_errno, "shutdown() failed");
}

// Nobody waits for a client for ever.
void Upgrades::end_farewells() {
  std::erase_if(leaving_, [this](Leaving& leaving) {
    const auto found = all_.find(leaving.id);
    if (found == all_.end()) return true;
    if (!leaving.told && found->second.farewell.told()) {
      leaving.told = true;
      leaving.until = loop_time() + close_limit;
    }
    if (loop_time() < leaving.until) return false;
    cut(found->second);
    return true;
  });
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

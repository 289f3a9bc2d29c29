#include "wazoauth/cache/redis_relay.h"

#include <unistd.h>

#include <cstdlib>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/cache/life.h"
#include "wazoauth/cache/token_notice.h"
#include "wazoauth/store/leader.h"

namespace wazoauth {

namespace {

constexpr std::string_view lead = "wazo_auth.redis_relay";
constexpr std::chrono::milliseconds idle{5000}, retry{500}, prune_every{60000};

// Tests hold the relay back: what is revoked must be refused even so.
bool held() {
  const char* file = std::getenv("WAZO_AUTH_TEST_HOLD_RELAY");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return file && access(file, F_OK) == 0;
}

}  // namespace

RedisRelay::RedisRelay(Options options)
    : options_(std::move(options)), database_(leader_options(options_.database)), redis_(options_.redis_uri) {}

void RedisRelay::run() {
  std::uint64_t seen = 0;
  BootTime next_prune;
  for (std::chrono::milliseconds pause{0}; options_.wake->wait(pause, seen);) {
    pause = retry;
    if (held()) continue;
    try {
      if (!take_lead(database_, lead)) {
        if (options_.database.meters)
          options_.database.meters->redis_server = Meters::Seen::unknown;  // another one knows
        pause = idle;
        continue;
      }
      if (BootClock::now() >= next_prune) {
        UnitOfWork(database_, Mode::read_only).run("node.prune");
        next_prune = BootClock::now() + prune_every;
      }
      pause = relay() ? std::chrono::milliseconds(0) : retry;
      trouble_.over();
    } catch (const std::exception& e) {
      trouble_.is(std::string("relay to Redis: ") + e.what());
    }
  }
}

bool RedisRelay::relay() {
  const auto server = redis_.server();
  if (Meters* const meters = options_.database.meters) meters->see(&Meters::redis_server, server.has_value());
  if (!server) return false;
  std::vector<std::string> done;
  bool all = true;
  UnitOfWork unit(database_);
  require_lead(unit, lead);
  const Rows rows = unit.run("node.deaths_waiting");
  // Read after the rows: a token that was revoked before this life began can't have a record in it.
  const RedisLife life = parse_life(unit.run("node.life").text(0, "life")).redis;
  if (life.server != *server) {
    unit.run("node.new_redis_life", {static_cast<std::int64_t>(*server)});
    unit.commit();
    log::info("Redis: this server has the tokens from now on");
    return true;
  }
  for (std::size_t i = 0; i < rows.size() && all; ++i) {
    all = bury(rows.json(i, "body").get("deaths"), life);
    if (all) done.push_back(rows.text(i, "id"));
  }
  if (!done.empty()) unit.run("node.done", {Param(done)});
  unit.commit();
  return all && !rows.empty();
}

bool RedisRelay::bury(const Json& notices, const RedisLife& life) {
  for (const Json& item : notices.items()) {
    const TokenNotice notice = parse_token_notice(item.is_string() ? item.text() : "");
    for (const Revocation& revocation : notice.revoked) {
      if (!redis_.bury(revocation.key, revocation.expire_t, life)) return false;
    }
    for (const Revocation& change : notice.changed) {
      if (!redis_.disown(change.key, change.expire_t, life)) return false;
    }
  }
  return true;
}

}  // namespace wazoauth

#include "wazoauth/cache/redis_cache.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <stdexcept>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/server_uri.h"
#include "wazoauth/base/trouble.h"

namespace wazoauth {

namespace {

constexpr int timeout_ms = 200;
constexpr std::chrono::milliseconds retry_after{1000};
constexpr std::int64_t day = 86400, year = 365 * day;
constexpr std::string_view tombstone = "dead";
constexpr std::string_view changed = "changed";  // no record and no tombstone: PostgreSQL is to be asked

struct Address {
  std::string path;  // of a unix socket
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string user, password;
  int database = 0;
};

// The address isn't quoted: it may hold a password, and nginx logs this.
struct InvalidAddress : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

[[noreturn]] void invalid(const std::string& what) {
  throw InvalidAddress("invalid Redis address: " + what);
}

int database_number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) invalid("the database must be a number");
  return value;
}

// Of the registration of "redis" with IANA, and of other clients.
void set_parameter(Address& address, const std::string& name, const std::string& value) {
  if (name == "db" || name == "database") {
    address.database = database_number(value);
  } else if (name == "password") {
    address.password = value;
  } else {
    invalid("a parameter behind the ? isn't known; known are db and password");
  }
}

// "unix:/path", "unix://user:password@/path?db=1"
Address parse_socket(const std::string& text) {
  const ServerUri uri = parse_server_uri(text.starts_with("unix://") ? text : "unix://" + text.substr(5));
  Address address;
  if (!uri.path || uri.path->empty()) invalid("no path of a socket");
  if (!uri.host.empty()) invalid("a socket has no host: write unix:/path");
  address.path = "/" + *uri.path;
  address.user = uri.user.value_or("");
  address.password = uri.password.value_or("");
  for (const auto& [name, value] : uri.query) set_parameter(address, name, value);
  return address;
}

Address parse_host(const std::string& text) {
  const ServerUri uri = parse_server_uri(text.find("://") == std::string::npos ? "redis://" + text : text);
  if (uri.scheme == "rediss")
    invalid("rediss:// (TLS) isn't supported: use a unix socket, or a tunnel on this machine");
  if (uri.scheme != "redis") invalid("it must begin with redis:// or unix:");
  if (uri.host.empty()) invalid("no host");
  Address address;
  address.host = uri.host;
  address.port = uri.port.value_or(address.port);
  address.user = uri.user.value_or("");
  address.password = uri.password.value_or("");
  if (uri.path && !uri.path->empty()) address.database = database_number(*uri.path);
  for (const auto& [name, value] : uri.query) set_parameter(address, name, value);
  return address;
}

Address parse(const std::string& text) {
  try {
    Address address = text.starts_with("unix:") ? parse_socket(text) : parse_host(text);
    if (!address.user.empty() && address.password.empty()) invalid("a user without a password: write user:password@");
    return address;
  } catch (const InvalidAddress&) {
    throw;
  } catch (const std::invalid_argument& e) {
    invalid(e.what());
  }
}

std::uint64_t hash(const std::string& text) {
  const TokenKey digest = token_key(text);  // a SHA-256, the same everywhere
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number << 8 | digest[i];
  return number;
}

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

}  // namespace

struct RedisCache::State {
  explicit State(const std::string& uri) : address(parse(uri)) {}

  Address address;
  std::mutex mutex;  // one connection, used by few threads for some 20 µs each
  Context context;
  std::uint64_t server = 0;
  BootTime not_before;
  Trouble trouble{log::Level::warning, "Redis: it is back"};

  // Null when Redis doesn't answer; the connection is closed then.
  Reply ask(const std::vector<std::string>& words) {
    if (!context && !connect()) return nullptr;
    return send(words);
  }

  Reply send(const std::vector<std::string>& words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    for (const std::string& word : words) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    Reply reply(static_cast<redisReply*>(
        redisCommandArgv(context.get(), static_cast<int>(words.size()), texts.data(), sizes.data())));
    if (!reply || reply->type == REDIS_REPLY_ERROR) {
      give_up(reply ? reply->str : context->errstr);
      return nullptr;
    }
    return reply;
  }

  void give_up(const std::string& why) {
    trouble.is("Redis: " + why);
    context.reset();
    not_before = BootClock::now() + retry_after;
  }

  bool connect() {
    if (BootClock::now() < not_before) return false;
    const timeval limit{0, timeout_ms * 1000};
    context.reset(address.path.empty() ? redisConnectWithTimeout(address.host.c_str(), address.port, limit)
                                       : redisConnectUnixWithTimeout(address.path.c_str(), limit));
    if (!context || context->err != 0) {
      give_up(context ? context->errstr : "out of memory");
      return false;
    }
    redisSetTimeout(context.get(), limit);
    if (!address.password.empty()) {
      if (!(address.user.empty() ? send({"AUTH", address.password}) : send({"AUTH", address.user, address.password})))
        return false;
    }
    if (address.database != 0 && !send({"SELECT", std::to_string(address.database)})) return false;
    return learn_server();
  }

  bool learn_server() {
    const Reply info = send({"INFO", "server"});
    if (!info || info->type != REDIS_REPLY_STRING) return false;
    const std::string_view text(info->str, info->len);
    const auto at = text.find("run_id:");
    if (at == std::string_view::npos) {
      give_up("INFO names no run_id");
      return false;
    }
    const std::string_view run_id = text.substr(at + 7, text.find_first_of("\r\n", at) - at - 7);
    trouble.over();
    server = hash(std::string(run_id) + "/" + std::to_string(address.database));
    return true;
  }

  // The key's text; "" when Redis is away or another one. Which it is, is only known once there is a connection.
  std::string key_for(const TokenKey& key, const RedisLife& in) {
    if ((!context && !connect()) || server != in.server) return "";
    return "wazo-auth:" + std::to_string(in.life) + ":" + to_hex(key);
  }

  bool mark(const TokenKey& key, std::string_view value, std::int64_t expire_t, const RedisLife& in) {
    // A day more than our clock says: it must outlive the record, even if that clock is wrong.
    const std::int64_t life = expire_t == 0 ? year : std::max<std::int64_t>(expire_t - unix_seconds(), 0) + day;
    const std::lock_guard lock(mutex);
    const std::string name = key_for(key, in);
    if (name.empty()) return false;
    return ask({"SET", name, std::string(value), "EX", std::to_string(life)}) != nullptr;
  }
};

RedisCache::RedisCache(const std::string& uri) : state_(std::make_unique<State>(uri)) {}
RedisCache::~RedisCache() = default;

std::optional<RedisLife> RedisCache::usable(const Zone& zone) {
  const RedisLife life = zone.node().redis_life();
  if (life.life == 0 || zone.tombstones_overflowed() || !zone.node().listening(BootClock::now())) return std::nullopt;
  return life;
}

std::optional<std::uint64_t> RedisCache::server() {
  const std::lock_guard lock(state_->mutex);
  const bool known = state_->context ? state_->learn_server() : state_->connect();
  return known ? std::optional(state_->server) : std::nullopt;
}

RedisCache::Found RedisCache::get(const TokenKey& key, const RedisLife& in) {
  const std::lock_guard lock(state_->mutex);
  const std::string name = state_->key_for(key, in);
  if (name.empty()) return {};
  const Reply reply = state_->ask({"GET", name});
  if (!reply || reply->type != REDIS_REPLY_STRING) return {};
  const std::string_view value(reply->str, reply->len);
  if (value == tombstone) return {true, std::nullopt};
  return {false, decode(value)};
}

void RedisCache::put(const TokenKey& key, const TokenRecord& record, std::int64_t now, const RedisLife& in) {
  const std::int64_t life = record.expire_t && *record.expire_t != 0 ? *record.expire_t - now : day;
  if (life <= 0) return;
  const std::lock_guard lock(state_->mutex);
  const std::string name = state_->key_for(key, in);
  if (name.empty()) return;
  state_->ask({"SET", name, encode(record), "NX", "EX", std::to_string(std::min(life, year))});
}

bool RedisCache::bury(const TokenKey& key, std::int64_t expire_t, const RedisLife& in) {
  return state_->mark(key, tombstone, expire_t, in);
}

bool RedisCache::disown(const TokenKey& key, std::int64_t expire_t, const RedisLife& in) {
  return state_->mark(key, changed, expire_t, in);
}

}  // namespace wazoauth

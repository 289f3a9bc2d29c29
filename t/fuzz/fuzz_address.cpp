// Any bytes as a connection string of PostgreSQL or as an address of Redis.
#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "wazoauth/cache/redis_cache.h"
#include "wazoauth/store/connection_string.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

using Values = std::map<std::string, std::string>;

Values parse(const std::string& conninfo) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(conninfo.c_str(), nullptr),
                                                                            PQconninfoFree);
  require(parsed != nullptr);
  Values values;
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option) {
    if (option->val && *option->val) values[option->keyword] = option->val;
  }
  return values;
}

// What the administrator wrote stays, what is missing is added, and nothing is added twice.
void check_conninfo(const std::string& conninfo) {
  DatabaseOptions options;
  options.conninfo = conninfo;
  std::string text;
  try {
    text = connection_string(options);
  } catch (const std::runtime_error&) {
    return;
  }
  const Values given = parse(libpq_uri(conninfo)), made = parse(text);
  for (const auto& [keyword, value] : given) {
    const auto found = made.find(keyword);
    require(found != made.end());
    require(keyword == "options" ? found->second.starts_with(value) : found->second == value);
  }
  require(made.at("options").find("statement_timeout") != std::string::npos);
  options.conninfo = text;
  require(connection_string(options) == text);
}

void check_uri(const std::string& url) {
  const std::string uri = libpq_uri(url);
  require(uri.size() <= url.size());
  if (url.find('+') == std::string::npos) require(uri == url);
  require(libpq_uri("postgresql+psycopg2://" + url) == "postgresql://" + url);
}

void check_redis(const std::string& uri) {
  try {
    const RedisCache cache(uri);
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  input.resize(std::min(input.size(), input.find('\0')));  // from a YAML or nginx.conf: no NUL
  switch (data[0] % 3) {
    case 0:
      check_conninfo(input);
      check_conninfo("postgresql+psycopg2://" + input);
      check_conninfo("user=u options='" + input + "'");
      break;
    case 1:
      check_uri(input);
      break;
    default:
      check_redis(input);
      check_redis("redis://" + input);
      check_redis("unix:" + input);
      break;
  }
  return 0;
}

#include "wazoauth/store/connection_string.h"

#include <libpq-fe.h>

#include <cctype>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

namespace wazoauth {

std::string libpq_uri(const std::string& url) {
  const auto colon = url.find("://");
  const auto plus = url.find('+');
  if (colon == std::string::npos || plus == std::string::npos || plus > colon) return url;
  const std::string scheme = url.substr(0, plus);
  if (scheme != "postgresql" && scheme != "postgres") return url;  // a password of a keyword='value' text, say
  return url.substr(0, plus) + url.substr(colon);
}

std::string conninfo_error(const char* message) {
  std::string text = message ? message : "out of memory";
  while (text.ends_with('\n')) text.pop_back();
  auto start = text.find('"');
  // "=", ":" and the like are libpq's own.
  while (start != std::string::npos && text.find('"', start + 1) == start + 2 &&
         !std::isalnum(static_cast<unsigned char>(text[start + 1])))
    start = text.find('"', start + 3);
  if (start != std::string::npos) {
    const auto end = text.rfind('"');
    text.replace(start, end == start ? std::string::npos : end + 1 - start, "\"...\"");
  }
  return "invalid connection string: " + text;
}

namespace {
std::map<std::string, std::string> parse(const std::string& conninfo) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(PQconninfoParse(conninfo.c_str(), &message),
                                                                            PQconninfoFree);
  if (!parsed) {
    const std::string text = conninfo_error(message);
    PQfreemem(message);
    throw std::runtime_error(text);
  }
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = parsed.get(); option->keyword; ++option) {
    if (option->val && *option->val) values[option->keyword] = option->val;  // libpq takes an empty one for none
  }
  return values;
}

// Logins are written: of several servers, the one that takes them is meant.
void choose_server(std::map<std::string, std::string>& values) {
  const bool several =
      values["host"].find(',') != std::string::npos || values["hostaddr"].find(',') != std::string::npos;
  if (several) values.try_emplace("target_session_attrs", "read-write");
  const std::string& wanted = values["target_session_attrs"];
  if (wanted == "read-only" || wanted == "standby" || wanted == "prefer-standby")
    throw std::runtime_error("invalid connection string: target_session_attrs=" + wanted +
                             " finds servers that can't be written to");
}

using Values = std::vector<std::pair<std::string, std::string>>;

// By the first of a group, which stands or falls as a whole.
std::vector<Values> wanted_settings(const DatabaseOptions& options) {
  const std::string limit = std::to_string(options.statement_timeout.count());
  return {{{"statement_timeout", limit}, {"lock_timeout", limit}, {"idle_in_transaction_session_timeout", "60000"}},
          // The planner's work costs more than these statements; each is made of what it needs only, so that one plan
          // fits all. Rows that are read all day lie in memory: an index is worth more than a planner assumes that
          // expects a disk.
          {{"plan_cache_mode", options.generic_plans ? "force_generic_plan" : "force_custom_plan"},
           {"jit", "off"},
           {"random_page_cost", "1.1"}},
          // The server's side: locks of a node that vanished must not outlive it by hours.
          {{"tcp_keepalives_idle", "10"}, {"tcp_keepalives_interval", "5"}, {"tcp_keepalives_count", "3"}}};
}
}  // namespace

std::string session_settings(const DatabaseOptions& options) {
  if (!options.prepared) return "";
  const std::string own = parse(libpq_uri(options.conninfo))["options"];
  std::string sql;
  for (const Values& group : wanted_settings(options)) {
    if (own.find(group.front().first) != std::string::npos) continue;
    for (const auto& [name, value] : group) sql += "SET " + name + " = '" + value + "';";
  }
  return sql;
}

std::string connection_string(const DatabaseOptions& options) {
  std::map<std::string, std::string> values = parse(libpq_uri(options.conninfo));
  const auto seconds = (options.connect_timeout.count() + 999) / 1000;
  values.try_emplace("connect_timeout", std::to_string(seconds));
  values.try_emplace("application_name", "wazo-auth");
  values.try_emplace("keepalives_idle", "10");
  values.try_emplace("keepalives_interval", "5");
  values.try_emplace("keepalives_count", "3");
  values.try_emplace("tcp_user_timeout", "10000");
  values.try_emplace("client_encoding", "UTF8");
  choose_server(values);
  std::string text;
  for (const auto& [keyword, value] : values) {
    if (value.empty()) continue;
    text += text.empty() ? keyword : " " + keyword;
    text += "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "'";
  }
  return text;
}

}  // namespace wazoauth

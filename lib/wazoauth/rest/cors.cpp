// The rules of docs/spec/http-conventions.md section 11, and the options of Flask-CORS that administrators may have
// set.
#include "wazoauth/rest/cors.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"

namespace wazoauth {

namespace {

std::string joined(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> names_in(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), name.size() + 1));
    if (name = ascii::trimmed(name); !name.empty()) names.emplace_back(name);
  }
  return names;
}

bool contains(const std::vector<std::string>& words, const std::string& wanted) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& w) { return ascii::same(w, wanted); });
}

// The value of Access-Control-Allow-Origin; "" when this origin isn't allowed.
std::string allowed_origin(const Settings& settings, const std::string& origin) {
  const bool any = settings.cors_origins.empty() || contains(settings.cors_origins, "*");
  if (any) return origin.empty() || settings.cors_send_wildcard ? "*" : origin;
  if (!origin.empty() && contains(settings.cors_origins, origin)) return origin;
  return "";
}

void add_preflight(const Settings& settings, const Request& request, Response& response) {
  static const std::vector<std::string> all = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};
  const std::string method = request.header_or_empty("access-control-request-method");
  if (request.method != "OPTIONS" || !contains(all, method)) return;
  const auto& methods = settings.cors_methods.empty() ? all : settings.cors_methods;
  if (!contains(methods, method)) return;
  response.headers.emplace_back("Access-Control-Allow-Methods", joined(methods));
  std::vector<std::string> headers;
  for (const std::string& name : names_in(request.header_or_empty("access-control-request-headers"))) {
    if (contains(settings.cors_allow_headers, name) || contains(settings.cors_allow_headers, "*"))
      headers.push_back(name);
  }
  if (!headers.empty()) response.headers.emplace_back("Access-Control-Allow-Headers", joined(headers));
  if (settings.cors_max_age) response.headers.emplace_back("Access-Control-Max-Age", *settings.cors_max_age);
}

}  // namespace

void add_cors(const Settings& settings, const Request& request, Response& response) {
  if (!settings.cors_enabled) return;
  const std::string origin = request.header_or_empty("origin");
  const std::string allowed = allowed_origin(settings, origin);
  if (allowed.empty()) return;
  response.headers.emplace_back("Access-Control-Allow-Origin", allowed);
  if (allowed != "*" && settings.cors_vary_header) response.headers.emplace_back("Vary", "Origin");
  if (settings.cors_supports_credentials && allowed != "*")
    response.headers.emplace_back("Access-Control-Allow-Credentials", "true");
  if (!settings.cors_expose_headers.empty())
    response.headers.emplace_back("Access-Control-Expose-Headers", joined(settings.cors_expose_headers));
  add_preflight(settings, request, response);
}

}  // namespace wazoauth

// Any bytes as a request's path: what a route gets of it, and that the way back leads to the same route.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wazoauth/base/text.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/rest/router.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

Router make_router() {
  Router router;
  const auto add = [&router](const char* method, const char* path) {
    Route route;
    route.method = method;
    route.path = path;
    router.add(std::move(route));
  };
  add("GET", "/users");
  add("POST", "/users");
  add("GET", "/users/<user_uuid>");
  add("DELETE", "/users/<user_uuid>");
  add("PUT", "/users/password");
  add("GET", "/users/<user_uuid>/tokens/<client_id>");
  add("GET", "/users/me/tokens/<client_id>");
  add("GET", "/token/<token>");
  add("HEAD", "/token/<token>");
  add("GET", "/policies/<policy_uuid>");
  add("GET", "/policies/<slug>");
  add("PUT", "/policies/<slug>/acl/<access>");
  return router;
}

std::string escaped(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    (out += '%') += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

// The path of a route with these parameters.
std::string path_of(const Route& route, const PathParameters& parameters) {
  std::string path = "/0.1" + route.path;
  for (const auto& [name, value] : parameters) {
    const std::string placeholder = "<" + name + ">";
    path.replace(path.find(placeholder), placeholder.size(), escaped(value));
  }
  return path;
}

void check_parameters(const Route& route, const PathParameters& parameters) {
  require(static_cast<std::size_t>(std::count(route.path.begin(), route.path.end(), '<')) == parameters.size());
  for (const auto& [name, value] : parameters) {
    require(!value.empty() && is_utf8(value) && value.find('/') == std::string::npos);
    if (name.ends_with("_uuid"))
      require(is_uuid(value) &&
              std::none_of(value.begin(), value.end(), [](unsigned char c) { return std::isupper(c); }));
  }
}

void check(const Router& router, std::string_view method, std::string_view path) {
  const Router::Match match = router.match(method, path);
  if (match.redirect_to) {
    require(match.allowed.empty() && !match.route);
    require(match.redirect_to->find("//") == std::string::npos && match.redirect_to->starts_with("/0.1/"));
    const Router::Match target = router.match(method, *match.redirect_to);
    require(!target.allowed.empty() && !target.redirect_to);
  }
  if (match.allowed.empty()) return require(!match.route);
  const auto allowed = [&](std::string_view wanted) {
    return std::find(match.allowed.begin(), match.allowed.end(), wanted) != match.allowed.end();
  };
  require(allowed("OPTIONS") && allowed("HEAD") >= allowed("GET"));
  if (!match.route) return require(method == "OPTIONS" || !allowed(method));
  require(allowed(method));
  check_parameters(*match.route, match.parameters);
  const Router::Match again = router.match(method, path_of(*match.route, match.parameters));
  require(again.route == match.route && again.parameters == match.parameters);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Router router = make_router();
  if (size == 0) return 0;
  constexpr std::string_view methods[] = {"GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "get", ""};
  const std::string_view method = methods[data[0] % 8];
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  check(router, method, input);
  check(router, method, "/0.1" + input);
  check(router, method, "/0.1/users/6FA459EA-ee8a-4ca4-894e-db77e160355e" + input);
  check(router, method, "/0.1/policies/" + input);
  check(router, method, "/0.1/users/me/tokens/" + input);
  return 0;
}

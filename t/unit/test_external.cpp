// The address where a person is asked, forms, what comes back, and services as the configuration declares them.
#include <set>
#include <string>

#include "check.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/config/defaults.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/outgoing/form_post.h"

// After the others: its macros have names of theirs.
using namespace wazoauth;

namespace {

using check::equal;

void forms(void**) {
  equal(form_encoded({}), "");
  equal(form_encoded({{"a", "b c"}, {"d&e", "=é"}, {"f", ""}}), "a=b+c&d%26e=%3D%C3%A9&f=");
  equal(form_encoded({{"", std::string("\0~-._", 5)}}), "=%00~-._");
}

OAuth2Service service(const std::string& base, const std::string& broker) {
  return {"x", base, "https://a/token", "https://b/back", broker, {}, {{"prompt", "consent"}}};
}

void addresses(void**) {
  const Json scope = Json::strings({"one", "two"});
  const OAuth2Service through = service("https://a/auth", "wss://broker");
  auto asked = external::new_authorization(through, "user", "tenant", scope);
  assert_false(asked.verifier.has_value());
  equal(*asked.websocket, "wss://broker/ws/" + asked.state);
  equal(external::consent_address(through, {"me", "secret"}, asked),
        "https://a/auth?response_type=code&client_id=me&redirect_uri=https%3A%2F%2Fb%2Fback&scope=one+two&state=" +
            asked.state + "&prompt=consent");
  const OAuth2Service own = service("https://a/auth?x=1", "");
  asked = external::new_authorization(own, "user", "tenant", scope);
  assert_false(asked.websocket.has_value());
  assert_int_equal(asked.verifier->size(), 64);
  // RFC 7636, appendix B.
  asked.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string address = external::consent_address(own, {"me", "secret"}, asked);
  assert_true(address.starts_with("https://a/auth?x=1&response_type=code&"));
  assert_true(address.ends_with(
      "&prompt=consent&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"));
}

void states(void**) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i)
    seen.insert(external::new_authorization(service("https://a", ""), "u", "t", Json::array()).state);
  assert_int_equal(seen.size(), 100);
}

Json granted(const std::string& more, const std::string& old_token = "") {
  return external::granted({200, R"({"access_token": "a")" + more + "}"}, old_token, Json::strings({"asked"}));
}

void answers(void**) {
  equal(granted(R"(, "refresh_token": "new")", "old").text_or("refresh_token", ""), "new");
  for (const char* more : {"", R"(, "refresh_token": null)", R"(, "refresh_token": "")"})
    equal(granted(more, "old").text_or("refresh_token", ""), "old");
  const std::pair<const char*, std::int64_t> lifetimes[] = {
      {"5", 5},      {"5.9", 5},   {"\"7\"", 7}, {"null", 3600},
      {"[]", 3600},  {"\"x\"", 0}, {"-1", 0},    {"1e400", 10LL * 366 * 86400},
      {"\"nan\"", 0}};
  for (const auto& [text, seconds] : lifetimes) {
    const std::int64_t before = unix_seconds();
    const std::int64_t end =
        granted(std::string(R"(, "expires_in": )") + text, "old").get("token_expiration").integer();
    assert_in_range(end - before, seconds, seconds + 5);
  }
  const std::pair<const char*, const char*> scopes[] = {{"null", R"(["asked"])"},     {"\"\"", R"(["asked"])"},
                                                        {"7", R"(["asked"])"},        {R"("b  c ")", R"(["b", "c"])"},
                                                        {R"(["d e"])", R"(["d e"])"}, {R"(" ")", "[]"}};
  for (const auto& [text, list] : scopes)
    equal(granted(std::string(R"(, "scope": )") + text, "old").get("scope").dump(), list);
}

bool is_final(long status, const std::string& body) {
  try {
    external::granted({status, body}, "old", Json::array());
  } catch (const external::ProviderError& e) {
    assert_true(std::string(e.what()).find("secret") == std::string::npos);
    return e.for_good;
  }
  check::failed("no exception");
  return false;
}

void refusals(void**) {
  assert_true(is_final(400, R"({"error": "invalid_grant", "error_description": "secret"})"));
  assert_true(is_final(401, R"({"error": "consent_required"})"));
  assert_false(is_final(400, R"({"error": "Secret secret"})"));
  assert_false(is_final(400, "secret"));
  assert_false(is_final(500, R"({"error": "invalid_grant"})"));
  assert_false(is_final(200, R"({"error": "invalid_grant"})"));
  assert_false(is_final(302, R"({"access_token": "secret", "refresh_token": "secret"})"));
}

bool is_answer(const std::string& message) {
  try {
    return external::parse_answer(message, "mine").is_object();
  } catch (const std::runtime_error&) {
    return false;
  }
}

void messages(void**) {
  assert_true(is_answer("{}") && is_answer(R"({"code": "x"})") && is_answer(R"({"state": "mine"})"));
  for (const char* message : {"", "[]", "x", "\xff", R"({"state": "another"})", R"({"state": null})"})
    assert_false(is_answer(message));
}

void declared(void**) {
  Json tree = default_config();
  const Json oauth2 = Json::object({{"authorization_base_url", "https://a/"},
                                    {"token_url", "https://a/token"},
                                    {"redirect_uri", "https://b/"},
                                    {"websocket_host", "wss://c//"},
                                    {"scope", "one"}});
  const Json number = Json::object({{"type", "integer"}, {"minimum", 3}, {"required", true}});
  tree.set("external_auth_types", Json::object({{"zoho", Json::object({{"oauth2", oauth2}})},
                                                {"badge", Json::object({{"data", Json::object({{"number", number}})}})},
                                                {"off", Json::object()}}));
  tree.set("enabled_external_auth_plugins", Json::object({{"mobile", true}, {"off", false}}));
  std::vector<std::string> warnings;
  const Settings made = make_settings(tree, "uuid", warnings);
  assert_int_equal(made.external.types.size(), 3);
  assert_int_equal(made.external.oauth2_services.size(), 1);
  equal(made.external.oauth2_services[0].websocket_host, "wss://c");
  equal(made.external.oauth2_services[0].scope.at(0), "one");
  assert_int_equal(made.external.stored_services.size(), 1);
  const Field& field = made.external.stored_services[0].data->fields.at(0);
  assert_true(field.type == Type::integer && field.required && *field.minimum == 3);
  assert_true(made.http_plugin("external.zoho") && made.http_plugin("external.badge"));
  assert_false(made.http_plugin("external.off") || made.http_plugin("external.google"));
}

// What of a service's settings can't be used: the error's text, "" for none.
std::string refusal_of(const char* key, const Json& value) {
  Json tree = default_config(), service = Json::object({{"authorization_base_url", "https://a/"},
                                                        {"token_url", "https://a/token"},
                                                        {"redirect_uri", "https://b/"}});
  service.set(key, value);
  tree.set("external_auth_types", Json::object({{"x", Json::object({{"oauth2", service}})}}));
  std::vector<std::string> warnings;
  try {
    make_settings(tree, "uuid", warnings);
    return "";
  } catch (const std::runtime_error& e) {
    return e.what();
  }
}

void urls(void**) {
  for (const char* url : {"https://a.example", "HTTPS://A.Example:8443/t%20x?x=%2f&y", "https://[2001:db8::1]:1/",
                          "https://xn--mnchen-3ya.example/", "https://a_b.example.:/", "https://192.0.2.1?x",
                          "https://a/?", "https://a/;p=1/~'()*!$,:@"}) {
    for (const char* key : {"authorization_base_url", "token_url", "redirect_uri"})
      equal(refusal_of(key, url), "", url);
  }
  const std::pair<const char*, const char*> wrong[] = {
      {"a.example", "must begin with https://"},
      {"http://a.example", "must begin with https://"},
      {"https://", "it names no host"},
      {"https:///x", "it names no host"},
      {"https://a..example/", "it names no host"},
      {"https://a%2Fb/", "it names no host"},
      {"https://a\\@b/", "user and no password"},
      {"https://me@a.example/", "user and no password"},
      {"https://me:secret@a.example/", "user and no password"},
      {"https://a.example:0/", "the port must be"},
      {"https://a.example:65536/", "the port must be"},
      {"https://a.example:http/", "the port must be"},
      {"https://[::1/", "isn't closed"},
      {"https://[1.2.3.4]/", "must be an IPv6 address"},
      {"https://2001:db8::1/", "must stand in brackets"},
      {"https://a.example/#top", "a # can't stand in it"},
      {"https://a.example/%zz", "a percent sign must be followed"},
      {"https://a.example/a b", "blanks and control characters"},
      {"https://m\xc3\xbcnchen.example/", "in ASCII: a host's name with xn--"},
      {"https://a.example/\xc3\xbc", "in ASCII: a host's name with xn--"},
  };
  for (const auto& [url, says] : wrong) {
    for (const char* key : {"authorization_base_url", "token_url", "redirect_uri"}) {
      const std::string why = refusal_of(key, url);
      check::that(why.find(says) != std::string::npos, std::string(url) + ": " + why);
      check::that(why.find(key) != std::string::npos, why);
      check::never(why.find("secret") != std::string::npos, why);
    }
  }
  equal(refusal_of("websocket_host", "wss://a.example:8443/prefix/"), "");
  check::that(refusal_of("websocket_host", "wss://a.example/?x=1").find("can't have a query") != std::string::npos,
              "a broker's address ends with its path");
}

// Nothing is said twice at the page of consent.
void parameters(void**) {
  for (const char* name : {"response_type", "client_id", "client_secret", "redirect_uri", "scope", "state",
                           "code_challenge", "code_challenge_method"}) {
    check::that(refusal_of("authorization_base_url", std::string("https://a/?x=1&") + name + "=y").find(name) !=
                    std::string::npos,
                name);
    check::that(refusal_of("parameters", Json::object({{name, "y"}})).find("nginx fills it in") != std::string::npos,
                name);
  }
  Json tree = default_config();
  tree.set("google", Json::object({{"authorization_base_url", "https://a/auth?prompt=none"},
                                   {"token_url", "https://a/token"},
                                   {"redirect_uri", "https://b/"}}));
  std::vector<std::string> warnings;
  const Settings made = make_settings(tree, "uuid", warnings);
  const OAuth2Service& google = made.external.oauth2_services.at(0);
  equal(google.type, "google");
  assert_int_equal(google.parameters.size(), 1);
  equal(google.parameters.at(0).first, "access_type");
}

void addresses_with_a_query(void**) {
  const std::pair<const char*, const char*> bases[] = {{"https://a/auth", "https://a/auth?response_type"},
                                                       {"https://a", "https://a?response_type"},
                                                       {"https://a/auth?", "https://a/auth?response_type"},
                                                       {"https://a/auth?x", "https://a/auth?x&response_type"},
                                                       {"https://a/auth?x=1&", "https://a/auth?x=1&response_type"}};
  for (const auto& [base, begins] : bases) {
    const OAuth2Service made = service(base, "");
    const auto asked = external::new_authorization(made, "user", "tenant", Json::array());
    const std::string address = external::consent_address(made, {"me", "secret"}, asked);
    check::that(address.starts_with(begins), address);
    check::never(address.find("scope") != std::string::npos, "an empty scope");
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(forms),      cmocka_unit_test(addresses),
                              cmocka_unit_test(states),     cmocka_unit_test(answers),
                              cmocka_unit_test(refusals),   cmocka_unit_test(messages),
                              cmocka_unit_test(declared),   cmocka_unit_test(urls),
                              cmocka_unit_test(parameters), cmocka_unit_test(addresses_with_a_query)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

// The address where a person is asked, forms, and services as the configuration declares them.
#include <set>
#include <string>

#include "wazoauth/config/settings.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/outgoing/form_post.h"

// After the others: its macros have names of theirs.
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
extern "C" {
#include <cmocka.h>
}

using namespace wazoauth;

namespace {

void equal(const std::string& a, const std::string& b) {
  assert_string_equal(a.c_str(), b.c_str());
}

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
  assert_int_equal(made.external_types.size(), 3);
  assert_int_equal(made.oauth2_services.size(), 1);
  equal(made.oauth2_services[0].websocket_host, "wss://c");
  equal(made.oauth2_services[0].scope.at(0), "one");
  assert_int_equal(made.stored_services.size(), 1);
  const Field& field = made.stored_services[0].data->fields.at(0);
  assert_true(field.type == Type::integer && field.required && *field.minimum == 3);
  assert_true(made.http_plugin("external.zoho") && made.http_plugin("external.badge"));
  assert_false(made.http_plugin("external.off") || made.http_plugin("external.google"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(forms), cmocka_unit_test(addresses), cmocka_unit_test(states),
                              cmocka_unit_test(declared)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

// Routing, validation, query parameters: what every operation stands on.

#include "check.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/http/email_address.h"
#include "wazoauth/http/http.h"
#include "wazoauth/http/list_query.h"
#include "wazoauth/http/problem.h"
#include "wazoauth/http/report.h"
#include "wazoauth/http/schema.h"
#include "wazoauth/login/log_in.h"
#include "wazoauth/rest/router.h"

using namespace wazoauth;

namespace {

constexpr const char* uuid = "6FA459EA-ee8a-4ca4-894e-db77e160355e";

Router sample() {
  Router router;
  const auto handler = [](Context&) { return Step(Response()); };
  for (const auto& [method, path] :
       std::vector<std::pair<std::string, std::string>>{{"GET", "/users"},
                                                        {"POST", "/users"},
                                                        {"GET", "/users/<user_uuid>"},
                                                        {"GET", "/users/me/tokens"},
                                                        {"GET", "/policies/<policy_uuid>"},
                                                        {"GET", "/policies/<policy_slug>"},
                                                        {"HEAD", "/status"},
                                                        {"DELETE", "/users/<user_uuid>/tokens/<client_id>"}}) {
    router.add({.method = method, .path = path, .handler = handler});
  }
  return router;
}

std::string matched(const Router& router, const char* method, const std::string& path) {
  const Router::Match match = router.match(method, path);
  return match.route ? match.route->path : "";
}

void routes_by_kind_of_segment(void**) {
  const Router router = sample();
  assert_string_equal(matched(router, "GET", "/0.1/users").c_str(), "/users");
  assert_string_equal(matched(router, "HEAD", "/0.1/users").c_str(), "/users");
  assert_string_equal(matched(router, "GET", "/0.1/users/me/tokens").c_str(), "/users/me/tokens");
  assert_string_equal(matched(router, "GET", std::string("/0.1/policies/") + uuid).c_str(), "/policies/<policy_uuid>");
  assert_string_equal(matched(router, "GET", "/0.1/policies/abc").c_str(), "/policies/<policy_slug>");
  for (const char* path : {"/0.1/users/", "/0.1", "/0.1/", "/users", "/0.1/USERS", "/0.1/users/me", "/0.1/./users",
                           "/0.1/users/../users", "/0.1x/users"})
    check::that(router.match("GET", path).allowed.empty(), path);
}

void parameters_are_decoded(void**) {
  const Router router = sample();
  const Router::Match match = router.match("DELETE", std::string("/0.1/users/") + uuid + "/tokens/a%20b%2Fc+d");
  assert_non_null(match.route);
  assert_string_equal(match.parameters[0].second.c_str(), "6fa459ea-ee8a-4ca4-894e-db77e160355e");
  assert_string_equal(match.parameters[1].second.c_str(), "a b%2Fc+d");
}

void wrong_methods_and_slashes(void**) {
  const Router router = sample();
  const Router::Match match = router.match("DELETE", "/0.1/users");
  assert_null(match.route);
  assert_int_equal(match.allowed.size(), 4);  // GET POST HEAD OPTIONS
  assert_null(router.match("GET", "/0.1/status").route);
  assert_string_equal(router.match("GET", "/0.1//users").redirect_to->c_str(), "/0.1/users");
  assert_false(router.match("GET", "/0.1//nothing").redirect_to.has_value());
}

void query_parameters_are_forms(void**) {
  assert_string_equal(query_parameter("a=1&b=x+y%2Fz&b=2", "b")->c_str(), "x y/z");
  assert_string_equal(query_parameter("scope", "scope")->c_str(), "");
  assert_false(query_parameter("scopes=1", "scope").has_value());
  assert_int_equal(query_parameters("u=1&u=2&v=3", "u").size(), 2);
}

Json errors_of(const Schema& schema, const char* text) {
  return validate(schema, Json::parse(text).value()).errors;
}

Schema user_like() {
  Schema schema;
  schema.fields = {{.name = "name", .required = true, .min_length = 1, .max_length = 3},
                   {.name = "kind", .fallback = Json("user"), .choices = {"user", "internal"}},
                   {.name = "count", .type = Type::integer, .minimum = 1, .maximum = 10},
                   {.name = "on", .type = Type::boolean, .nullable = true},
                   {.name = "slug", .nullable = true, .pattern = "^[a-zA-Z0-9_-]+$"}};
  return schema;
}

bool prefers_html(const char* accept) {
  Request request;
  request.headers.emplace_back("accept", accept);
  return request.prefers_html();
}

void browsers_get_pages(void**) {
  for (const char* accept :
       {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html", "TEXT/HTML ; Q=0.2 ; x=y",
        "text/html, */*;q=0.01", "text/html;level=1, application/json;q=.9",
        "text/html;q=0.3, application/*;q=0.2, */*", "text/html;q=0.001, application/json;q=0"})
    check::that(prefers_html(accept), accept);
  for (const char* accept :
       {"", "*/*", "application/json", "application/json, text/plain, */*", "text/html, application/json",
        "text/html, */*", "text/html;q=0", "text/html;q=0.5, */*;q=0.6", "text/*", "text/htmlx", ";,;,", "q=1",
        "application/json, text/html;q=1", "text/html;q=0.9, application/json;q=99"})
    check::never(prefers_html(accept), accept);
  assert_false(Request().prefers_html());
}

void values_are_converted(void**) {
  const Validated valid = validate(user_like(), *Json::parse(R"({"name":"é","count":" +7 ","on":"Yes","x":1})"));
  assert_true(valid.errors.is_null());
  assert_int_equal(valid.value.get("count").integer(), 7);
  assert_true(valid.value.get("on").boolean());
  assert_string_equal(valid.value.text_or("kind", "").c_str(), "user");
  assert_false(valid.value.has("x"));
}

void errors_have_the_documented_shape(void**) {
  const Json errors = errors_of(user_like(), R"({"name":"abcd","kind":"x","count":true,"on":null,"slug":"a b"})");
  assert_string_equal(errors.get("name").at(0).text_or("message", "").c_str(), "Length must be between 1 and 3.");
  assert_string_equal(errors.get("kind").at(0).text_or("message", "").c_str(), "Must be one of: user, internal.");
  assert_string_equal(errors.get("count").text_or("constraint", "").c_str(), "integer");
  assert_string_equal(errors.get("slug").at(0).text_or("constraint_id", "").c_str(), "regex");
  assert_false(errors.has("on"));
  const Json missing = errors_of(user_like(), "{}");
  assert_string_equal(missing.get("name").text_or("constraint_id", "").c_str(), "required");
  assert_string_equal(errors_of(user_like(), "[1]").get("_schema").at(0).dump().c_str(), "\"Invalid input type.\"");
}

void nul_is_no_text(void**) {
  assert_string_equal(errors_of(user_like(), R"({"name":"a\u0000"})").get("name").text_or("constraint_id", "").c_str(),
                      "type");
}

int status_of(Report how, const Json& errors, Json* body) {
  try {
    report(how, errors, "users");
  } catch (const Problem& problem) {
    *body = problem.body();
    return problem.status();
  }
  return 0;
}

void first_error_is_reported(void**) {
  Json body;
  const Json errors = errors_of(user_like(), R"({"name":"abcd","kind":"x"})");
  assert_int_equal(status_of(Report::first, errors, &body), 400);
  assert_string_equal(body.text_or("message", "").c_str(), "Length must be between 1 and 3.");
  assert_string_equal(body.get("details").get("name").text_or("constraint_id", "").c_str(), "length");
  assert_false(body.get("details").has("kind"));
}

void python_shows_it_like_this(void**) {
  const Json value = *Json::parse(R"({"a":[null,true,"it's"],"0":1,"b":{"c":"d"}})");
  assert_string_equal(python_literal(value).c_str(), R"({'a': [None, True, "it's"], 0: 1, 'b': {'c': 'd'}})");
}

void emails(void**) {
  for (const char* good : {"X@localhost", "a@[127.0.0.1]", "é@b.com", "a@é.com", "\"q\"@b.com", "a.b+c@x-y.org"})
    check::that(is_email(good), good);
  for (const char* bad : {"x", "x@y", "x@y.z", " a@b.com", "\"q q\"@b.com", "a..b@c.de", "@b.com", "a@b..com", ""})
    check::never(is_email(bad), bad);
}

void uuids(void**) {
  assert_string_equal(canonical_uuid("{6FA459EAee8a4ca4894edb77e160355e}")->c_str(),
                      "6fa459ea-ee8a-4ca4-894e-db77e160355e");
  assert_string_equal(canonical_uuid("urn:uuid:6fa459ea-ee8a-4ca4-894e-db77e160355e")->c_str(),
                      "6fa459ea-ee8a-4ca4-894e-db77e160355e");
  assert_false(canonical_uuid("6fa459ea").has_value());
}

Request with_query(const char* query) {
  Request request;
  request.query = query;
  return request;
}

void list_parameters(void**) {
  const ListSpec spec{.sort_columns = {"name"}, .default_order = "name", .unsortable = {"slug"}};
  const ListQuery query =
      parse_list(with_query("direction=desc&limit=5&offset=2&search=a+%25b&recurse=true"), spec, list_schema(spec));
  assert_string_equal(query.order.c_str(), "name");
  assert_true(query.descending && query.recurse);
  assert_int_equal(*query.limit, 5);
  assert_string_equal(query.search_pattern->c_str(), "%a%%b%");
  for (const char* bad : {"order=", "order=slug", "direction=DESC", "limit=-1", "offset=x", "recurse="}) {
    int status = 0;
    try {
      parse_list(with_query(bad), spec, list_schema(spec));
    } catch (const Problem& problem) {
      status = problem.status();
    }
    assert_int_equal(status, 400);
  }
}

void logins_are_read_in_any_encoding(void**) {
  const auto login = [](const char* header) {
    const auto credentials = basic_credentials(header);
    return credentials ? credentials->login : "";
  };
  assert_string_equal(login("Basic w6k6eA==").c_str(), "\xc3\xa9");
  assert_string_equal(login("Basic 6Tp4").c_str(), "\xc3\xa9");
  assert_string_equal(login("Bearer w6k6eA==").c_str(), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(routes_by_kind_of_segment),
      cmocka_unit_test(parameters_are_decoded),
      cmocka_unit_test(wrong_methods_and_slashes),
      cmocka_unit_test(query_parameters_are_forms),
      cmocka_unit_test(browsers_get_pages),
      cmocka_unit_test(values_are_converted),
      cmocka_unit_test(errors_have_the_documented_shape),
      cmocka_unit_test(nul_is_no_text),
      cmocka_unit_test(first_error_is_reported),
      cmocka_unit_test(python_shows_it_like_this),
      cmocka_unit_test(emails),
      cmocka_unit_test(uuids),
      cmocka_unit_test(list_parameters),
      cmocka_unit_test(logins_are_read_in_any_encoding),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

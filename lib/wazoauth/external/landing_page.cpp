#include "wazoauth/external/landing_page.h"

#include "wazoauth/base/log.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/external/waits.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

namespace {

using external::Waits;

Response page(int status, const char* title, const char* text) {
  return web_page({.status = status, .title = title, .texts = {text}});
}

Response failure(int status) {
  return page(status, "Something went wrong",
              "Your account was not connected. Please start again where you came from.");
}

std::optional<Response> problem_page(const Request&, const Problem& problem) {
  if (problem.status() != 503) return failure(problem.status());
  Response response = page(503, "Not available just now", "Please reload this page in a moment.");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

Response wrong_method() {
  Response response = page(405, "Not here", "This page is only for coming back from another service.");
  response.headers.emplace_back("Allow", "GET");
  return response;
}

Response outdated() {
  return page(400, "This link is no longer valid",
              "It works once, and for ten minutes. Please start again where you came from.");
}

Step used(Waits::End end) {
  if (end == Waits::End::stored) return page(200, "Your account is connected", "You may close this window.");
  return failure(end == Waits::End::gone ? 404 : 502);
}

// The authorization is used up when this step ends, whatever comes then. The next one is on the same lane: a browser
// that doesn't wait for it changes nothing.
Step take(Context& context, Waits& waits, const std::string& state, const std::string& code) {
  const Json told = Json::object({{"code", code}});
  const auto authorization = external::take(context.db(), context.settings, state, told, external::Told::by_browser);
  if (!authorization) return outdated();
  if (code.empty()) {
    external::end(context.db(), *authorization);
    log::info(authorization->type + ": the authorization of user " + authorization->user + " was refused");
    return page(403, "Your account was not connected", "The other service reports that access was not granted.");
  }
  return Step::then(Lane::external, [&waits, authorization = *authorization, told](Context&) {
    return used(waits.complete(authorization, told));
  });
}

Step come_back(Context& context, Waits& waits) {
  if (context.request.method != "GET") return wrong_method();
  const auto parameter = [&](std::string_view name) {
    return query_parameter(context.request.query, name).value_or("");
  };
  return Step::then(Lane::external, [&waits, state = parameter("state"), code = parameter("code")](Context& c) {
    return take(c, waits, state, code);
  });
}

}  // namespace

Route landing_page(Waits& waits) {
  return {.method = "GET",
          .path = "wazo_auth_oauth2",
          .handler = [&waits](Context& context) { return come_back(context, waits); },
          .page = problem_page};
}

}  // namespace wazoauth

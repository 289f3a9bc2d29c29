#include "wazoauth/external/landing_page.h"

#include "wazoauth/app.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/log.h"
#include "wazoauth/rest/web_pages.h"

namespace wazoauth {

namespace {

using external::Authorization;

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

Step store(Context& context, const Authorization& authorization, const Json& data) {
  const std::string what = authorization.type + ": the authorization of user " + authorization.user;
  if (!external::store(context.db(), authorization, data)) {
    log::warning(what + " can't be stored any more");
    return failure(404);
  }
  log::info(what + " is stored");
  return page(200, "Your account is connected", "You may close this window.");
}

Step redeem(Context& context, const Authorization& authorization, const external::Client& client,
            const std::string& code) {
  try {
    const OAuth2Service* service = external::oauth2_service(context.settings, authorization.type);
    if (!service) throw std::runtime_error("it isn't configured any more");
    const external::Grant grant{code, authorization.redirect_uri, authorization.verifier};
    const Json data = external::redeem(context.settings, *service, client, grant, authorization.scope);
    return Step::then(Lane::database, [authorization, data](Context& c) { return store(c, authorization, data); });
  } catch (const std::exception& e) {
    log::warning(authorization.type + ": the authorization of user " + authorization.user + " failed: " + e.what());
    return Step::then(Lane::database, [authorization](Context& c) {
      external::end(c.db(), authorization);
      return Step(failure(502));
    });
  }
}

// The authorization is used up when this step ends, whatever comes then.
Step come_back(Context& context) {
  if (context.request.method != "GET") return wrong_method();
  const auto parameter = [&](std::string_view name) {
    return query_parameter(context.request.query, name).value_or("");
  };
  const std::string code = parameter("code");
  const auto authorization = external::take(context.db(), context.settings, parameter("state"),
                                            Json::object({{"code", code}}), external::Told::by_browser);
  if (!authorization) return outdated();
  if (code.empty()) {
    external::end(context.db(), *authorization);
    log::info(authorization->type + ": the authorization of user " + authorization->user + " was refused");
    return page(403, "Your account was not connected", "The other service reports that access was not granted.");
  }
  return Step::then(Lane::database, [authorization = *authorization, code](Context& c) {
    const external::Client client = external::client_of(c.db(), authorization);
    return Step::then(Lane::external, [=](Context& last) { return redeem(last, authorization, client, code); });
  });
}

}  // namespace

const Route& landing_page() {
  static const Route route{.method = "GET", .path = "wazo_auth_oauth2", .handler = come_back, .page = problem_page};
  return route;
}

}  // namespace wazoauth

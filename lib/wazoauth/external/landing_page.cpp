#include "wazoauth/external/landing_page.h"

#include "wazoauth/app.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/log.h"

namespace wazoauth {

namespace {

using external::Authorization;

Response page(int status, std::string_view title, std::string_view text) {
  Response response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::string(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>)") + std::string(title) +
                  R"(</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.125rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 15vh auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
</style>
</head>
<body>
<main>
<h1>)" + std::string(title) +
                  "</h1>\n<p>" + std::string(text) + "</p>\n</main>\n</body>\n</html>\n";
  // The address of this page had a code in it.
  response.headers = {{"Cache-Control", "no-store"},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'"}};
  return response;
}

Response failure(int status) {
  if (status == 503) {
    Response response = page(503, "Not available just now", "Please reload this page in a moment.");
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }
  return page(status, "Something went wrong",
              "Your account was not connected. Please start again where you came from.");
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
    log::warning(what + " can't be stored: there is no such user any more");
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
    return failure(502);
  }
}

// The authorization is used up when this step ends, whatever comes then.
Step come_back(Context& context) {
  if (context.request.method != "GET") return wrong_method();
  const auto parameter = [&](std::string_view name) {
    return query_parameter(context.request.query, name).value_or("");
  };
  const auto authorization = external::take(context.db(), parameter("state"));
  if (!authorization || !authorization->verifier) return outdated();
  const std::string code = parameter("code");
  if (code.empty()) {
    log::info(authorization->type + ": the authorization of user " + authorization->user + " was refused");
    return page(403, "Your account was not connected", "The other service reports that access was not granted.");
  }
  return Step::then(Lane::database, [authorization = *authorization, code](Context& c) {
    const external::Client client = external::client_of(c.db(), authorization);
    return Step::then(Lane::external, [=](Context& last) { return redeem(last, authorization, client, code); });
  });
}

}  // namespace

const WebPage& landing_page() {
  static const WebPage page{{.method = "GET", .path = "wazo_auth_oauth2", .handler = come_back}, failure};
  return page;
}

}  // namespace wazoauth

#include "wazoauth/external/landing_page.h"

#include "wazoauth/base/log.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/external/completion.h"
#include "wazoauth/external/provider.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

namespace {

using external::Completion;

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

Step used(Completion::End end) {
  if (end == Completion::End::stored) return page(200, "Your account is connected", "You may close this window.");
  return failure(end == Completion::End::gone ? 404 : 502);
}

// This step uses the authorization up, whatever follows. The next one is on the same lane, so it runs even when the
// browser doesn't wait for it.
Step claim(Context& context, Completion& completion, const std::string& state, const std::string& code,
           const std::string& error) {
  const Json answer = Json::object({{"code", code}});
  const auto authorization =
      external::claim(context.db(), context.settings, state, answer, external::AnsweredBy::browser);
  if (!authorization) return outdated();
  if (code.empty()) {
    external::end(context.db(), *authorization);
    log::write(error == "access_denied" ? log::Level::info : log::Level::warning,
               authorization->type + ": the authorization of user " + authorization->user +
                   " failed: " + external::refusal(error));
    return page(403, "Your account was not connected", "The other service reports that access was not granted.");
  }
  return Step::then(Lane::external, [&completion, authorization = *authorization, answer](Context&) {
    return used(completion.complete(authorization, answer));
  });
}

Step come_back(Context& context, Completion& completion) {
  if (context.request.method != "GET") return wrong_method();
  const auto parameter = [&](std::string_view name) {
    return query_parameter(context.request.query, name).value_or("");
  };
  return Step::then(Lane::external,
                    [&completion, state = parameter("state"), code = parameter("code"),
                     error = parameter("error")](Context& c) { return claim(c, completion, state, code, error); });
}

}  // namespace

Route landing_page(Completion& completion) {
  return {.method = "GET",
          .path = "wazo_auth_oauth2",
          .handler = [&completion](Context& context) { return come_back(context, completion); },
          .problem_page = problem_page};
}

}  // namespace wazoauth

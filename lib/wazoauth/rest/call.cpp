#include "wazoauth/rest/call.h"

#include <array>

#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/trouble.h"
#include "wazoauth/cache/token_notice.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/cors.h"
#include "wazoauth/rest/router.h"
#include "wazoauth/store/retry_pause.h"

namespace wazoauth {

namespace {

Trouble database_trouble{log::Level::error, "database: it is back"};
Trouble schema_trouble{log::Level::error};

constexpr int most_tries = 10;  // of a transaction that others make fail

Response html(int status, std::string_view body) {
  Response response;
  response.status = status;
  response.content_type = "text/html; charset=utf-8";
  response.body = body;
  return response;
}

Response not_found() {
  return html(404,
              "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"
              "<p>Nothing is served at this address.</p>\n</html>\n");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

Response options_of(const std::vector<std::string>& allowed) {
  Response response = html(200, "");
  response.headers.emplace_back("Allow", joined(allowed));
  return response;
}

Response from_problem(const Problem& problem) {
  Response response = Response::json(problem.body(), problem.status());
  response.headers = problem.headers;
  return response;
}

Response wrong_method(const std::vector<std::string>& allowed) {
  Problem problem = Problem::with_message(405, "The method is not allowed for the requested URL.");
  problem.headers.emplace_back("Allow", joined(allowed));
  return from_problem(problem);
}

Response redirect(const Request& request, const std::string& path) {
  const std::string query = request.query.empty() ? "" : "?" + request.query;
  Response response = html(308,
                           "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n"
                           "<p>Slashes are not repeated in the addresses of this API.</p>\n</html>\n");
  response.headers.emplace_back("Location", request.scheme + "://" + request.host + request.script_name + path + query);
  return response;
}

Problem internal_error() {
  return Problem::with_message(500, "Internal Server Error");
}

}  // namespace

struct Call::State {
  State(const Services& s, Request r, const Router* by, const Route* p)
      : services(s), router(by), request(std::move(r)), fixed_route(p) {
    begin();
  }

  const Services& services;
  const Router* router;  // null: `fixed_route` is the route
  Request request;
  const Route* fixed_route;
  Router::Match match;
  std::unique_ptr<Context> context;
  std::function<Step(Context&)> next;
  std::shared_ptr<PasswordToHash> to_hash;
  Lane lane = Lane::database;
  std::chrono::milliseconds pause{0};
  int failed_tries = 0;  // of the next step
  std::optional<Guess> guess;
  std::optional<Problem> refused;  // a login, with this answer, as soon as that is recorded
  std::optional<Response> response;

  void begin() {
    if (fixed_route) {
      match.route = fixed_route;
    } else {
      find_route();
    }
    if (response) return;
    context = std::make_unique<Context>(services, request, *match.route, match.parameters);
    next = [this](Context& c) {
      c.refuse_locked_address();
      authenticate(c);
      return c.route.handler(c);
    };
  }

  void find_route() {
    match = router->match(request.method, request.path);
    if (match.redirect_to)
      respond(redirect(request, *match.redirect_to));
    else if (match.allowed.empty())
      respond(not_found());
    else if (request.method == "OPTIONS")
      respond(options_of(match.allowed));
    else if (!match.route)
      respond(wrong_method(match.allowed));
  }

  void respond(Response answer) {
    if (!fixed_route) add_cors(services.settings, request, answer);
    response = std::move(answer);
  }

  std::string required_access() const {
    const std::string& wanted = match.route->access;
    if (!match.route->query_access) return acl::fill_template(wanted, match.parameters);
    const auto open = wanted.find('{'), close = wanted.find('}');
    const auto value = query_parameter(request.query, wanted.substr(open + 1, close - open - 1));
    return wanted.substr(0, open) + value.value_or("None") + wanted.substr(close + 1);
  }

  void authenticate(Context& c) {
    if (c.route.access.empty()) return;
    const std::string access = required_access();
    const Context::Admission admission = c.admit(access);
    Json details = Json::object({{"invalid_token", c.token_id()}});
    if (admission == Context::Admission::granted) {
      if (c.route.tenancy == Tenancy::master && c.token().tenant_uuid() != c.master_tenant())
        throw problems::unauthorized(std::move(details));
      return;
    }
    if (c.route.query_access) throw problems::unauthorized(std::move(details));
    if (admission == Context::Admission::insufficient) throw c.lacking(access);
    details.set("reason", "not_found_or_expired").set("required_access", access);
    throw problems::unauthorized(std::move(details));
  }

  Response answer_of(const Problem& problem) const {
    const auto shown = match.route->problem_page ? match.route->problem_page(request, problem) : std::nullopt;
    return shown.value_or(from_problem(problem));
  }

  void fail(const Problem& problem) {
    if (refused)
      respond(answer_of(*refused));  // whether it could be recorded or not
    else if (problem.status() == 401 && context->attempted_login && services.settings.audit)
      record_failed_login(problem);
    else
      respond(answer_of(problem));
  }

  // In a step of its own: the one that failed was undone, and may have run on a lane that has no connection to wait
  // for.
  void record_failed_login(const Problem& problem) {
    refused = problem;
    next = [this](Context& c) {
      c.db().run("audit.failed_login",
                 {c.actor.remote_addr, replace_invalid_utf8(std::string_view(*c.attempted_login).substr(0, 256))});
      return Step(answer_of(*refused));
    };
    lane = Lane::database;
    pause = std::chrono::milliseconds(0);
    failed_tries = 0;
  }

  // Runs the next step in a unit of work of its own. False: others made its transaction fail.
  bool attempt() {
    context->unit = std::make_unique<UnitOfWork>(services.database, match.route->mode, &context->actor);
    try {
      Step step = next(*context);
      if (context->unit->started()) {
        forget(context->unit->commit());
        database_trouble.over();
      }
      context->unit.reset();
      lane = step.lane;
      pause = step.pause;
      guess = std::move(step.guess);
      to_hash = std::move(step.to_hash);
      next = std::move(step.next);
      if (step.response) respond(std::move(*step.response));
      return true;
    } catch (const SerializationFailure&) {
      context->unit.reset();
      return false;
    }
  }

  // Here at once, before the client has its answer; other nginx hear the notification.
  void forget(const TokenNotice& notice) {
    if (services.zone && !notice.empty()) apply(*services.zone, notice);
  }

  // The step stays the next one. No thread sleeps until then.
  void try_later() {
    if (++failed_tries == most_tries)
      throw Unavailable("others made the transaction fail " + std::to_string(most_tries) + " times");
    pause = retry_pause(failed_tries);
  }

  void hash() {
    if (to_hash->hash.empty()) to_hash->hash = hash_password(to_hash->password, to_hash->salt);
    to_hash.reset();
    lane = Lane::database;
  }

  void run() {
    try {
      if (to_hash)
        hash();
      else if (attempt())
        failed_tries = 0;
      else
        try_later();
    } catch (const Problem& problem) {
      fail(problem);
    } catch (const SchemaLacks& e) {
      // Not an outage, which would be over with the next request.
      schema_trouble.is(match.route->method + " " + match.route->path + ": " + e.what());
      fail(problems::unavailable());
    } catch (const Unavailable& e) {
      database_trouble.is(std::string("database: ") + e.what());
      fail(problems::unavailable());
    } catch (const BadValue&) {
      fail(problems::unreadable_body());
    } catch (const std::exception& e) {
      log::error(match.route->method + " " + match.route->path + ": " + e.what());
      fail(internal_error());
    }
    if (context) context->unit.reset();
  }
};

Call::Call(const Services& services, const Router& router, Request request)
    : state_(std::make_unique<State>(services, std::move(request), &router, nullptr)) {}
Call::Call(const Services& services, const Route& route, Request request)
    : state_(std::make_unique<State>(services, std::move(request), nullptr, &route)) {}
Call::~Call() = default;
const Route* Call::route() const {
  return state_->match.route;
}
Lane Call::lane() const {
  return state_->lane;
}

std::chrono::milliseconds Call::pause() const {
  return state_->pause;
}

bool Call::step() {
  const Lane lane = state_->lane;
  do {
    state_->guess.reset();
    if (!state_->response) state_->run();
  } while (!state_->response && !state_->guess && state_->lane == lane && state_->pause.count() == 0);
  return state_->response.has_value();
}

PasswordToHash* Call::to_hash() const {
  return state_->to_hash.get();
}

Response& Call::response() {
  return *state_->response;
}

const std::optional<Guess>& Call::guess() const {
  return state_->guess;
}

// Only a password makes up for wrong ones: a refresh token may come with the login of somebody else.
Call::Judgement Call::judgement() const {
  if (!state_->context || (!state_->response && !state_->refused)) return Judgement::none;
  if (state_->refused || state_->response->status == 401)
    return state_->context->password_unjudged ? Judgement::none : Judgement::wrong;
  if (state_->context->guess_counts) return Judgement::wrong;
  return state_->context->proved_password ? Judgement::right : Judgement::none;
}

}  // namespace wazoauth

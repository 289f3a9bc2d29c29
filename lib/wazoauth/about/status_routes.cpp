#include "wazoauth/about/status_routes.h"

#include <algorithm>

#include "wazoauth/config/settings.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

namespace {

// Where this handler runs nginx answers, and that is all that the status is about.
Step status(Context&) {
  Response response = Response::json(Json::object());
  response.body.clear();
  return response;
}

Step list_backends(Context& context) {
  std::vector<std::string> names = context.settings.backends;
  std::sort(names.begin(), names.end());
  return Response::json(Json::object({{"data", Json::strings(names)}}));
}

Field component(std::string name, std::vector<Field> sometimes = {}, std::vector<Field> always = {}) {
  always.push_back({.name = "status", .choices = {"ok", "fail"}});
  return object_of(shape("", std::move(always), std::move(sometimes)), std::move(name));
}

Field waiting(std::string name) {
  return object_of(
      shape("", {{.name = "waiting", .type = Type::integer}, {.name = "oldest_seconds", .type = Type::integer}}),
      std::move(name));
}

Field health_answer() {
  return object_of(shape(
      "Health",
      {component("rest_api"), component("database"),
       component("notifications", {{.name = "age_milliseconds", .type = Type::integer}}),
       component("outbox", {waiting("bus"), waiting("redis"), waiting("mail")}), component("redis"),
       component("broker"), component("mail"),
       component("health", {}, {{.name = "state", .choices = {"live", "degraded", "ready"}}, list_of({}, "why")})}));
}

}  // namespace

void add_status_routes(Router& router, std::function<Json()> health) {
  router.add({.method = "GET",
              .path = "/status",
              .plugin = "status",
              .handler = [health = std::move(health)](Context&) -> Step { return Response::json(health()); },
              .mode = Mode::read_only,
              .summary = "Tell how the server is, component by component",
              .answer = health_answer()});
  router.add({.method = "HEAD",
              .path = "/status",
              .plugin = "status",
              .handler = status,
              .mode = Mode::read_only,
              .summary = "Tell whether the server is up",
              .status = 200});
  router.add({.method = "GET",
              .path = "/backends",
              .plugin = "backends",
              .handler = list_backends,
              .mode = Mode::read_only,
              .summary = "List the authentication backends",
              .answer = object_of(shape("Backends", {list_of({}, "data")}))});
}

}  // namespace wazoauth

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

}  // namespace

void add_status_routes(Router& router) {
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

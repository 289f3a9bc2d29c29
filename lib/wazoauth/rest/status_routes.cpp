#include "wazoauth/rest/status_routes.h"

#include <algorithm>

#include "wazoauth/config/settings.h"

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
  router.add({"HEAD", "/status", "", "status", status, Mode::read_only});
  router.add({"GET", "/backends", "", "backends", list_backends, Mode::read_only});
}

}  // namespace wazoauth

#include "wazoauth/about/config_routes.h"

#include "wazoauth/config/shown.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace {

struct Change {
  bool debug;  // else profiling
  bool value;
};

Problem invalid(const std::string& text) {
  return Problem::with_message(400, text);
}

Change read_change(const Json& operation) {
  if (!operation.is_object()) throw invalid("each operation must be an object");
  for (const auto& [key, value] : operation.members()) {
    if (key != "op" && key != "path" && key != "value") throw invalid("\"" + key + "\": unknown key of an operation");
  }
  if (operation.text_or("op", "") != "replace") throw invalid("\"op\" must be \"replace\"");
  const std::string path = operation.text_or("path", "");
  if (path != "/debug" && path != "/profiling_enabled")
    throw invalid("\"path\" must be \"/debug\" or \"/profiling_enabled\"");
  static const Schema value{{{.name = "value", .type = Type::boolean, .required = true}}, {}};
  const Validated valid = validate(value, Json::object({{"value", operation.get("value")}}));
  if (!valid.errors.is_null()) throw invalid("\"value\" must be a boolean");
  return {path == "/debug", valid.value.get("value").boolean()};
}

Step show_config(Context& context, const RuntimeConfig& config) {
  return Response::json(shown_config(context.settings, config.debug(), config.profiling()));
}

Step change_config(Context& context, RuntimeConfig& config) {
  const Json body = context.body();
  if (!body.is_array()) throw invalid("the body must be a list of operations");
  std::vector<Change> changes;  // all are read before the first is made
  for (const Json& operation : body.items()) changes.push_back(read_change(operation));
  for (const Change& change : changes)
    change.debug ? config.set_debug(change.value) : config.set_profiling(change.value);
  return show_config(context, config);
}

}  // namespace

void add_config_routes(Router& router, RuntimeConfig& config) {
  const Field answer{.type = Type::object};
  RouteFamily family(router, {.plugin = "config", .tenancy = Tenancy::master});
  family.add({.method = "GET",
              .path = "/config",
              .access = "auth.config.read",
              .handler = [&config](Context& context) { return show_config(context, config); },
              .mode = Mode::read_only,
              .summary = "Get the configuration; secrets are masked",
              .answer = answer});
  family.add(
      {.method = "PATCH",
       .path = "/config",
       .access = "auth.config.update",
       .handler = [&config](Context& context) { return change_config(context, config); },
       .mode = Mode::read_only,
       .summary = "Change /debug and /profiling_enabled until the next start, by a list of JSON Patch replacements",
       .answer = answer,
       .failures = {{400, ErrorForm::message, "what is wrong with the list"}}});
}

}  // namespace wazoauth

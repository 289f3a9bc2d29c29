#include "wazoauth/about/api_document.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "wazoauth/about/operation_ids.h"
#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/version.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/router.h"

namespace wazoauth {

namespace {

Json of_count(std::size_t count) {
  return Json(static_cast<std::int64_t>(count));
}

// -- shapes

// Schemas that have a name stand once, under "definitions".
class Shapes {
 public:
  Json field(const Field& field) {
    Json shape = of_type(field);
    const bool list = field.type == Type::list;
    if (field.min_length) shape.set(list ? "minItems" : "minLength", of_count(*field.min_length));
    if (field.max_length) shape.set(list ? "maxItems" : "maxLength", of_count(*field.max_length));
    if (field.minimum) shape.set("minimum", *field.minimum);
    if (field.maximum) shape.set("maximum", *field.maximum);
    if (!field.choices.empty()) shape.set("enum", Json::strings(field.choices));
    if (!field.pattern.empty()) shape.set("pattern", field.pattern);
    if (!field.format.empty()) shape.set("format", field.format);
    if (field.nullable && shape.has("$ref"))  // beside which readers see nothing
      shape = Json::object({{"allOf", Json::array({shape})}});
    if (field.nullable) shape.set("x-nullable", true);
    if (field.fallback && !field.fallback->is_null() && !shape.has("$ref")) shape.set("default", *field.fallback);
    return shape;
  }

  Json schema(const Schema& schema) {
    if (schema.name.empty()) return object(schema);
    if (!definitions_.has(schema.name)) {
      definitions_.set(schema.name, Json::object());  // it may hold itself
      definitions_.set(schema.name, object(schema));
    }
    return Json::object({{"$ref", "#/definitions/" + schema.name}});
  }

  const Json& definitions() const { return definitions_; }

 private:
  Json of_type(const Field& field) {
    switch (field.type) {
      case Type::string:
        return Json::object({{"type", "string"}});
      case Type::uuid:
        return Json::object({{"type", "string"}, {"format", "uuid"}});
      case Type::email:
        return Json::object({{"type", "string"}, {"format", "email"}});
      case Type::integer:
        return Json::object({{"type", "integer"}});
      case Type::number:
        return Json::object({{"type", "number"}});
      case Type::boolean:
        return Json::object({{"type", "boolean"}});
      case Type::list:
        return Json::object({{"type", "array"}, {"items", field.item ? this->field(*field.item) : Json::object()}});
      case Type::object:
        return field.fields ? schema(*field.fields) : Json::object({{"type", "object"}});
      case Type::any:
        break;
    }
    return Json::object();
  }

  Json object(const Schema& schema) {
    Json properties = Json::object(), required = Json::array();
    for (const Field& each : schema.fields) {
      properties.set(each.name, field(each));
      if (each.required) required.append(each.name);
    }
    Json shape = Json::object({{"type", "object"}, {"properties", std::move(properties)}});
    if (required.size() > 0) shape.set("required", std::move(required));
    return shape;
  }

  Json definitions_ = Json::object();
};

// -- failures

const char* letter(ErrorForm form) {
  return form == ErrorForm::error_id ? "A" : form == ErrorForm::reason ? "R" : "M";
}

std::shared_ptr<const Schema> form_shape(ErrorForm form) {
  const Field message{.name = "message", .type = Type::any};  // a text, or a map of errors
  const Field details{.name = "details", .type = Type::any}, error_id{.name = "error_id", .type = Type::any};
  const Field timestamp{.name = "timestamp", .type = Type::number};
  if (form == ErrorForm::error_id)
    return shape("Error", {message, error_id, details, timestamp}, {{.name = "resource"}});
  if (form == ErrorForm::message) return shape("Message", {{.name = "message"}});
  return shape("Reason", {list_of({}, "reason"),
                          list_of({.type = Type::number}, "timestamp"),
                          {.name = "status_code", .type = Type::integer}});
}

std::string report_reason(const BodySpec& body) {
  if (body.report == Report::list_parameters || body.report == Report::list_parameter) return "invalid-list-param";
  if (body.report == Report::field) return "Invalid value supplied for field: <field>";
  return body.report == Report::python ? "<map of errors>" : "invalid-data";
}

bool is_reason_form(Report report) {
  return report == Report::field || report == Report::python;
}

// The failures that follow from the rest of a route's declaration, and those that it declares itself.
std::vector<Failure> failures_of(const Route& route) {
  std::vector<Failure> all = {{500, ErrorForm::message, "Internal Server Error"},
                              {503, ErrorForm::error_id, "service-unavailable"},
                              {403, ErrorForm::error_id, "locked-address"}};
  if (!route.access.empty()) {
    all.push_back({400, ErrorForm::error_id, "ambiguous-token"});
    all.push_back({401, ErrorForm::error_id, "unauthorized"});
  }
  if (route.tenancy == Tenancy::scoped) {
    all.push_back({400, ErrorForm::error_id, "ambiguous-tenant"});
    all.push_back({401, ErrorForm::error_id, "unauthorized-tenant"});
  }
  if (route.tenancy == Tenancy::scoped || route.tenancy == Tenancy::caller)
    all.push_back({404, ErrorForm::error_id, "unknown-user"});  // the one who asks, or the one that is named
  if (route.tenancy == Tenancy::master) all.push_back({503, ErrorForm::error_id, "top-tenant-not-initialized"});
  if (route.body || route.method == "PATCH")
    all.push_back(
        {400, ErrorForm::message, "The browser (or proxy) sent a request that this server could not understand."});
  if (route.body && !route.body->any)
    all.push_back({400, is_reason_form(route.body->report) ? ErrorForm::reason : ErrorForm::error_id,
                   report_reason(*route.body)});
  if (route.query) all.push_back({400, ErrorForm::error_id, report_reason(*route.query)});
  if (route.list) {
    all.push_back({400, ErrorForm::error_id, "invalid-list-param"});
    if (!route.list->unsortable.empty()) all.push_back({400, ErrorForm::reason, "Invalid sort column: <column>"});
  }
  all.insert(all.end(), route.failures.begin(), route.failures.end());
  return all;
}

// Swagger 2.0 has one schema a status: where forms differ it is that of any object.
Json failure_response(Shapes& shapes, const std::vector<Failure>& failures) {
  std::set<ErrorForm> forms;
  std::set<std::string> reasons;
  std::string description;
  Json letters = Json::array(), texts = Json::array();
  for (const Failure& failure : failures) {
    if (forms.insert(failure.form).second) letters.append(letter(failure.form));
    if (!reasons.insert(failure.reason).second) continue;
    texts.append(failure.reason);
    description += (description.empty() ? "" : "; ") + failure.reason;
  }
  Json any = Json::array();
  for (const ErrorForm form : forms) any.append(shapes.schema(*form_shape(form)));
  Json response = Json::object({{"description", description}});
  response.set("schema", any.size() == 1 ? any.at(0) : Json::object({{"type", "object"}, {"x-any-of", any}}));
  response.set("x-forms", std::move(letters)).set("x-reasons", std::move(texts));
  return response;
}

// -- operations

Json query_parameter_of(Shapes& shapes, const Field& field) {
  Json parameter = Json::object({{"name", field.name}, {"in", "query"}, {"required", field.required}});
  for (const auto& [key, value] : shapes.field(field).members()) parameter.set(key, value);
  if (field.type == Type::list) parameter.set("collectionFormat", "multi");
  return parameter;
}

Json form_parameter(Shapes& shapes, const Field& field) {
  Json parameter = Json::object({{"name", field.name}, {"in", "formData"}, {"required", field.required}});
  for (const auto& [key, value] : shapes.field(field).members()) parameter.set(key, value);
  return parameter;
}

std::vector<std::string> path_parameters(const std::string& path) {
  std::vector<std::string> names;
  for (auto begin = path.find('<'); begin != std::string::npos; begin = path.find('<', begin + 1))
    names.push_back(path.substr(begin + 1, path.find('>', begin) - begin - 1));
  return names;
}

Json parameters_of(Shapes& shapes, const Route& route) {
  Json parameters = Json::array();
  for (const std::string& name : path_parameters(route.path)) {
    Json parameter = Json::object({{"name", name}, {"in", "path"}, {"required", true}, {"type", "string"}});
    if (name.ends_with("_uuid")) parameter.set("format", "uuid");
    parameters.append(std::move(parameter));
  }
  if (route.tenancy == Tenancy::scoped)
    parameters.append(Json::object({{"name", "Wazo-Tenant"},
                                    {"in", "header"},
                                    {"required", false},
                                    {"type", "string"},
                                    {"description", "The tenant to work in; the caller's own when it is missing"}}));
  for (const Field& field : route.list_schema.fields) parameters.append(query_parameter_of(shapes, field));
  if (route.query) {
    for (const Field& field : route.query->schema.fields) parameters.append(query_parameter_of(shapes, field));
  }
  for (const std::string& name : route.parameters) parameters.append(query_parameter_of(shapes, {.name = name}));
  if (route.body && route.body->form) {
    for (const Field& field : route.body->schema.fields) parameters.append(form_parameter(shapes, field));
    for (const std::string& name : route.body->files)
      parameters.append(
          Json::object({{"name", name}, {"in", "formData"}, {"required", route.method == "POST"}, {"type", "file"}}));
  } else if (route.body) {
    Json shape = route.body->any ? Json::object() : shapes.schema(route.body->schema);
    parameters.append(
        Json::object({{"name", "body"}, {"in", "body"}, {"required", true}, {"schema", std::move(shape)}}));
  }
  if (route.method == "PATCH")
    parameters.append(Json::object({{"name", "body"},
                                    {"in", "body"},
                                    {"required", true},
                                    {"schema", Json::object({{"type", "array"}, {"items", Json::object()}})}}));
  return parameters;
}

Json responses_of(Shapes& shapes, const Route& route) {
  Json responses = Json::object(), success = Json::object({{"description", "Success"}});
  if (route.answer) success.set("schema", shapes.field(*route.answer));
  const int usual = route.answer ? 200 : 204;
  responses.set(std::to_string(route.status ? route.status : usual), std::move(success));
  if ((route.problem_page || route.shows_page) && !responses.has("200"))
    responses.set("200", Json::object({{"description", "A page for people"}}));
  std::map<int, std::vector<Failure>> failures;
  for (const Failure& failure : failures_of(route)) failures[failure.status].push_back(failure);
  for (const auto& [status, each] : failures) responses.set(std::to_string(status), failure_response(shapes, each));
  return responses;
}

// None: JSON, as the document says for all.
Json media_types_of(const Route& route) {
  std::vector<std::string> types;
  if (!route.produces.empty()) types.push_back(route.produces);
  if (route.problem_page) {
    if (route.produces != "text/html") types.emplace_back("text/html");
    types.emplace_back("application/json");
  }
  return Json::strings(types);
}

// Swagger has files in multipart forms only.
Json form_types(const BodySpec& body) {
  Json types = Json::array({Json("multipart/form-data")});
  if (body.files.empty()) types.append("application/x-www-form-urlencoded");
  return types;
}

Json operation_of(Shapes& shapes, const Route& route) {
  Json operation = Json::object({{"summary", route.summary}, {"tags", Json::array({Json(route.plugin)})}});
  const std::string_view id = operation_id(route.method, route.path);
  if (!id.empty()) operation.set("operationId", id);
  if (!route.access.empty()) {
    operation.set("description", "**Required ACL:** `" + route.access + "`");
    operation.set("x-access", route.access);
    operation.set("security", Json::array({Json::object({{"token", Json::array()}})}));
  }
  Json produces = media_types_of(route);
  if (produces.size() > 0) operation.set("produces", std::move(produces));
  if (route.problem_page && route.body)
    operation.set("consumes", Json::strings({"application/json", "application/x-www-form-urlencoded"}));
  if (route.body && route.body->form) operation.set("consumes", form_types(*route.body));
  Json parameters = parameters_of(shapes, route);
  if (parameters.size() > 0) operation.set("parameters", std::move(parameters));
  operation.set("responses", responses_of(shapes, route));
  return operation;
}

// Swagger knows no two paths of one shape: where a policy is named by uuid or by slug one path says both.
constexpr std::string_view either = "policy_uuid_or_slug";

Route as_shown(Route route) {
  for (std::string* text : {&route.path, &route.access}) {
    replace_all(*text, "policy_uuid", either);
    replace_all(*text, "policy_slug", either);
  }
  return route;
}

std::string path_of(const Route& route) {
  std::string path = route.path;
  std::replace(path.begin(), path.end(), '<', '{');
  std::replace(path.begin(), path.end(), '>', '}');
  return path;
}

// -- YAML

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.members()) {
      out << YAML::Key << YAML::DoubleQuoted << key << YAML::Value;
      emit(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << (value.size() == 0 ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const Json& item : value.items()) emit(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << YAML::DoubleQuoted << std::string(value.text());
  } else {
    out << value.dump();
  }
}

Step show_document(const Context& context, const Router& documented) {
  const Request& request = context.request;
  const std::string scheme = request.script_name.empty() ? request.scheme : "https";
  Response response;
  response.content_type = "application/x-yaml";
  response.body = to_yaml(api_document(documented, request.script_name + "/0.1", scheme));
  return response;
}

}  // namespace

Json api_document(const Router& router, const std::string& base_path, const std::string& scheme) {
  Shapes shapes;
  std::map<std::string, Json> paths;
  for (const Route& declared : router.routes()) {
    const Route route = as_shown(declared);
    Json& path = paths.try_emplace(path_of(route), Json::object()).first->second;
    const std::string method = ascii::lower(route.method);
    if (!path.has(method)) path.set(method, operation_of(shapes, route));
  }
  Json all = Json::object();
  for (auto& [path, operations] : paths) all.set(path, std::move(operations));
  return Json::object(
      {{"swagger", "2.0"},
       {"info", Json::object({{"title", "wazo-auth"},
                              {"description", "Tokens, users, groups, policies and tenants"},
                              {"version", "0.1"},  // of the API, which is the daemon's
                              {"x-wazo-auth-nginx-version", version},
                              {"contact", Json::object({{"name", "Wazo Dev Team"},
                                                        {"email", "dev@wazo.community"},
                                                        {"url", "https://wazo-platform.org/"}})}})},
       {"x-xivo-name", "auth"},
       {"x-xivo-port", 9497},
       {"schemes", Json::array({Json(scheme)})},
       {"basePath", base_path},
       {"consumes", Json::array({Json("application/json")})},
       {"produces", Json::array({Json("application/json")})},
       {"securityDefinitions",
        Json::object({{"token", Json::object({{"type", "apiKey"}, {"name", "X-Auth-Token"}, {"in", "header"}})}})},
       {"paths", std::move(all)},
       {"definitions", shapes.definitions()}});
}

std::string to_yaml(const Json& value) {
  YAML::Emitter out;
  out.SetOutputCharset(YAML::EscapeNonAscii);
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

void add_api_document_route(Router& router, const Router& documented) {
  router.add({.method = "GET",
              .path = "/api/api.yml",
              .plugin = "api",
              .handler = [&documented](const Context& context) { return show_document(context, documented); },
              .mode = Mode::read_only,
              .summary = "Get this document",
              .status = 200,
              .produces = "application/x-yaml"});
}

}  // namespace wazoauth

#include "wazoauth/user/user_body.h"

#include "wazoauth/session/session_rules.h"
#include "wazoauth/user/new_user.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

std::vector<Field> user_fields() {
  return {{.name = "username", .nullable = true, .fallback = Json(), .min_length = 1, .max_length = 256},
          {.name = "firstname", .nullable = true, .fallback = Json()},
          {.name = "lastname", .nullable = true, .fallback = Json()},
          {.name = "purpose", .fallback = Json("user"), .choices = {"user", "internal", "external_api"}},
          {.name = "authentication_method"},
          {.name = "enabled", .type = Type::boolean, .fallback = Json(true)}};
}

void default_authentication_method(Json& body) {
  if (body.has("authentication_method")) return;
  const std::string purpose = body.text_or("purpose", "user");
  body.set("authentication_method", purpose == "internal" || purpose == "external_api" ? "native" : "default");
}

void require_authentication_method(const Settings& settings, const Json& body) {
  const std::string method(body.get("authentication_method").text());
  if (!is_authentication_method(settings, method))
    throw problems::invalid_data("Invalid authentication method " + method,
                                 Json::object({{"authentication_method", method}}), "users");
}

void change_user(UnitOfWork& unit, const std::string& uuid, const Json& body, const std::string& tenant) {
  lock_logins(unit, {body.get("username")});
  refuse_taken_login(unit, body.get("username"), "username", uuid);
  const bool enabled = body.get("enabled").boolean();
  try {
    unit.run("users.update",
             {uuid, text_of(body.get("username")), text_of(body.get("firstname")), text_of(body.get("lastname")),
              body.get("purpose").text(), enabled, body.get("authentication_method").text()});
  } catch (const ConstraintViolation& e) {
    throw user_problem(e, body, tenant);
  }
  if (!enabled) delete_sessions_of_user(unit, uuid);
}

}  // namespace wazoauth

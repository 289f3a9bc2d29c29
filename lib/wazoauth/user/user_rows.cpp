#include "wazoauth/user/user_rows.h"

#include <algorithm>

#include "wazoauth/rest/list_statement.h"

namespace wazoauth {

const std::shared_ptr<const Schema>& email_shape() {
  static const auto email = shape("Email", {{.name = "uuid", .type = Type::uuid},
                                            {.name = "address"},
                                            {.name = "main", .type = Type::boolean},
                                            {.name = "confirmed", .type = Type::boolean, .nullable = true}});
  return email;
}

const std::shared_ptr<const Schema>& user_shape() {
  static const auto user = shape("User", {{.name = "username", .nullable = true},
                                          {.name = "uuid", .type = Type::uuid},
                                          {.name = "enabled", .type = Type::boolean},
                                          list_of(object_of(email_shape()), "emails"),
                                          {.name = "firstname", .nullable = true},
                                          {.name = "lastname", .nullable = true},
                                          {.name = "purpose", .choices = {"user", "internal", "external_api"}},
                                          {.name = "tenant_uuid", .type = Type::uuid},
                                          {.name = "authentication_method"}});
  return user;
}

const std::vector<std::string>& user_columns() {
  static const std::vector<std::string> columns = {"uuid",    "username",      "firstname", "lastname",
                                                   "purpose", "email_address", "group_uuid"};
  return columns;
}

Rows visible_user(UnitOfWork& unit, const std::string& uuid, const std::string& tenant) {
  Rows rows = unit.run("users.visible", {uuid, tenant});
  if (rows.empty()) throw problems::unknown("user", uuid);
  return rows;
}

Response list_of_users(Context& context, const ListQuery& query, const UserFilter& filter) {
  ListStatement statement("users", "u", "u.tenant_uuid", query);
  statement.of_tenant(context, filter.tenant, filter.recurse);
  if (filter.member_of) statement.scoped("users.of_group", *filter.member_of);
  statement.filtered_by_columns(context, {"policy_uuid", "policy_slug", "has_policy_uuid", "has_policy_slug"});
  return statement.answer(context, *user_shape());
}

void lock_logins(UnitOfWork& unit, const std::vector<std::string>& logins) {
  if (!logins.empty()) unit.run("users.lock_logins", {Param(logins)});
}

void lock_logins(UnitOfWork& unit, std::initializer_list<Json> logins) {
  std::vector<std::string> texts;
  for (const Json& login : logins) {
    if (login.is_string()) texts.emplace_back(login.text());
  }
  lock_logins(unit, texts);
}

Problem login_taken(std::string_view column, std::string_view login) {
  return problems::conflict("users", column, "The login \"" + std::string(login) + "\" is already used");
}

void refuse_taken_logins(UnitOfWork& unit, const std::vector<std::string>& logins, std::string_view column,
                         const std::optional<std::string>& user_uuid) {
  if (logins.empty()) return;
  const Rows taken = unit.run("users.first_taken_login", {Param(logins), user_uuid});
  if (!taken.empty()) throw login_taken(column, taken.text(0, "login"));
}

void refuse_taken_login(UnitOfWork& unit, const Json& login, std::string_view column,
                        const std::optional<std::string>& user_uuid) {
  if (login.is_string()) refuse_taken_logins(unit, {std::string(login.text())}, column, user_uuid);
}

}  // namespace wazoauth

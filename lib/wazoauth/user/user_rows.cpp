#include "wazoauth/user/user_rows.h"

#include <algorithm>

#include "wazoauth/rest/page.h"

namespace wazoauth {

Json user_json(const Rows& rows, std::size_t row) {
  return Json::object({{"username", rows.optional_text(row, "username")},
                       {"uuid", rows.text(row, "uuid")},
                       {"enabled", rows.boolean(row, "enabled")},
                       {"emails", rows.json(row, "emails")},
                       {"firstname", rows.optional_text(row, "firstname")},
                       {"lastname", rows.optional_text(row, "lastname")},
                       {"purpose", rows.text(row, "purpose")},
                       {"tenant_uuid", rows.text(row, "tenant_uuid")},
                       {"authentication_method", rows.text(row, "authentication_method")}});
}

Rows visible_user(UnitOfWork& unit, const std::string& uuid, const std::string& tenant) {
  Rows rows = unit.run("users.visible", {uuid, tenant});
  if (rows.empty()) throw problems::unknown("user", uuid);
  return rows;
}

Rows page_of_users(Context& context, const ListQuery& query, const UserFilter& filter) {
  const Request& request = context.request;
  const bool of_tenant = !filter.member_of;
  const auto about_policies = [&](std::string_view name) {
    return of_tenant ? filter_unless_empty(request, name) : std::nullopt;
  };
  const std::vector<Param> params = {filter.tenant,
                                     filter.recurse,
                                     query.search_pattern,
                                     filter_of(request, "uuid"),
                                     filter_of(request, "username"),
                                     filter_of(request, "firstname"),
                                     filter_of(request, "lastname"),
                                     filter_of(request, "purpose"),
                                     filter_of(request, "email_address"),
                                     of_tenant ? filter_of(request, "group_uuid") : std::nullopt,
                                     query.limit,
                                     query.offset,
                                     filter.member_of,
                                     about_policies("policy_uuid"),
                                     about_policies("policy_slug"),
                                     about_policies("has_policy_uuid"),
                                     about_policies("has_policy_slug")};
  return context.db().run("users.page", params, sort_variants(query));
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

bool is_authentication_method(const Settings& settings, std::string_view method) {
  return method == "native" || method == "default" ||
         std::find(settings.idps.begin(), settings.idps.end(), method) != settings.idps.end();
}

std::optional<std::string> text_of(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return std::string(value.text());
}

}  // namespace wazoauth

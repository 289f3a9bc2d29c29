// Users as rows and as objects of the API.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/config/settings.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

// Of rows of users.page and users.visible.
const std::shared_ptr<const Schema>& user_shape();
const std::shared_ptr<const Schema>& email_shape();

// The user, if its tenant is `tenant` or below it; else 404.
Rows visible_user(UnitOfWork& unit, const std::string& uuid, const std::string& tenant);

// The scope of a list of users. `tenant` is mandatory: no list has the users of all tenants.
struct UserFilter {
  std::string tenant;
  bool recurse = false;
  std::optional<std::string> member_of;  // a group: the list is of its members
};
// The answer to a list of users. The query's parameters are taken from the request; those about policies only for the
// list of a tenant.
Response list_of_users(Context& context, const ListQuery& query, const UserFilter& filter);

// Takes the locks of logins that this transaction is about to write; once in a transaction. Nulls are skipped.
void lock_logins(UnitOfWork& unit, const std::vector<std::string>& logins);
void lock_logins(UnitOfWork& unit, std::initializer_list<Json> logins);

// Throws 409 for the first that another user than `user_uuid` has as username or address. `column`: the one that it
// would become. A null login is free.
void refuse_taken_logins(UnitOfWork& unit, const std::vector<std::string>& logins, std::string_view column,
                         const std::optional<std::string>& user_uuid);
void refuse_taken_login(UnitOfWork& unit, const Json& login, std::string_view column,
                        const std::optional<std::string>& user_uuid);
Problem login_taken(std::string_view column, std::string_view login);

// Filters of a list of users by exact text.
const std::vector<std::string>& user_columns();

}  // namespace wazoauth

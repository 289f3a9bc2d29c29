// The list of a user's e-mail addresses: docs/spec/endpoints.md section 8.
#include <algorithm>
#include <map>
#include <set>

#include "wazoauth/rest/failures.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_emails.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

std::size_t main_ones(const std::vector<Json>& emails) {
  return static_cast<std::size_t>(
      std::count_if(emails.begin(), emails.end(), [](const Json& email) { return email.get("main").boolean(); }));
}

std::optional<std::string> several_main(const Json& body) {
  if (main_ones(body.get("emails").items()) <= 1) return std::nullopt;
  return "Only one address should be main";
}

std::optional<std::string> no_main(const Json& body) {
  const std::vector<Json>& emails = body.get("emails").items();
  if (emails.empty() || main_ones(emails) > 0) return std::nullopt;
  return "At least one address should be main";
}

std::optional<std::string> repeated(const Json& body) {
  std::set<std::string> seen;
  for (const Json& email : body.get("emails").items()) {
    if (!seen.emplace(email.get("address").text()).second) return "The same address can only be used once";
  }
  return std::nullopt;
}

std::vector<std::string> addresses_of(const Json& emails) {
  std::vector<std::string> addresses;
  for (const Json& email : emails.items()) addresses.emplace_back(email.get("address").text());
  return addresses;
}

// Addresses that stay keep their uuid. What goes makes room first: it may be the case of an address only that changes.
// Returns the addresses that are new.
std::set<std::string> write(UnitOfWork& unit, const std::string& user_uuid, const Json& emails) {
  const std::string wanted = emails.dump();
  unit.run("emails.drop_others", {user_uuid, Param(addresses_of(emails))});
  unit.run("emails.keep", {user_uuid, wanted});
  try {
    const Rows rows = unit.run("emails.add", {user_uuid, wanted});
    std::set<std::string> added;
    for (std::size_t row = 0; row < rows.size(); ++row) added.insert(rows.text(row, "address"));
    return added;
  } catch (const ConstraintViolation& e) {
    if (e.constraint != "auth_email_address_key") throw;
    throw problems::conflict("users", "email_address", "The email_address \"None\" is already used");
  }
}

}  // namespace

Schema emails_body(Asker asker) {
  Schema email;
  email.fields.push_back({.name = "address", .type = Type::email, .required = true});
  email.fields.push_back({.name = "main", .type = Type::boolean, .fallback = Json(false)});
  if (asker == Asker::administrator)
    email.fields.push_back({.name = "confirmed", .type = Type::boolean, .nullable = true, .fallback = Json()});
  email.name = asker == Asker::administrator ? "AdminEmail" : "UserEmail";
  Schema body;
  body.name = email.name + "s";
  body.fields.push_back(list_of(object_of(std::make_shared<const Schema>(std::move(email))), "emails"));
  body.fields.back().required = true;
  body.whole = {repeated, several_main, no_main};
  return body;
}

std::set<std::string> replace_addresses(UnitOfWork& unit, const std::string& user_uuid, const std::string& tenant,
                                        const Json& emails) {
  const std::vector<std::string> addresses = addresses_of(emails);
  lock_logins(unit, addresses);
  refuse_taken_logins(unit, addresses, "email_address", user_uuid);
  if (unit.run("emails.lock_owner", {user_uuid, tenant}).empty()) throw problems::unknown("user", user_uuid);
  return write(unit, user_uuid, emails);
}

namespace {

// In the order of the request. A new address without a `confirmed` from the administrator is shown like that: null.
Json answer(UnitOfWork& unit, const std::string& user_uuid, const Json& emails, const std::set<std::string>& added) {
  const Rows rows = unit.run("emails.of_user", {user_uuid});
  std::map<std::string, std::size_t> row_of;
  for (std::size_t row = 0; row < rows.size(); ++row) row_of.emplace(rows.text(row, "address"), row);
  Json items = Json::array();
  for (const Json& email : emails.items()) {
    const std::string address(email.get("address").text());
    const std::size_t row = row_of.at(address);
    const bool unsaid = email.has("confirmed") && email.get("confirmed").is_null() && added.contains(address);
    items.append(Json::object({{"address", address},
                               {"main", rows.boolean(row, "main")},
                               {"confirmed", unsaid ? Json() : Json(rows.boolean(row, "confirmed"))},
                               {"uuid", rows.text(row, "uuid")}}));
  }
  return items;
}

Step replace_emails(Context& context) {
  const Json emails = context.valid_body().get("emails");
  const std::string& user_uuid = context.param("user_uuid");
  UnitOfWork& unit = context.db();
  const std::set<std::string> added = replace_addresses(unit, user_uuid, context.caller_tenant(), emails);
  return Response::json(answer(unit, user_uuid, emails, added));
}

Route emails_route(Asker asker, std::string path, std::string access, std::string summary) {
  return {.method = "PUT",
          .path = std::move(path),
          .access = std::move(access),
          .plugin = "user_email",
          .handler = replace_emails,
          .tenancy = Tenancy::caller,
          .summary = std::move(summary),
          .body = takes(emails_body(asker), Report::map, "emails"),
          .answer = list_of(object_of(email_shape())),
          .failures = {failures::conflict}};
}

}  // namespace

void add_user_email_routes(Router& router) {
  router.add(emails_route(Asker::user, "/users/<user_uuid>/emails", "auth.users.{user_uuid}.emails.update",
                          "Replace the list of a user's addresses"));
  router.add(emails_route(Asker::administrator, "/admin/users/<user_uuid>/emails",
                          "auth.admin.users.{user_uuid}.emails.update",
                          "Replace the list of a user's addresses, and say which of them are confirmed"));
}

}  // namespace wazoauth

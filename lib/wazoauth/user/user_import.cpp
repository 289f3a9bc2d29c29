// POST /users/import: docs/spec/endpoints.md section 7. Each row of the request is a user, and a transaction of its
// own.
#include <algorithm>
#include <memory>

#include "wazoauth/base/uuid.h"
#include "wazoauth/group/group_rows.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/user/new_user.h"
#include "wazoauth/user/routes.h"
#include "wazoauth/user/user_body.h"
#include "wazoauth/user/user_emails.h"
#include "wazoauth/user/user_membership.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth {

namespace {

constexpr std::size_t most_rows = 500, longest_list = 1000;

std::optional<std::string> nobody(const Json& row) {
  if (row.has("uuid") || row.get("username").is_string() || row.get("emails").size() > 0) return std::nullopt;
  return "One of uuid, username and emails is needed";
}

Schema row_schema() {
  Schema row{user_fields(), {nobody}, "UserToImport"};
  for (Field& field : row.fields) field.fallback.reset();  // what isn't given stays
  Schema emails = emails_body(Asker::administrator);
  emails.fields[0].required = false;
  emails.fields[0].max_length = longest_list;
  row.fields.push_back({.name = "uuid", .type = Type::uuid});
  row.fields.push_back({.name = "password", .nullable = true, .min_length = 1});
  row.fields.push_back(emails.fields[0]);
  for (const char* const name : {"groups", "policies"}) {
    row.fields.push_back(list_of({}, name));
    row.fields.back().max_length = longest_list;
  }
  row.whole.insert(row.whole.end(), emails.whole.begin(), emails.whole.end());
  return row;
}

// Of the request without its rows: one that is wrong keeps no other one back.
Schema import_schema(const Field& row) {
  Field users = list_of(row, "users");
  users.required = true;
  users.max_length = most_rows;
  return {{users, {.name = "dry_run", .type = Type::boolean, .fallback = Json(false)}}, {}, "UserImport"};
}

const std::shared_ptr<const Schema>& row_shape() {
  static const auto row = std::make_shared<const Schema>(row_schema());
  return row;
}

const std::shared_ptr<const Schema>& outcome_shape() {
  static const auto change = shape("ImportedChange", {{.name = "field"},
                                                      {.name = "before", .type = Type::any, .nullable = true},
                                                      {.name = "after", .type = Type::any, .nullable = true}});
  static const auto outcome = shape("ImportedUser",
                                    {{.name = "outcome", .choices = {"created", "changed", "unchanged", "failed"}},
                                     {.name = "uuid", .type = Type::uuid, .nullable = true},
                                     list_of(object_of(change), "changes")},
                                    {{.name = "status", .type = Type::integer}, {.name = "error", .type = Type::any}});
  return outcome;
}

const std::shared_ptr<const Schema>& answer_shape() {
  static const auto answer = shape("UsersImported", {{.name = "dry_run", .type = Type::boolean},
                                                     {.name = "created", .type = Type::integer},
                                                     {.name = "changed", .type = Type::integer},
                                                     {.name = "unchanged", .type = Type::integer},
                                                     {.name = "failed", .type = Type::integer},
                                                     list_of(object_of(outcome_shape()), "items")});
  return answer;
}

Json slugs_of(const Json& objects) {
  Json slugs = Json::array();
  for (const Json& each : objects.items()) slugs.append(each.get("slug"));
  return slugs;
}

Json shown(const Json& emails) {
  Json items = Json::array();
  for (const Json& email : emails.items())
    items.append(Json::object(
        {{"address", email.get("address")}, {"main", email.get("main")}, {"confirmed", email.get("confirmed")}}));
  return items;
}

bool holds(const Json& list, const Json& item) {
  return std::find(list.items().begin(), list.items().end(), item) != list.items().end();
}

bool same_set(const Json& a, const Json& b) {
  return a.size() == b.size() &&
         std::all_of(a.items().begin(), a.items().end(), [&](const Json& each) { return holds(b, each); });
}

std::vector<std::string> logins_of(const Json& row) {
  std::vector<std::string> logins;
  if (row.get("username").is_string()) logins.emplace_back(row.get("username").text());
  for (const Json& email : row.get("emails").items()) logins.emplace_back(email.text_or("address", ""));
  return logins;
}

const Json& main_of(const Json& emails) {
  const auto found = std::find_if(emails.items().begin(), emails.items().end(),
                                  [](const Json& email) { return email.get("main").boolean(); });
  static const Json none;
  return found == emails.items().end() ? none : *found;
}

// Those whose switch is off can't be done in this way either.
void require_plugins(const Settings& settings, const Json& row) {
  for (const auto& [field, plugin] :
       {std::pair{"emails", "user_email"}, {"groups", "user_group"}, {"policies", "user_policy"}}) {
    if (row.has(field) && !settings.http_plugin(plugin))
      throw problems::invalid_data(std::string(field) + " can't be imported: " + plugin + " is switched off",
                                   Json::object({{"field", field}}), "users");
  }
}

// One row, in a transaction that its caller ends: throws the Problem of the call that would do this part of it alone.
class RowImport {
 public:
  RowImport(Context& context, const Json& row, const std::optional<StoredPassword>& password)
      : context_(context), unit_(context.db()), row_(row), password_(password) {}

  Json run() {
    require_plugins(context_.settings, row_);
    lock_logins(unit_, logins_of(row_));  // first of all: who else writes them has done it, or waits
    const std::optional<std::string> found = find();
    if (found)
      change(*found);
    else
      create();
    const char* const done = changes_.size() == 0 ? "unchanged" : "changed";
    return Json::object({{"outcome", found ? done : "created"}, {"uuid", uuid_}, {"changes", changes_}});
  }

 private:
  const std::string& tenant() { return context_.tenant(); }

  // Who has the row's uuid, or else its username, or else its main address.
  std::optional<std::string> find() {
    if (row_.has("uuid")) {
      const std::string uuid(row_.get("uuid").text());
      if (unit_.run("users.lock_in_tenant", {uuid, tenant()}).empty()) throw problems::unknown("user", uuid);
      context_.require(of_user("read", uuid));
      return uuid;
    }
    const Json& username = row_.get("username");
    const std::string login(username.is_string() ? username.text() : main_of(row_.get("emails")).get("address").text());
    const Rows rows = unit_.run("users.lock_by_login", {login, tenant()});
    if (rows.empty()) return std::nullopt;
    const std::string uuid = rows.text(0, "uuid");
    // Who may not see the user learns what POST /users tells.
    if (!context_.granted(of_user("read", uuid)))
      throw login_taken(username.is_string() ? "username" : "email_address", login);
    return uuid;
  }

  static std::string of_user(const std::string& what, const std::string& uuid) {
    return "auth.users." + uuid + "." + what;
  }

  void create() {
    context_.require("auth.users.create");
    uuid_ = new_uuid();
    const Json emails = resolved_emails(Json::array());
    const Json& main = main_of(emails);
    Json body = Json::object({{"uuid", uuid_}, {"email_address", main.get("address")}});
    for (const Field& field : user_fields()) {
      if (row_.has(field.name))
        body.set(field.name, row_.get(field.name));
      else if (field.fallback)
        body.set(field.name, *field.fallback);
    }
    default_authentication_method(body);
    require_authentication_method(context_.settings, body);
    refuse_taken_logins(unit_, body);
    add_user(context_, {body, password_}, tenant());
    for (const Field& field : user_fields()) note(field.name, Json(), body.get(field.name));
    if (emails.size() > 1 || (emails.size() == 1 && !main.get("confirmed").boolean())) replace_emails(emails);
    if (emails.size() > 0) note("emails", Json(), shown(emails));
    set_groups(Json::array());
    set_policies(Json::array());
  }

  void change(const std::string& uuid) {
    uuid_ = uuid;
    const Rows before = visible_user(unit_, uuid, tenant());
    change_fields(before);
    if (row_.has("emails")) {
      const Json had = before.json(0, "emails"), emails = resolved_emails(had);
      if (!same_set(shown(had), shown(emails))) {
        replace_emails(emails);
        note("emails", shown(had), shown(emails));
      }
    }
    if (!row_.has("groups") && !row_.has("policies")) return;
    if (row_.has("groups")) context_.require(of_user("groups.read", uuid));
    if (row_.has("policies")) context_.require(of_user("policies.read", uuid));
    const Rows has = unit_.run("users.has", {uuid, tenant()});
    set_groups(has.json(0, "groups"));
    set_policies(has.json(0, "policies"));
  }

  void change_fields(const Rows& before) {
    Json body = Json::object({{"username", before.optional_text(0, "username")},
                              {"firstname", before.optional_text(0, "firstname")},
                              {"lastname", before.optional_text(0, "lastname")},
                              {"purpose", before.text(0, "purpose")},
                              {"authentication_method", before.text(0, "authentication_method")},
                              {"enabled", before.boolean(0, "enabled")}});
    bool differs = false;
    for (const Field& field : user_fields()) {
      if (!row_.has(field.name) || row_.get(field.name) == body.get(field.name)) continue;
      note(field.name, body.get(field.name), row_.get(field.name));
      body.set(field.name, row_.get(field.name));
      differs = true;
    }
    if (!differs) return;
    context_.require(of_user("update", uuid_));
    require_authentication_method(context_.settings, body);
    change_user(unit_, uuid_, body, tenant());
  }

  // Each with a `confirmed`: what the row says, or what it was, or true for new ones, as for that of POST /users.
  Json resolved_emails(const Json& had) const {
    Json emails = Json::array();
    for (Json email : row_.get("emails").items()) {
      const auto old = std::find_if(had.items().begin(), had.items().end(),
                                    [&](const Json& each) { return each.get("address") == email.get("address"); });
      if (email.get("confirmed").is_null())
        email.set("confirmed", old == had.items().end() ? Json(true) : old->get("confirmed"));
      emails.append(std::move(email));
    }
    return emails;
  }

  void replace_emails(const Json& emails) {
    context_.require("auth.admin.users." + uuid_ + ".emails.update");
    replace_addresses(unit_, uuid_, tenant(), emails);
  }

  void set_groups(const Json& had) {
    if (!row_.has("groups")) return;
    Json wanted = Json::array();  // as `had`
    for (const Json& name : row_.get("groups").items()) {
      const Rows group = unit_.run("groups.named", {lower_uuid(name.text()), tenant()});
      if (group.empty()) throw problems::unknown("group", name.text());
      if (!want(wanted, group, had)) continue;
      require_member("create", group);
      add_to_group(unit_, uuid_, group);
    }
    for (const Json& each : had.items()) {
      if (holds(wanted, each)) continue;
      const Rows group = unit_.run("groups.named", {each.get("uuid").text(), tenant()});
      if (group.empty()) continue;  // it has gone meanwhile, and its members with it
      require_member("delete", group);
      remove_from_group(unit_, uuid_, group);
    }
    if (!same_set(had, wanted)) note("groups", slugs_of(had), slugs_of(wanted));
  }

  // Adds a group or a policy to `wanted`, once. Whether it is new.
  static bool want(Json& wanted, const Rows& found, const Json& had) {
    const Json one = Json::object({{"uuid", found.text(0, "uuid")}, {"slug", found.text(0, "slug")}});
    if (holds(wanted, one)) return false;
    wanted.append(one);
    return !holds(had, one);
  }

  void require_member(const std::string& what, const Rows& group) const {
    context_.require("auth.groups." + group.text(0, "uuid") + ".users." + uuid_ + "." + what);
  }

  void set_policies(const Json& had) {
    if (!row_.has("policies")) return;
    Json wanted = Json::array();
    for (const Json& name : row_.get("policies").items()) {
      const Rows policy = policy_of_tenant(context_, std::string(name.text()));
      if (!want(wanted, policy, had)) continue;
      require_policy("create", policy);
      attach_policy(context_, uuid_, policy);
    }
    for (const Json& each : had.items()) {
      if (holds(wanted, each)) continue;
      const Rows policy = policy_of_tenant(context_, std::string(each.get("uuid").text()));
      require_policy("delete", policy);
      detach_policy(context_, uuid_, policy);
    }
    if (!same_set(had, wanted)) note("policies", slugs_of(had), slugs_of(wanted));
  }

  // The calls of one policy take its uuid or its slug, and either access will do.
  void require_policy(const std::string& what, const Rows& policy) const {
    const PathParameters named = {{"policy_slug", policy.text(0, "slug")}};
    const std::string access = of_user("policies.", uuid_);
    if (context_.granted(acl::fill_template(access + "{policy_slug}." + what, named))) return;
    context_.require(access + policy.text(0, "uuid") + "." + what);
  }

  static std::string lower_uuid(std::string_view name) {
    return is_uuid(name) ? *canonical_uuid(name) : std::string(name);
  }

  void note(const std::string& field, const Json& before, const Json& after) {
    if (before == after) return;
    changes_.append(Json::object({{"field", field}, {"before", before}, {"after", after}}));
  }

  Context& context_;
  UnitOfWork& unit_;
  const Json& row_;
  const std::optional<StoredPassword>& password_;
  std::string uuid_;
  Json changes_ = Json::array();
};

Json failed(const Problem& problem) {
  return Json::object({{"outcome", "failed"},
                       {"uuid", Json()},
                       {"changes", Json::array()},
                       {"status", problem.status()},
                       {"error", problem.body()}});
}

// What is left of a request: rows before `outcomes.size()` are done.
struct Import {
  Json rows;
  std::vector<Json> outcomes;
};
using Shared = std::shared_ptr<Import>;

Json valid_row(const Json& row) {
  Validated valid = validate(*row_shape(), row.is_falsy() ? Json::object() : row);
  if (!valid.errors.is_null()) report(Report::first, valid.errors, "users");
  return std::move(valid.value);
}

Response answer(const Import& import, bool dry_run) {
  Json body = Json::object({{"dry_run", dry_run}});
  for (const char* const outcome : {"created", "changed", "unchanged", "failed"}) {
    body.set(outcome, static_cast<std::int64_t>(
                          std::count_if(import.outcomes.begin(), import.outcomes.end(),
                                        [&](const Json& each) { return each.get("outcome").text() == outcome; })));
  }
  return Response::json(body.set("items", Json(import.outcomes)));
}

// Passwords take their time: a token that ends meanwhile does nothing more.
void require_live_token(Context& context) {
  if (context.admit(context.route.access) == Context::Admission::granted) return;
  throw problems::unauthorized(Json::object({{"invalid_token", context.token_id()},
                                             {"reason", "not_found_or_expired"},
                                             {"required_access", context.route.access}}));
}

// The transaction holds this row and no other: none keeps another one back, and locks are held for one user's time. A
// step that is done again because of others begins with this row.
Step import_row(Context& context, const Shared& import, const std::optional<StoredPassword>& password) {
  const std::size_t at = import->outcomes.size();
  if (at == import->rows.size()) return answer(*import, false);
  require_live_token(context);
  Json outcome;
  try {
    const Json row = valid_row(import->rows.at(at));
    outcome = RowImport(context, row, password).run();
    const Json& wanted = row.get("password");
    if (outcome.get("outcome").text() == "created" && wanted.is_string() && !password) {
      // It would do: only now it is worth a hash, for which nothing is held.
      context.db().roll_back();
      return Step::then(Lane::cpu, [import, text = std::string(wanted.text())](Context&) {
        return Step::then(Lane::database, [import, stored = make_stored_password(text)](Context& c) {
          return import_row(c, import, stored);
        });
      });
    }
  } catch (const Problem& problem) {
    outcome = failed(problem);
    context.db().roll_back();
  } catch (const BadValue&) {
    outcome = failed(problems::unreadable_body());
    context.db().roll_back();
  }
  return Step::then(Lane::database, [import, at, outcome](Context& c) {
    import->outcomes.resize(at);
    import->outcomes.push_back(outcome);
    return import_row(c, import, std::nullopt);
  });
}

// The same in one transaction, so that each row finds what those before it would have done; then nothing of it is done.
Step preview(Context& context, const Shared& import) {
  std::vector<std::string> logins;
  std::vector<std::optional<Json>> rows;
  import->outcomes.clear();
  for (const Json& given : import->rows.items()) {
    try {
      rows.emplace_back(valid_row(given));
      import->outcomes.emplace_back();
      for (const std::string& login : logins_of(*rows.back())) logins.push_back(login);
      if (rows.back()->has("uuid")) logins.emplace_back(rows.back()->get("uuid").text());
    } catch (const Problem& problem) {
      rows.emplace_back();
      import->outcomes.push_back(failed(problem));
    }
  }
  UnitOfWork& unit = context.db();
  lock_logins(unit, logins);  // all at once, in order: two previews wait for each other in one direction
  for (std::size_t at = 0; at < rows.size(); ++at) {
    if (!rows[at]) continue;
    Json& outcome = import->outcomes[at];
    try {
      unit.savepoint([&] { outcome = RowImport(context, *rows[at], std::nullopt).run(); });
      if (outcome.get("outcome").text() == "created") outcome.set("uuid", Json());
    } catch (const Problem& problem) {
      outcome = failed(problem);
    } catch (const BadValue&) {
      outcome = failed(problems::unreadable_body());
    }
  }
  unit.roll_back();
  return answer(*import, true);
}

Step import_users(Context& context) {
  context.tenant();
  static const Schema around = import_schema(Field{.type = Type::any, .nullable = true});
  const Validated body = validate(around, context.body_object());
  if (!body.errors.is_null()) report(Report::first, body.errors, "users");
  const auto import = std::make_shared<Import>(Import{body.value.get("users"), {}});
  if (body.value.get("dry_run").boolean()) return preview(context, import);
  return import_row(context, import, std::nullopt);
}

}  // namespace

void add_user_import_routes(Router& router) {
  router.add({.method = "POST",
              .path = "/users/import",
              .access = "auth.users.import.create",
              .plugin = "users",
              .handler = import_users,
              .tenancy = Tenancy::scoped,
              .summary = "Create and change several users, each whole or not at all; or say what that would do",
              .body = takes(import_schema(object_of(row_shape())), Report::first, "users"),
              .answer = object_of(answer_shape())});
}

}  // namespace wazoauth

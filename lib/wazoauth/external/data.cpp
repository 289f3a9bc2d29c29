#include "wazoauth/external/data.h"

#include "wazoauth/rest/failures.h"
#include "wazoauth/store/event.h"
#include "wazoauth/user/user_rows.h"

namespace wazoauth::external {

const Failure unknown_type{404, ErrorForm::error_id, "unknown-external-auth-type"};
const Failure unknown_auth{404, ErrorForm::error_id, "unknown-external-auth"};
const Failure unknown_config{404, ErrorForm::error_id, "unknown-config"};

namespace {

Problem missing(const Failure& failure, const std::string& message, const std::string& type) {
  const std::string resource = failure.reason == unknown_type.reason ? "external" : type;
  return Problem::with_error_id(failure.status, failure.reason, message, Json::object({{"type", type}}), resource);
}

std::string quoted(const std::string& type) {
  return "\"" + type + "\"";
}

Problem no_type(const Failure& failure, const std::string& type) {
  if (failure.reason == unknown_config.reason)
    return missing(failure, "Configuration for this external auth type " + quoted(type) + " is not defined.", type);
  return missing(failure, "No such auth type: " + quoted(type), type);
}

Problem no_config(const std::string& type) {
  return missing(unknown_auth, "No config found for this external auth type: " + quoted(type), type);
}

Problem no_data(const std::string& type) {
  return missing(unknown_auth, "No such external auth: " + quoted(type), type);
}

// `what`: "method" | "config"
Problem taken(const std::string& what, const std::string& type) {
  return Problem::with_error_id(409, "conflict",
                                "This external authentication " + what + " has already been set: " + quoted(type),
                                Json::object({{"type", type}}), type);
}

void tell(Context& context, const std::string& what, const std::string& tenant, const std::string& type) {
  if (context.settings.external_config_events) context.db().publish(events::external_config(what, tenant, type));
}

void require(Context& context, const std::string& type, const Failure& failure) {
  const bool has_nul = type.find('\0') != std::string::npos;
  if (has_nul || context.db().run("external.type", {type}).empty()) throw no_type(failure, type);
}

std::string tenant_of(Context& context, const std::string& user) {
  return visible_user(context.db(), user, context.caller_tenant()).text(0, "tenant_uuid");
}

// Types appear when something of them is stored. Two statements: the second one also sees what others inserted while
// the first one waited for them.
void make_type(Context& context, const std::string& type) {
  context.db().run("external.make_type", {type});
}

// JSON has no other numbers: whoever reads it again would get another one, or none.
std::string text_of_stored(const Json& data) {
  if (!data.is_finite()) throw problems::unreadable_body();
  return data.dump();
}

Rows written(Context& context, std::string_view statement, const std::string& user, const std::string& type,
             const Json& data) {
  try {
    return context.db().run(statement, {type, user, text_of_stored(data)});
  } catch (const ConstraintViolation& e) {
    if (e.foreign_key()) throw problems::unknown("user", user);  // it was deleted meanwhile
    throw;
  }
}

}  // namespace

void require_type(Context& context, const std::string& type) {
  require(context, type, unknown_type);
}

Json config_of(Context& context, const std::string& type, const Failure& unknown) {
  const std::string& tenant = context.tenant();
  require(context, type, unknown);
  const Rows rows = context.db().run("external.config", {type, tenant});
  if (rows.empty()) throw no_config(type);
  return rows.json(0, "data");
}

void create_config(Context& context, const std::string& type, const Json& config) {
  const std::string& tenant = context.tenant();
  make_type(context, type);
  if (context.db().run("external.create_config", {type, tenant, text_of_stored(config)}).affected() == 0)
    throw taken("config", type);
  tell(context, "added", tenant, type);
}

void update_config(Context& context, const std::string& type, const Json& config) {
  const std::string& tenant = context.tenant();
  require_type(context, type);
  if (context.db().run("external.update_config", {type, tenant, text_of_stored(config)}).affected() == 0)
    throw no_config(type);
  tell(context, "updated", tenant, type);
}

void delete_config(Context& context, const std::string& type) {
  const std::string& tenant = context.tenant();
  require_type(context, type);
  if (context.db().run("external.delete_config", {type, tenant}).affected() == 0) throw no_config(type);
  tell(context, "deleted", tenant, type);
}

Json data_of(Context& context, const std::string& user, const std::string& type) {
  require_type(context, type);
  tenant_of(context, user);
  const Rows rows = context.db().run("external.data", {type, user});
  if (rows.empty()) throw no_data(type);
  return rows.json(0, "data");
}

void add_data(Context& context, const std::string& user, const std::string& type, const Json& data) {
  const std::string tenant = tenant_of(context, user);
  make_type(context, type);
  if (written(context, "external.create_data", user, type, data).affected() == 0) throw taken("method", type);
  context.db().publish(events::external_auth_added(tenant, user, type));
}

void put_data(Context& context, const std::string& user, const std::string& type, const Json& data) {
  const std::string tenant = tenant_of(context, user);
  make_type(context, type);
  const bool created = written(context, "external.put_data", user, type, data).boolean(0, "created");
  context.db().publish(created ? events::external_auth_added(tenant, user, type)
                               : events::external_auth_updated(tenant, user, type));
}

void replace_data(Context& context, const std::string& user, const std::string& type, const Json& data) {
  require_type(context, type);
  const std::string tenant = tenant_of(context, user);
  if (context.db().run("external.replace_data", {type, user, text_of_stored(data)}).affected() == 0)
    throw no_data(type);
  context.db().publish(events::external_auth_updated(tenant, user, type));
}

void delete_data(Context& context, const std::string& user, const std::string& type) {
  require_type(context, type);
  const std::string tenant = tenant_of(context, user);
  if (context.db().run("external.delete_data", {type, user}).affected() == 0) throw no_data(type);
  context.db().publish(events::external_auth_deleted(tenant, user, type));
}

}  // namespace wazoauth::external

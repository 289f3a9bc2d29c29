#include "wazoauth/store/event.h"

#include "wazoauth/base/uuid.h"

namespace wazoauth {

namespace {

// '.', '#' and '*' mean something in a routing key.
std::string word(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '.':
        escaped += "__DOT__";
        break;
      case '#':
        escaped += "__HASH__";
        break;
      case '*':
        escaped += "__STAR__";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Event tenant_event(std::string name, const std::string& tenant_uuid, const std::string& verb, Json data) {
  Event event;
  event.name = std::move(name);
  event.routing_key = "auth.tenants." + word(tenant_uuid) + "." + verb;
  event.tenant_uuid = tenant_uuid;
  event.for_all_users = true;
  event.data = std::move(data);
  return event;
}

Event refresh_token_event(std::string name, const std::string& tenant_uuid, const std::string& user_uuid,
                          const std::string& client_id, bool mobile, const std::string& verb) {
  Event event;
  event.name = std::move(name);
  event.routing_key = "auth.users." + word(user_uuid) + ".tokens." + word(client_id) + "." + verb;
  event.tenant_uuid = tenant_uuid;
  event.user_uuid = user_uuid;
  event.data = Json::object(
      {{"client_id", client_id}, {"mobile", mobile}, {"user_uuid", user_uuid}, {"tenant_uuid", tenant_uuid}});
  return event;
}

// "added" and "updated" are names of events; what they tell of has been created, or updated.
std::string external_key(const std::string& verb, const std::string& type) {
  return ".external." + word(type) + "." + (verb == "added" ? "created" : verb);
}

Event external_auth_event(const std::string& verb, const std::string& tenant_uuid, const std::string& user_uuid,
                          const std::string& type) {
  Event event;
  event.name = "auth_user_external_auth_" + verb;
  event.routing_key = "auth.users." + word(user_uuid) + external_key(verb, type);
  event.tenant_uuid = tenant_uuid;
  event.user_uuid = user_uuid;
  event.data = Json::object({{"user_uuid", user_uuid}, {"external_auth_name", type}});
  return event;
}

Event session_event(std::string name, std::string routing_key, const std::string& session_uuid,
                    const std::string& tenant_uuid, const std::optional<std::string>& user_uuid) {
  Event event;
  event.name = std::move(name);
  event.routing_key = std::move(routing_key);
  event.tenant_uuid = tenant_uuid;
  event.user_uuid = user_uuid;
  event.session_uuid = session_uuid;
  event.data = Json::object({{"uuid", session_uuid}, {"user_uuid", user_uuid}, {"tenant_uuid", tenant_uuid}});
  return event;
}

}  // namespace

Json event_headers(const Event& event) {
  Json headers = Json::object({{"name", event.name},
                               {"required_access", "event." + event.name},
                               {"required_acl", "events." + event.routing_key},
                               {"tenant_uuid", event.tenant_uuid}});
  if (event.for_all_users) headers.set("user_uuid:*", true);
  if (event.user_uuid) headers.set("user_uuid:" + *event.user_uuid, true);
  if (event.session_uuid) headers.set("session_uuid", *event.session_uuid);
  return headers;
}

namespace events {

Event tenant_added(const std::string& tenant_uuid, const std::optional<std::string>& name, const std::string& slug,
                   const std::vector<std::string>& domain_names) {
  return tenant_event(
      "auth_tenant_added", tenant_uuid, "created",
      Json::object(
          {{"uuid", tenant_uuid}, {"name", name}, {"slug", slug}, {"domain_names", Json::strings(domain_names)}}));
}

Event tenant_updated(const std::string& tenant_uuid, const std::optional<std::string>& name) {
  return tenant_event("auth_tenant_updated", tenant_uuid, "updated",
                      Json::object({{"uuid", tenant_uuid}, {"name", name}}));
}

Event tenant_deleted(const std::string& tenant_uuid) {
  return tenant_event("auth_tenant_deleted", tenant_uuid, "deleted", Json::object({{"uuid", tenant_uuid}}));
}

Event refresh_token_created(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& client_id,
                            bool mobile) {
  return refresh_token_event("auth_refresh_token_created", tenant_uuid, user_uuid, client_id, mobile, "created");
}

Event refresh_token_deleted(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& client_id,
                            bool mobile) {
  return refresh_token_event("auth_refresh_token_deleted", tenant_uuid, user_uuid, client_id, mobile, "deleted");
}

Event external_auth_added(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type) {
  return external_auth_event("added", tenant_uuid, user_uuid, type);
}

Event external_auth_updated(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type) {
  return external_auth_event("updated", tenant_uuid, user_uuid, type);
}

Event external_auth_deleted(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type) {
  return external_auth_event("deleted", tenant_uuid, user_uuid, type);
}

Event external_auth_authorized(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type) {
  return external_auth_event("authorized", tenant_uuid, user_uuid, type);
}

Event external_config(const std::string& what, const std::string& tenant_uuid, const std::string& type) {
  Event event;
  event.name = "auth_external_auth_" + what;
  event.routing_key = "auth.tenants." + word(tenant_uuid) + external_key(what, type);
  event.tenant_uuid = tenant_uuid;
  event.for_all_users = true;
  event.data = Json::object({{"external_auth_name", type}});
  return event;
}

Event session_created(const std::string& session_uuid, const std::string& tenant_uuid, const std::string& user_uuid,
                      bool mobile) {
  const auto user = is_uuid4(user_uuid) ? std::optional(user_uuid) : std::nullopt;
  Event event = session_event("auth_session_created", "auth.sessions." + word(session_uuid) + ".created", session_uuid,
                              tenant_uuid, user);
  event.data.set("mobile", mobile);
  return event;
}

Event session_deleted(const std::string& session_uuid, const std::string& tenant_uuid, const std::string& user_uuid) {
  return session_event("auth_session_deleted", "auth.sessions." + word(session_uuid) + ".deleted", session_uuid,
                       tenant_uuid, user_uuid);
}

Event lock(std::string_view what, const std::string& tenant_uuid, const std::string& kind, const std::string& value,
           const std::string& reason, const std::optional<std::string>& ends_at) {
  Event event;
  event.name = "auth_lock_" + std::string(what);
  event.routing_key = "auth.locks." + kind + "." + word(value) + "." + std::string(what);
  event.tenant_uuid = tenant_uuid;
  event.data = Json::object(
      {{"kind", kind}, {"value", value}, {"tenant_uuid", tenant_uuid}, {"reason", reason}, {"ends_at", ends_at}});
  return event;
}

Event session_expire_soon(const std::string& session_uuid, const std::string& tenant_uuid,
                          const std::string& user_uuid) {
  return session_event("auth_session_expire_soon",
                       "auth.users." + word(user_uuid) + ".sessions." + word(session_uuid) + ".expire_soon",
                       session_uuid, tenant_uuid, user_uuid);
}

}  // namespace events

}  // namespace wazoauth

// Events for the rest of the platform, over RabbitMQ. Names, headers, keys: docs/spec/events.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/base/json.h"

namespace wazoauth {

struct Event {
  std::string name;
  std::string routing_key;
  std::string tenant_uuid;
  bool for_all_users = false;               // header "user_uuid:*"
  std::optional<std::string> user_uuid;     // header "user_uuid:<uuid>"
  std::optional<std::string> session_uuid;  // header "session_uuid"
  Json data;
};

// Headers of the message but `timestamp` (time of publication) and `origin_uuid` (the relay knows both).
Json event_headers(const Event& event);

namespace events {
Event tenant_added(const std::string& tenant_uuid, const std::optional<std::string>& name, const std::string& slug,
                   const std::vector<std::string>& domain_names);
Event tenant_updated(const std::string& tenant_uuid, const std::optional<std::string>& name);
Event tenant_deleted(const std::string& tenant_uuid);
Event refresh_token_created(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& client_id,
                            bool mobile);
Event refresh_token_deleted(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& client_id,
                            bool mobile);
// type: the external service's.
Event external_auth_added(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type);
Event external_auth_updated(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type);
Event external_auth_deleted(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type);
Event external_auth_authorized(const std::string& tenant_uuid, const std::string& user_uuid, const std::string& type);
// what: "added", "updated" or "deleted".
Event external_config(const std::string& what, const std::string& tenant_uuid, const std::string& type);
// user_uuid: the token's auth_id.
Event session_created(const std::string& session_uuid, const std::string& tenant_uuid, const std::string& user_uuid,
                      bool mobile);
Event session_deleted(const std::string& session_uuid, const std::string& tenant_uuid, const std::string& user_uuid);
// what: "created", "updated" or "deleted".
Event lock(std::string_view what, const std::string& tenant_uuid, const std::string& kind, const std::string& value,
           const std::string& reason, const std::optional<std::string>& ends_at);
Event session_expire_soon(const std::string& session_uuid, const std::string& tenant_uuid,
                          const std::string& user_uuid);
}  // namespace events

}  // namespace wazoauth

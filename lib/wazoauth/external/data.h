// Stored data of users, and configurations of tenants, for external services: docs/spec/federation.md section 5.
//
// A type is a service's name, "mobile" say. Texts of a type may be anything that a path can hold.
#pragma once

#include <string>

#include "wazoauth/rest/context.h"

namespace wazoauth::external {

extern const Failure unknown_type, unknown_auth, unknown_config;  // of routes that use what follows

// The stored configuration of a tenant. Throws 404: `unknown` when there is no such type, unknown-external-auth when
// the tenant has none.
Json config_of(Context& context, const std::string& type, const Failure& unknown);
void create_config(Context& context, const std::string& type, const Json& config);  // throws 409
void update_config(Context& context, const std::string& type, const Json& config);  // throws 404
void delete_config(Context& context, const std::string& type);                      // throws 404

// A user's data. The user must be in the caller's own tenant or below it. All of them throw 404 for an unknown type, an
// unknown user and, but for `add` and `put`, for a user who has none; those that write tell the bus.
Json data_of(Context& context, const std::string& user, const std::string& type);
void add_data(Context& context, const std::string& user, const std::string& type, const Json& data);  // throws 409
void put_data(Context& context, const std::string& user, const std::string& type, const Json& data);
void replace_data(Context& context, const std::string& user, const std::string& type, const Json& data);
void delete_data(Context& context, const std::string& user, const std::string& type);

void require_type(Context& context, const std::string& type);  // 404 unknown-external-auth-type

}  // namespace wazoauth::external

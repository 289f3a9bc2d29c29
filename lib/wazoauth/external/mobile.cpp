#include "wazoauth/external/data.h"
#include "wazoauth/external/routes.h"
#include "wazoauth/rest/failures.h"

namespace wazoauth {

namespace {

constexpr const char* type = "mobile";

std::vector<Field> topics() {
  return {{.name = "apns_call_topic", .nullable = true, .fallback = Json(), .max_length = 512},
          {.name = "apns_default_topic", .nullable = true, .fallback = Json(), .max_length = 512}};
}

std::vector<Field> tokens() {
  return {{.name = "token", .nullable = true, .fallback = Json(), .min_length = 1, .max_length = 512},
          {.name = "apns_token", .nullable = true, .fallback = Json(), .max_length = 512},
          {.name = "apns_voip_token", .nullable = true, .fallback = Json(), .max_length = 512},
          {.name = "apns_notification_token", .nullable = true, .fallback = Json(), .max_length = 512}};
}

std::vector<Field> fields() {
  std::vector<Field> all = tokens();
  for (Field& topic : topics()) all.push_back(std::move(topic));
  return all;
}

// Rows of older versions have fewer fields.
Json shown(const Json& stored) {
  Json data = Json::object();
  for (const Field& field : tokens()) {
    if (stored.has(field.name)) data.set(field.name, stored.get(field.name));
  }
  for (const Field& field : topics()) data.set(field.name, stored.get(field.name));
  return data;
}

Step get_mobile(Context& context) {
  return Response::json(shown(external::data_of(context, context.param("user_uuid"), type)));
}

Step post_mobile(Context& context) {
  const Json data = context.valid_body();
  external::add_data(context, context.param("user_uuid"), type, data);
  return Response::json(data, 201);
}

Step put_mobile(Context& context) {
  const Json data = context.valid_body();
  external::put_data(context, context.param("user_uuid"), type, data);
  return Response::json(data);
}

Step delete_mobile(Context& context) {
  external::delete_data(context, context.param("user_uuid"), type);
  return Response::no_content();
}

Step get_sender_id(Context& context) {
  const Json config = external::config_of(context, type, external::unknown_config);
  return Response::json(Json::object({{"sender_id", config.get("fcm_sender_id")}}));
}

}  // namespace

void add_mobile_routes(Router& router) {
  const std::string path = "/users/<user_uuid>/external/mobile", access = "auth.users.{user_uuid}.external.mobile.";
  const auto body = takes({fields(), {}, "NewMobileAuth"}, Report::first, "users");
  const Field all = object_of(shape("MobileAuth", fields()));
  const Field stored = object_of(shape("StoredMobileAuth", topics(), tokens()));
  RouteFamily family(router, {.plugin = "external.mobile", .tenancy = Tenancy::caller});
  family.add({.method = "GET",
              .path = path,
              .access = access + "read",
              .handler = get_mobile,
              .mode = Mode::read_only,
              .summary = "Get the tokens by which a user's phone is notified",
              .answer = stored,
              .failures = {external::unknown_type, external::unknown_auth}});
  family.add({.method = "POST",
              .path = path,
              .access = access + "create",
              .handler = post_mobile,
              .summary = "Store the tokens by which a user's phone is notified",
              .body = body,
              .answer = all,
              .status = 201,
              .failures = {failures::conflict}});
  family.add({.method = "PUT",
              .path = path,
              .access = access + "update",
              .handler = put_mobile,
              .summary = "Store or replace the tokens by which a user's phone is notified",
              .body = body,
              .answer = all});
  family.add({.method = "DELETE",
              .path = path,
              .access = access + "delete",
              .handler = delete_mobile,
              .summary = "Delete the tokens by which a user's phone is notified",
              .failures = {external::unknown_type, external::unknown_auth}});
  family.add({.method = "GET",
              .path = path + "/sender_id",
              .access = access + "sender_id.read",
              .handler = get_sender_id,
              .mode = Mode::read_only,
              .tenancy = Tenancy::scoped,
              .summary = "Get the sender id for Firebase Cloud Messaging",
              .answer = object_of(shape("SenderId", {{.name = "sender_id", .type = Type::any}})),
              .failures = {external::unknown_config, external::unknown_auth}});
}

}  // namespace wazoauth

#include "wazoauth/tenant/tenant_body.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/http/slug.h"

namespace wazoauth {

namespace {

constexpr const char* address_fields[] = {"line_1", "line_2", "city", "state", "country", "zip_code"};

bool is_label(std::string_view label) {
  if (label.empty() || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](unsigned char c) { return c < 128 && (std::isalnum(c) || c == '-'); });
}

std::optional<Json> domain_error(const Json& name) {
  if (is_domain_name(name.text())) return std::nullopt;
  return check_object("String does not match expected pattern.", "regex",
                      "^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.|$)){2,63}$");
}

Field optional_text(const char* name, std::size_t max_length) {
  return {.name = name, .nullable = true, .fallback = Json(), .min_length = 1, .max_length = max_length};
}

Field address_field() {
  Schema address;
  for (const char* name : {"line_1", "line_2"}) address.fields.push_back(optional_text(name, 256));
  for (const char* name : {"city", "state", "country"}) address.fields.push_back(optional_text(name, 128));
  address.fields.push_back(optional_text("zip_code", 16));
  address.name = "NewAddress";
  return {.name = "address",
          .type = Type::object,
          .fallback = Json::object(),
          .fields = std::make_shared<const Schema>(std::move(address))};
}

Schema make_schema(bool for_creation) {
  Schema schema;
  schema.name = for_creation ? "NewTenant" : "ChangedTenant";
  schema.fields.push_back({.name = "uuid", .type = Type::uuid, .nullable = true, .fallback = Json()});
  schema.fields.push_back(optional_text("name", 128));
  if (for_creation) schema.fields.push_back(slug_field(short_slug));
  schema.fields.push_back({.name = "contact", .type = Type::uuid, .nullable = true, .fallback = Json()});
  schema.fields.push_back(optional_text("phone", 32));
  schema.fields.push_back({.name = "default_authentication_method", .fallback = Json("native")});
  schema.fields.push_back(list_of({.format = "hostname", .check = domain_error}, "domain_names"));
  schema.fields.back().fallback = Json::array();
  schema.fields.push_back(address_field());
  return schema;
}

}  // namespace

std::shared_ptr<const BodySpec> tenant_body(bool for_creation) {
  return takes(make_schema(for_creation), Report::first, "tenants");
}

TenantBody read_tenant_body(const Context& context) {
  Json input = context.body_object();
  if (input.has("address") && !input.get("address").is_null() && input.get("address").is_falsy())
    input.set("address", Json::object());
  TenantBody body;
  body.json = context.valid_body(input);
  const Json& json = body.json;
  body.uuid = text_of(json.get("uuid"));
  body.name = text_of(json.get("name"));
  body.contact = text_of(json.get("contact"));
  body.phone = text_of(json.get("phone"));
  body.method = json.get("default_authentication_method").text();
  for (const Json& name : json.get("domain_names").items()) body.domain_names.emplace_back(name.text());
  std::sort(body.domain_names.begin(), body.domain_names.end());
  body.domain_names.erase(std::unique(body.domain_names.begin(), body.domain_names.end()), body.domain_names.end());
  for (const char* field : address_fields) body.address.push_back(text_of(json.get("address").get(field)));
  if (!is_authentication_method(context.settings, body.method))
    throw problems::invalid_data("Invalid default authentication method " + body.method,
                                 Json::object({{"default_authentication_method", body.method}}), "tenants");
  return body;
}

bool TenantBody::has_address() const {
  return std::any_of(address.begin(), address.end(), [](const auto& line) { return line.has_value(); });
}

bool is_domain_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  if (text.ends_with('.')) text.remove_suffix(1);
  std::size_t labels = 0;
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    ++labels;
    if (dot == std::string_view::npos) return labels >= 2 && labels <= 63;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace wazoauth

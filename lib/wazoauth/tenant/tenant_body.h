// Bodies of POST and PUT /tenants: docs/spec/endpoints.md section 14.1.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wazoauth/rest/context.h"

namespace wazoauth {

struct TenantBody {
  Json json;
  std::optional<std::string> uuid, name, contact, phone;
  std::string method;
  std::vector<std::string> domain_names;  // sorted, no duplicates
  // line_1, line_2, city, state, country, zip_code
  std::vector<std::optional<std::string>> address;
  bool has_address() const;
};

std::shared_ptr<const BodySpec> tenant_body(bool for_creation);
TenantBody read_tenant_body(const Context& context);  // throws 400

bool is_domain_name(std::string_view text);  // docs/spec/http-conventions.md 5.4

}  // namespace wazoauth

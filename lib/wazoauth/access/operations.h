// The operation of the daemons' API documents that a request is for, as the gate finds it, and what it needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/openapi/route_table.h"

namespace wazoauth::access {

using Documents = std::vector<const openapi::RouteTable*>;  // a table of each level that has lines of wazo_auth_openapi

struct Asked {
  std::string method, path, document;  // as the document has them; of OPTIONS path and document are ""
  openapi::Need need = openapi::Need::open;
  std::vector<std::string> accesses;  // of Need::acl, one of them is enough; those that a value of the path would widen
                                      // aren't among them, so none may be left: then nobody passes
};

// `url`: with or without a host. Throws Problem 404 when no document has it.
Asked find_operation(const Documents& documents, std::string_view method, std::string_view url);

}  // namespace wazoauth::access

// Reads named statements from files of SQL.
//
//   -- name: users.delete                    a statement, or a part of one, up to the next such line
//   -- name: tree.within(tenant, top)        a part with arguments: its {tenant} and {top}
//   ... AND {tree.within(u.tenant_uuid, $2)} puts it here; a part may bring others
//
// Other words in braces stay: they are for those who run the statement.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/store/embedded_sql.h"

namespace wazoauth {

struct NamedStatement {
  std::string_view file;
  std::string name, text;
};

// Those without arguments, with all the parts that they name in it. Throws std::logic_error where a name is declared
// twice, and for a part that isn't there, has other arguments, or includes itself.
std::vector<NamedStatement> read_statements(const std::vector<SqlFile>& files);

}  // namespace wazoauth

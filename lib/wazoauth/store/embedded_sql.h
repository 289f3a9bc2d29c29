// The files of sql/, as they were when the library was built.
#pragma once

#include <string_view>
#include <vector>

namespace wazoauth {

struct SqlFile {
  std::string_view name;  // "queries/users.sql", "schema/0001_wazo_auth.sql"
  std::string_view text;
};

const std::vector<SqlFile>& embedded_sql();

}  // namespace wazoauth

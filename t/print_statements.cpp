// Prints the statements of sql/queries as they are run, for t/lint_sql.py: a JSON list of {file, name, text}.
#include <iostream>

#include "wazoauth/base/json.h"
#include "wazoauth/store/read_statements.h"

using namespace wazoauth;

int main() {
  try {
    Json list = Json::array();
    for (const NamedStatement& statement : read_statements(embedded_sql()))
      list.append(Json::object({{"file", statement.file}, {"name", statement.name}, {"text", statement.text}}));
    std::cout << list.dump() << '\n';
    return 0;
  } catch (const std::exception& e) {
    std::cerr << "sql/queries: " << e.what() << '\n';
    return 1;
  }
}

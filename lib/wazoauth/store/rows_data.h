// For those who run statements: Rows as libpqxx has them.
#pragma once

#include <pqxx/pqxx>

namespace wazoauth {

struct RowsData {
  pqxx::result result;
};

}  // namespace wazoauth

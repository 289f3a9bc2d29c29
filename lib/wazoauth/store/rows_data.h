// For those who run statements: Rows as libpqxx has them.
#pragma once

#include <pqxx/pqxx>

#include "wazoauth/store/rows.h"

namespace wazoauth {

struct Rows::Data {
  pqxx::result result;
};

}  // namespace wazoauth

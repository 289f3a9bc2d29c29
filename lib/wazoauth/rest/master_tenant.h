// The root of the tenant tree. It never changes once it is there, so one read is enough for the life of the process.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class MasterTenant {
 public:
  std::optional<std::string> uuid(UnitOfWork& unit);  // nullopt while there is none

 private:
  std::mutex mutex_;
  std::optional<std::string> uuid_;
};

}  // namespace wazoauth

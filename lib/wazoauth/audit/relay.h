// From the audit log to where it is also kept, a line of JSON for each entry: at least once, in the order of their
// transactions. One relay per database at a time; how far it has come is in the database.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::audit {

class Relay {
 public:
  struct Options {
    std::string to;  // for the log: "audit.file /var/log/audit"
    std::function<void(const std::vector<std::string>&)>
        deliver;  // throws what went wrong: then all of them come again
    DatabaseOptions database;
    Wake* wake;
  };
  explicit Relay(Options options);

  void run();  // until wake->stop()

 private:
  bool relay();  // false: there was nothing to do

  Options options_;
  Database database_;
  Trouble trouble_;
};

}  // namespace wazoauth::audit

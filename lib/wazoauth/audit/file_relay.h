// From the audit log to a file, a line of JSON for each entry: at least once, in the order of their transactions. One
// relay per database at a time; how far it has come is in the database.
#pragma once

#include <string>

#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::audit {

class FileRelay {
 public:
  struct Options {
    std::string file;
    DatabaseOptions database;
    Wake* wake;
  };
  explicit FileRelay(Options options);

  void run();  // until wake->stop()

 private:
  bool relay();  // false: there was nothing to do

  Options options_;
  Database database_;
  Trouble trouble_;
};

}  // namespace wazoauth::audit

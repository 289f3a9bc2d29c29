// Logs of this module's own, beside nginx's error log: wazo_auth_log.
#pragma once

#include <string>
#include <vector>

#include "ngx.h"
#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

struct OwnLog {
  enum Format { daemon, json };  // as the Python daemons write lines; one JSON object a line
  ngx_open_file_t* file;         // nginx opens it, and again when it gets USR1
  Format format;
  time_t disk_full_time;
};

// From now on this process writes to these. `secrets`: names of query parameters that are masked.
void use_own_logs(std::vector<OwnLog> logs, std::vector<std::string> secrets);
bool has_own_logs();

ngx_uint_t nginx_level(log::Level level);

// In the loop only.
void write_own_logs(log::Line line) noexcept;

}  // namespace wazoauth::nginx

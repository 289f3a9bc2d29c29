// Where a syslog daemon takes messages.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

struct SyslogServer {
  enum class Way { none, local, udp, tcp };
  Way way = Way::none;
  std::string place;  // a socket's path, or a host
  int port = 0;
};

// "/dev/log", "udp://host:port", "tcp://host:port". Throws std::invalid_argument, whose text is a sentence.
SyslogServer parse_syslog_server(std::string_view text);

}  // namespace wazoauth

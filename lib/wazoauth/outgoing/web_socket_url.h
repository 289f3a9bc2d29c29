// Where a WebSocket is (RFC 6455, section 3).
#pragma once

#include <string>

namespace wazoauth {

struct WebSocketUrl {
  bool secure;
  std::string host;    // an IPv6 address without its brackets
  std::string port;    // a number
  std::string asked;   // host and port as the request names them: without a port that is the scheme's own
  std::string target;  // path and query, as they are written
};

WebSocketUrl parse_web_socket_url(const std::string& text);  // throws std::invalid_argument

}  // namespace wazoauth

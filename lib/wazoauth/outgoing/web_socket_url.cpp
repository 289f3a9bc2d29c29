#include "wazoauth/outgoing/web_socket_url.h"

#include <algorithm>
#include <stdexcept>

#include "wazoauth/base/server_uri.h"

namespace wazoauth {

WebSocketUrl parse_web_socket_url(const std::string& text) {
  const ServerUri uri = parse_server_uri(text);
  const bool secure = uri.scheme == "wss";
  if (uri.host.empty() || (!secure && uri.scheme != "ws")) throw std::invalid_argument("it has no address");
  const int usual = secure ? 443 : 80, port = uri.port.value_or(usual);
  std::string asked = uri.host.find(':') == std::string::npos ? uri.host : "[" + uri.host + "]";
  if (port != usual) asked += ":" + std::to_string(port);
  const std::size_t authority = text.find("://") + 3;
  std::string target = text.substr(std::min(text.find_first_of("/?", authority), text.size()));
  if (!target.starts_with('/')) target.insert(0, "/");
  return {secure, uri.host, std::to_string(port), asked, target};
}

}  // namespace wazoauth

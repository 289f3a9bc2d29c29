#include "wazoauth/config/syslog.h"

#include <sys/un.h>

#include <stdexcept>

#include "wazoauth/base/server_uri.h"

namespace wazoauth {

SyslogServer parse_syslog_server(std::string_view text) {
  using Way = SyslogServer::Way;
  if (text.starts_with('/')) {
    if (text.size() >= sizeof(sockaddr_un::sun_path)) throw std::invalid_argument("is too long for a socket's path");
    return {Way::local, std::string(text), 0};
  }
  if (!text.starts_with("udp://") && !text.starts_with("tcp://"))
    throw std::invalid_argument("must be an absolute path, udp://host:port or tcp://host:port");
  const ServerUri uri = parse_server_uri(text);
  if (uri.host.empty() || !uri.port || uri.user || uri.path.value_or("") != "" || !uri.query.empty())
    throw std::invalid_argument("must have a host and a port, and nothing else");
  return {uri.scheme == "udp" ? Way::udp : Way::tcp, uri.host, *uri.port};
}

}  // namespace wazoauth

#include "wazoauth/base/amqp_uri.h"

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string_view>

#include "wazoauth/base/server_uri.h"

namespace wazoauth {

namespace {

[[noreturn]] void refuse(const std::string& sentence) {
  throw std::invalid_argument(sentence);
}

bool one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// RabbitMQ's names, then those of kombu.
void set_parameter(AmqpServer& server, const std::string& name, const std::string& value) {
  // How long and how much: this client has limits of its own.
  if (one_of(name, {"heartbeat", "connection_timeout", "channel_max", "frame_max", "connection_attempts", "retry_delay",
                    "socket_timeout", "stack_timeout", "blocked_connection_timeout", "locale", "confirm_publish"}))
    return;
  if (one_of(name, {"cacertfile", "ssl_ca_certs"})) {
    server.ca_file = value;
  } else if (one_of(name, {"certfile", "ssl_certfile"})) {
    server.cert_file = value;
  } else if (one_of(name, {"keyfile", "ssl_keyfile"})) {
    server.key_file = value;
  } else if (name == "verify") {
    if (value != "verify_peer") refuse("verify can only be verify_peer: the broker's certificate is always verified");
  } else if (name == "ssl_cert_reqs") {
    if (value != "CERT_REQUIRED" && value != "required")
      refuse("ssl_cert_reqs can only be CERT_REQUIRED: the broker's certificate is always verified");
  } else if (name == "ssl") {
    if (value != "true" && value != "1" && value != "True") refuse("for a connection without TLS write amqp://");
    server.tls = true;
  } else if (name == "auth_mechanism" || name == "login_method") {
    if (value != "plain" && value != "PLAIN") refuse("the only mechanism to log in by is PLAIN");
  } else {
    refuse("a parameter behind the ? isn't known; known are cacertfile, certfile, keyfile and verify");
  }
}

AmqpServer parse(const std::string& text) {
  const ServerUri uri = parse_server_uri(text);
  AmqpServer server;
  if (!one_of(uri.scheme, {"amqp", "amqps", "pyamqp", "librabbitmq"})) refuse("it must begin with amqp:// or amqps://");
  server.tls = uri.scheme == "amqps";
  for (const auto& [name, value] : uri.query) set_parameter(server, name, value);
  if (!uri.host.empty()) server.host = uri.host;
  server.port = uri.port.value_or(server.tls ? 5671 : 5672);
  if (uri.user && !uri.user->empty()) server.user = *uri.user;
  if (uri.password) server.password = *uri.password;
  // An empty virtual host is nobody's: "amqp://host/" means the default one, as it does to the Python daemon.
  if (uri.path && !uri.path->empty()) server.vhost = *uri.path;
  if (server.vhost.size() > 255) refuse("the virtual host is longer than 255 bytes");
  if (server.cert_file.empty() != server.key_file.empty()) refuse("certfile and keyfile only go together");
  if (!server.tls && !(server.ca_file + server.cert_file).empty()) refuse("certificates need amqps://");
  return server;
}

}  // namespace

std::vector<AmqpServer> parse_amqp_uris(const std::string& text) {
  std::vector<AmqpServer> servers;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    if (end > at) servers.push_back(parse(text.substr(at, end - at)));
    at = end + 1;
  }
  return servers;
}

}  // namespace wazoauth

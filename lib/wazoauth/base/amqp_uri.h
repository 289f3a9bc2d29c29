// How to reach RabbitMQ, as "AMQP URI Specification" and "URI Query Parameters" of rabbitmq.com have it.
#pragma once

#include <string>
#include <vector>

namespace wazoauth {

struct AmqpServer {
  bool tls = false;
  std::string host = "localhost";
  int port = 5672;
  std::string user = "guest", password = "guest";
  std::string vhost = "/";
  std::string ca_file;              // PEM; "" for the system's
  std::string cert_file, key_file;  // of this client; "" for none
};

// Several are joined by ';'. Throws std::invalid_argument with a sentence that shows no part of the text.
std::vector<AmqpServer> parse_amqp_uris(const std::string& text);

}  // namespace wazoauth

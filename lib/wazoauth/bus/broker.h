// One connection to RabbitMQ that publishes with confirms, on librabbitmq.
//
// Not thread-safe; nothing here waits longer than the limits of broker.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>

#include "wazoauth/base/amqp_uri.h"
#include "wazoauth/base/json.h"

namespace wazoauth {

// The broker is away or doesn't take anything at all.
struct BrokerUnavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The broker takes messages, but not (one of) these.
struct MessageRefused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Broker {
 public:
  struct Exchange {
    std::string name, type;
    bool durable;
  };
  // Connects and declares the exchange. Throws BrokerUnavailable.
  Broker(const AmqpServer& address, const Exchange& exchange);
  ~Broker();

  // Sends; confirm() tells what came of it. `headers`: texts and booleans. Throws BrokerUnavailable, MessageRefused.
  void publish(const std::string& routing_key, const Json& headers, const std::string& body);

  // Waits until the broker has taken everything that was published. Throws MessageRefused when it didn't take one, and
  // BrokerUnavailable; whatever is thrown, this connection is used up.
  void confirm();

  void serve_heartbeat();  // call it every few seconds; throws BrokerUnavailable

  int socket() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth

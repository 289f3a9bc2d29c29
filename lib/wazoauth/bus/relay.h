// From the outbox to RabbitMQ, with publisher confirms: at least once, in order. One relay per database at a time.
// Messages: docs/spec/events.md sections 1 and 2.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "wazoauth/base/wake.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class Broker;

class BusRelay {
 public:
  struct Options {
    std::string amqp_uri;  // several are joined by ';'
    std::string exchange_name, exchange_type;
    bool exchange_durable = true;
    std::string origin_uuid;
    DatabaseOptions database;
    Wake* wake;
  };
  explicit BusRelay(Options options);
  ~BusRelay();

  void run();        // until wake->stop()
  void interrupt();  // from another thread: nothing waits for the broker any more

 private:
  bool relay();  // false: there was nothing to do
  void connect();
  void disconnect();
  void publish_alone(const Rows& rows, std::size_t row);
  void settle(const std::vector<std::string>& row_ids);

  Options options_;
  Database database_;
  std::vector<std::string> uris_;
  std::size_t next_uri_ = 0;
  std::unique_ptr<Broker> broker_;
  std::atomic<int> socket_{-1};
};

}  // namespace wazoauth

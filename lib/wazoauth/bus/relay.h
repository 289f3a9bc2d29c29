// From the outbox to RabbitMQ, with publisher confirms: at least once, in order. One relay per database at a time.
// Messages: docs/spec/events.md sections 1 and 2.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wazoauth/base/amqp_uri.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

class Broker;

class BusRelay {
 public:
  struct Options {
    std::vector<AmqpServer> servers;  // tried in turn
    std::string exchange_name, exchange_type;
    bool exchange_durable = true;
    std::string origin_uuid;
    std::chrono::seconds session_event_lifetime{0};  // 0: they wait for ever
    std::function<void(std::uint64_t)> dropped;      // so many were too old
    DatabaseOptions database;
    Wake* wake;
  };
  explicit BusRelay(Options options);
  ~BusRelay();

  void run();        // until wake->stop()
  void interrupt();  // from another thread: nothing waits for the broker any more

 private:
  bool relay();  // false: there was nothing to do
  void drop_late();
  void see_broker(bool there);
  void connect();
  void disconnect();
  void publish_alone(const Rows& rows, std::size_t row);
  void settle(const std::vector<std::string>& row_ids);

  Options options_;
  Database database_;
  std::size_t next_server_ = 0;
  Trouble trouble_{log::Level::warning, "events: the broker is back"}, late_{log::Level::warning};
  BootTime next_look_;  // for late events
  std::unique_ptr<Broker> broker_;
  std::atomic<int> socket_{-1};
};

}  // namespace wazoauth

#include "wazoauth/bus/relay.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/bus/broker.h"
#include "wazoauth/store/leader.h"

namespace wazoauth {

namespace {

constexpr std::string_view lead = "wazo_auth.bus_relay";
constexpr std::chrono::milliseconds idle{2000}, first_retry{500}, last_retry{10000}, look_every{60000};

// Local time without a zone; no fraction when there is none.
std::string timestamp() {
  const UnixTime now = unix_time();
  const auto whole = std::chrono::floor<std::chrono::seconds>(now);
  const std::time_t seconds = whole.time_since_epoch().count();
  std::tm parts{};
  localtime_r(&seconds, &parts);
  char text[48];
  std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto fraction = static_cast<int>((now - whole).count());
  if (fraction != 0)
    size += static_cast<std::size_t>(std::snprintf(text + size, sizeof text - size, ".%06d", fraction));
  return {text, size};
}

void publish(Broker& broker, const Rows& rows, std::size_t row, const std::string& origin_uuid) {
  Json headers = rows.json(row, "headers");
  headers.set("origin_uuid", origin_uuid).set("timestamp", timestamp());
  Json body = headers;
  body.set("data", rows.json(row, "body"));
  broker.publish(rows.text(row, "routing_key"), headers, body.dump());
}

std::vector<std::string> ids(const Rows& rows) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < rows.size(); ++i) all.push_back(rows.text(i, "id"));
  return all;
}

}  // namespace

BusRelay::BusRelay(Options options) : options_(std::move(options)), database_(leader_options(options_.database)) {}

BusRelay::~BusRelay() = default;

void BusRelay::run() {
  std::uint64_t seen = 0;
  std::chrono::milliseconds pause{0}, back_off = first_retry;
  while (options_.wake->wait(pause, seen)) {
    try {
      if (!take_lead(database_, lead)) {
        disconnect();
        if (options_.database.meters) options_.database.meters->broker = Meters::Seen::unknown;  // another nginx knows
        pause = last_retry;
        continue;
      }
      drop_late();
      pause = relay() ? std::chrono::milliseconds(0) : idle;
      if (broker_) broker_->serve_heartbeat();
      if (broker_) {
        see_broker(true);
        trouble_.over();
        late_.over();
      }
      back_off = first_retry;
    } catch (const std::exception& e) {
      disconnect();
      if (dynamic_cast<const BrokerUnavailable*>(&e)) see_broker(false);
      trouble_.is(std::string("events wait in the outbox: ") + e.what());
      pause = back_off;
      back_off = std::min(back_off * 2, last_retry);
      // Rows that are written meanwhile are no reason to try sooner.
      if (!options_.wake->wait(pause)) break;
      pause = std::chrono::milliseconds(0);
    }
  }
  disconnect();
}

void BusRelay::see_broker(bool there) {
  if (Meters* const meters = options_.database.meters) meters->see(&Meters::broker, there);
}

void BusRelay::interrupt() {
  if (const int fd = socket_.exchange(-1); fd >= 0) shutdown(fd, SHUT_RDWR);
}

void BusRelay::connect() {
  if (broker_) return;
  if (options_.servers.empty()) throw BrokerUnavailable("amqp.uri is empty");
  const AmqpServer& server = options_.servers[next_server_++ % options_.servers.size()];
  broker_ = std::make_unique<Broker>(
      server, Broker::Exchange{options_.exchange_name, options_.exchange_type, options_.exchange_durable});
  socket_ = broker_->socket();
  if (options_.wake->stopping()) throw BrokerUnavailable("stopping");
}

// Sessions that began and ended long ago are nobody's news, and there are as many as there were logins. What is left of
// tenants and users waits for as long as it takes: others keep data of theirs.
void BusRelay::drop_late() {
  if (options_.session_event_lifetime.count() == 0 || BootClock::now() < next_look_) return;
  std::uint64_t dropped = 0;
  std::string last = "0";
  for (bool more = true; more && !options_.wake->stopping();) {
    UnitOfWork unit(database_);
    require_lead(unit, lead);
    const Rows rows = unit.run("node.drop_late", {last, std::to_string(options_.session_event_lifetime.count())});
    unit.commit();
    dropped += static_cast<std::uint64_t>(rows.integer(0, "dropped"));
    more = rows.boolean(0, "more");
    last = rows.text(0, "last");
  }
  next_look_ = BootClock::now() + look_every;
  if (dropped == 0) return;
  late_.is("events of sessions are older than amqp.session_event_lifetime, and dropped");
  if (options_.dropped) options_.dropped(dropped);
}

// The rows stay until the broker has them; who dies in between leaves them to the next, who sends them again. No
// transaction is open while this waits for the broker.
bool BusRelay::relay() {
  UnitOfWork reading(database_);
  require_lead(reading, lead);
  const Rows rows = reading.run("node.events_waiting");
  reading.commit();
  if (rows.empty()) return false;
  connect();
  try {
    for (std::size_t i = 0; i < rows.size(); ++i) publish(*broker_, rows, i, options_.origin_uuid);
    broker_->confirm();
    settle(ids(rows));
  } catch (const MessageRefused&) {
    disconnect();
    for (std::size_t i = 0; i < rows.size(); ++i) publish_alone(rows, i);
  }
  return true;
}

void BusRelay::publish_alone(const Rows& rows, std::size_t row) {
  const std::vector<std::string> id{rows.text(row, "id")};
  try {
    connect();
    publish(*broker_, rows, row, options_.origin_uuid);
    broker_->confirm();
    settle(id);
  } catch (const MessageRefused& e) {
    disconnect();
    log::error("event " + id[0] + " (" + rows.text(row, "routing_key") + ") is refused for good: " + e.what());
    UnitOfWork unit(database_);
    unit.run("node.refused", {Param(id), e.what()});
    unit.commit();
  }
}

void BusRelay::settle(const std::vector<std::string>& row_ids) {
  UnitOfWork unit(database_);
  unit.run("node.done", {Param(row_ids)});
  unit.commit();
}

void BusRelay::disconnect() {
  socket_ = -1;
  broker_.reset();
}

}  // namespace wazoauth

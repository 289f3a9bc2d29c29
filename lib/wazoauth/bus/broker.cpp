#include "wazoauth/bus/broker.h"

#if __has_include(<rabbitmq-c/amqp.h>)  // where librabbitmq 0.12 moved them to
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

#include <chrono>
#include <vector>

namespace wazoauth {

namespace {

using Clock = std::chrono::steady_clock;

constexpr timeval handshake_limit{2, 0}, rpc_limit{5, 0};
constexpr std::chrono::seconds confirm_limit{15};
constexpr int heartbeat_seconds = 10;
constexpr amqp_channel_t channel = 1;
constexpr char certificates[] = "/etc/ssl/certs/ca-certificates.crt";

amqp_bytes_t bytes(const std::string& text) {
  amqp_bytes_t result;
  result.len = text.size();
  result.bytes = const_cast<char*>(text.data());  // librabbitmq only reads it
  return result;
}

std::string text(const amqp_bytes_t& value) {
  return {static_cast<const char*>(value.bytes), value.len};
}

// Why the broker closes a channel or a connection; message_fault: because of what was published, not of who publishes
// or where to.
struct Closed {
  std::string reason;
  bool message_fault;
};

Closed read_close(const amqp_method_t& method) {
  if (method.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const auto& close = *static_cast<amqp_channel_close_t*>(method.decoded);
    const std::string reason = text(close.reply_text);
    const bool about_key = close.reply_code == AMQP_ACCESS_REFUSED && reason.find("to topic") != std::string::npos;
    const bool about_exchange = close.reply_code == AMQP_ACCESS_REFUSED || close.reply_code == AMQP_NOT_FOUND;
    return {reason, about_key || !about_exchange};
  }
  const auto& close = *static_cast<amqp_connection_close_t*>(method.decoded);
  const bool forced = close.reply_code == AMQP_CONNECTION_FORCED || close.reply_code == AMQP_INTERNAL_ERROR;
  return {text(close.reply_text), !forced};
}

std::string describe(const amqp_rpc_reply_t& reply) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return amqp_error_string2(reply.library_error);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
      (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD || reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD))
    return read_close(reply.reply).reason;
  return "no answer";
}

void require(const amqp_rpc_reply_t& reply, const char* what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) throw BrokerUnavailable(std::string(what) + ": " + describe(reply));
}

amqp_table_entry_t boolean_entry(const char* key, bool value) {
  amqp_table_entry_t entry;
  entry.key = amqp_cstring_bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = value ? 1 : 0;
  return entry;
}

}  // namespace

struct Broker::State {
  struct Destroy {
    void operator()(amqp_connection_state_t connection) const { amqp_destroy_connection(connection); }
  };
  std::unique_ptr<amqp_connection_state_t_, Destroy> connection{amqp_new_connection()};
  std::string exchange;
  std::uint64_t last_tag = 0;
  std::set<std::uint64_t> open;  // not yet confirmed
  bool refused = false;
  bool blocked = false;  // the broker is short of memory or disk and reads nothing

  amqp_connection_state_t get() { return connection.get(); }

  static void set_certificates(amqp_socket_t* socket, const AmqpServer& server) {
    const std::string file = server.ca_file.empty() ? certificates : server.ca_file;
    if (amqp_ssl_socket_set_cacert(socket, file.c_str()) != AMQP_STATUS_OK)
      throw BrokerUnavailable("no authority's certificate can be read from " + file);
    if (!server.cert_file.empty() &&
        amqp_ssl_socket_set_key(socket, server.cert_file.c_str(), server.key_file.c_str()) != AMQP_STATUS_OK)
      throw BrokerUnavailable("no certificate with its key can be read from " + server.cert_file + " and " +
                              server.key_file);
  }

  void open_socket(const AmqpServer& address) {
    amqp_socket_t* const socket = address.tls ? amqp_ssl_socket_new(get()) : amqp_tcp_socket_new(get());
    if (!socket) throw std::bad_alloc();
    if (address.tls) set_certificates(socket, address);
    timeval limit = handshake_limit;
    const int status = amqp_socket_open_noblock(socket, address.host.c_str(), address.port, &limit);
    if (status != AMQP_STATUS_OK)
      throw BrokerUnavailable(address.host + ":" + std::to_string(address.port) + ": " + amqp_error_string2(status));
  }

  void log_in(const AmqpServer& address) {
    amqp_table_entry_t can[] = {boolean_entry("connection.blocked", true)};
    amqp_table_entry_t entry;
    entry.key = amqp_cstring_bytes("capabilities");
    entry.value.kind = AMQP_FIELD_KIND_TABLE;
    entry.value.value.table = {1, can};
    const amqp_table_t properties{1, &entry};
    require(amqp_login_with_properties(get(), address.vhost.c_str(), AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE,
                                       heartbeat_seconds, &properties, AMQP_SASL_METHOD_PLAIN, address.user.c_str(),
                                       address.password.c_str()),
            "log in");
  }

  void declare(const Exchange& wanted) {
    exchange = wanted.name;
    amqp_channel_open(get(), channel);
    require(amqp_get_rpc_reply(get()), "open a channel");
    amqp_exchange_declare(get(), channel, bytes(wanted.name), bytes(wanted.type), 0, wanted.durable ? 1 : 0, 0, 0,
                          amqp_empty_table);
    require(amqp_get_rpc_reply(get()), "declare the exchange");
    amqp_confirm_select(get(), channel);
    require(amqp_get_rpc_reply(get()), "ask for confirms");
  }

  void settle(std::uint64_t tag, bool multiple) {
    multiple ? (void)open.erase(open.begin(), open.upper_bound(tag)) : (void)open.erase(tag);
  }

  void handle(const amqp_frame_t& frame) {
    if (frame.frame_type != AMQP_FRAME_METHOD) return;
    const amqp_method_t& method = frame.payload.method;
    switch (method.id) {
      case AMQP_BASIC_ACK_METHOD: {
        const auto& ack = *static_cast<amqp_basic_ack_t*>(method.decoded);
        return settle(ack.delivery_tag, ack.multiple != 0);
      }
      case AMQP_BASIC_NACK_METHOD: {
        const auto& nack = *static_cast<amqp_basic_nack_t*>(method.decoded);
        refused = true;
        return settle(nack.delivery_tag, nack.multiple != 0);
      }
      case AMQP_CONNECTION_BLOCKED_METHOD:
        blocked = true;
        return;
      case AMQP_CONNECTION_UNBLOCKED_METHOD:
        blocked = false;
        return;
      case AMQP_CHANNEL_CLOSE_METHOD:
      case AMQP_CONNECTION_CLOSE_METHOD: {
        const Closed closed = read_close(method);
        if (closed.message_fault) throw MessageRefused(closed.reason);
        throw BrokerUnavailable(closed.reason);
      }
      default:
        return;
    }
  }

  // Reads one frame, if one comes within `limit`, and lets librabbitmq see to its heartbeats.
  void pump(timeval limit) {
    amqp_maybe_release_buffers(get());
    amqp_frame_t frame;
    const int status = amqp_simple_wait_frame_noblock(get(), &frame, &limit);
    if (status == AMQP_STATUS_TIMEOUT) return;
    if (status != AMQP_STATUS_OK) throw BrokerUnavailable(amqp_error_string2(status));
    handle(frame);
  }

  void drain() {
    while (amqp_frames_enqueued(get()) || amqp_data_in_buffer(get())) pump({0, 0});
    pump({0, 0});
  }
};

Broker::Broker(const AmqpServer& address, const Exchange& exchange) : state_(std::make_unique<State>()) {
  if (!state_->connection) throw std::bad_alloc();
  timeval handshake = handshake_limit, rpc = rpc_limit;
  amqp_set_handshake_timeout(state_->get(), &handshake);
  amqp_set_rpc_timeout(state_->get(), &rpc);
  state_->open_socket(address);
  state_->log_in(address);
  state_->declare(exchange);
}

Broker::~Broker() = default;

int Broker::socket() const {
  return amqp_get_sockfd(state_->get());
}

void Broker::publish(const std::string& routing_key, const Json& headers, const std::string& body) {
  if (routing_key.size() > 255) throw MessageRefused("the routing key is longer than 255 bytes");
  std::vector<std::string> values;
  values.reserve(headers.size());
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, value] : headers.members()) {
    if (key.size() > 255) throw MessageRefused("a header's name is longer than 255 bytes");
    if (value.is_boolean()) {
      entries.push_back(boolean_entry(key.c_str(), value.boolean()));
      continue;
    }
    values.emplace_back(value.is_string() ? std::string(value.text()) : value.dump());
    amqp_table_entry_t entry;
    entry.key = bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = bytes(values.back());
    entries.push_back(entry);
  }
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG |
                      AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG;
  properties.content_type = amqp_cstring_bytes("application/json");
  properties.content_encoding = amqp_cstring_bytes("utf-8");
  properties.headers = {static_cast<int>(entries.size()), entries.data()};
  properties.delivery_mode = 2;
  properties.priority = 0;
  const int status = amqp_basic_publish(state_->get(), channel, bytes(state_->exchange), bytes(routing_key), 0, 0,
                                        &properties, bytes(body));
  if (status == AMQP_STATUS_TABLE_TOO_BIG || status == AMQP_STATUS_BAD_AMQP_DATA)
    throw MessageRefused(amqp_error_string2(status));
  if (status != AMQP_STATUS_OK) throw BrokerUnavailable(amqp_error_string2(status));
  state_->open.insert(++state_->last_tag);
}

void Broker::confirm() {
  auto limit = Clock::now() + confirm_limit;
  while (!state_->open.empty()) {
    state_->pump({0, 200000});
    // A blocked broker reads later what it was sent: giving up would only double the message.
    if (state_->blocked) limit = Clock::now() + confirm_limit;
    if (Clock::now() > limit) throw BrokerUnavailable("no confirmation");
  }
  if (state_->refused) throw MessageRefused("not accepted (basic.nack)");
}

void Broker::serve_heartbeat() {
  state_->drain();
}

}  // namespace wazoauth

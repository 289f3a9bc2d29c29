// The client's TLS over a socket, against OpenSSL as the server.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/read.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "certificate.h"
#include "check.h"
#include "listener.h"
#include "wazoauth/outgoing/tls_stream.h"

using wazoauth::TlsStream;

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using check::equal;
using Error = TlsStream::Error;

constexpr std::chrono::seconds patience{20};

const Certificate& certificate() {
  static const Certificate made(EVP_EC_gen("P-256"), "DNS:localhost,IP:127.0.0.1");
  return made;
}

// OpenSSL's buffers that the test's own thread has allocated, and not the server's.
class Buffers {
 public:
  static void watch() {
    assert_int_equal(CRYPTO_set_mem_functions(allocate, reallocate, release), 1);
    is_client_ = true;
  }
  static std::size_t count() {
    const std::lock_guard lock(mutex_);
    return live_.size();
  }

 private:
  static void* noted(void* block, std::size_t size) {
    const std::lock_guard lock(mutex_);
    if (is_client_ && size >= SSL3_RT_MAX_PLAIN_LENGTH) live_.insert(block);
    return block;
  }
  static void* allocate(std::size_t size, const char*, int) { return noted(std::malloc(size), size); }
  static void* reallocate(void* block, std::size_t size, const char*, int) {
    forget(block);
    return noted(std::realloc(block, size), size);
  }
  static void release(void* block, const char*, int) {
    forget(block);
    std::free(block);
  }
  static void forget(void* block) {
    const std::lock_guard lock(mutex_);
    live_.erase(block);
  }

  static inline thread_local bool is_client_ = false;
  static inline std::mutex mutex_;
  static inline std::set<void*> live_;
};

// Serves one connection, on a thread: `serve` is called after the handshake.
class Server {
 public:
  using Serve = std::function<void(SSL* tls)>;

  explicit Server(Serve serve, int version = TLS1_3_VERSION) : serve_(std::move(serve)), version_(version) {
    thread_ = std::thread([this] { run(); });
  }
  ~Server() { end(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void end() {
    if (!thread_.joinable()) return;
    shutdown(listener_.fd, SHUT_RDWR);
    thread_.join();
  }

  std::uint16_t port() const { return listener_.port; }

  std::string told;  // the name that the client told; read it after end()

 private:
  void run() {
    const int socket = accept(listener_.fd, nullptr, nullptr);
    if (socket == -1) return;
    SSL_CTX* const settings = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(settings, version_);
    SSL_CTX_use_certificate(settings, certificate().certificate);
    SSL_CTX_use_PrivateKey(settings, certificate().key);
    SSL* const tls = SSL_new(settings);
    SSL_set_fd(tls, socket);
    if (SSL_accept(tls) == 1) {
      if (const char* const name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name)) told = name;
      serve_(tls);
    }
    SSL_free(tls);
    SSL_CTX_free(settings);
    close(socket);
  }

  Serve serve_;
  int version_;
  Listener listener_;
  std::thread thread_;
};

std::string text_from(SSL* tls) {
  char text[65536];
  const int size = SSL_read(tls, text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

void say(SSL* tls, const std::string& text) {
  SSL_write(tls, text.data(), static_cast<int>(text.size()));
}

// Until the client ends the connection.
void echo(SSL* tls) {
  for (std::string text = text_from(tls); !text.empty(); text = text_from(tls)) say(tls, text);
}

asio::ssl::context trusting() {
  asio::ssl::context made(asio::ssl::context::tls_client);
  made.add_certificate_authority(asio::buffer(certificate().pem()));
  return made;
}

asio::ssl::context& prepared(asio::ssl::context& settings) {
  settings.set_verify_mode(asio::ssl::verify_peer);
  TlsStream::prepare(settings);
  return settings;
}

struct Client {
  asio::io_context context{1};
  asio::ssl::context settings;
  TlsStream stream{context, prepared(settings)};

  explicit Client(std::uint16_t port, asio::ssl::context with = trusting()) : settings(std::move(with)) {
    stream.next_layer().socket().connect({asio::ip::address_v4::loopback(), port});
  }
  explicit Client(const Server& server, asio::ssl::context with = trusting())
      : Client(server.port(), std::move(with)) {}

  struct Result {
    std::optional<Error> error;  // none: not yet
    std::size_t size = 0;
  };

  auto into(Result& result) {
    return [&result](Error error, std::size_t size) { result = {error, size}; };
  }

  void run_until_done(const Result& result) {
    context.restart();
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!result.error && context.run_one_until(end) > 0) continue;
    check::that(result.error.has_value(), "it ends in time");
  }

  Error handshake(const std::string& server = "localhost") {
    Result result;
    check::that(stream.begin(server), "it begins");
    stream.async_handshake(into(result));
    check::never(result.error.has_value(), "the handler is called by who begins");
    run_until_done(result);
    return *result.error;
  }

  std::string read(std::size_t most = 65536) {
    std::string text(most, '\0');
    Result result;
    stream.async_read_some(asio::buffer(text), into(result));
    run_until_done(result);
    if (*result.error) return result.error->message();
    text.resize(result.size);
    return text;
  }

  template <typename Buffers>
  Error write(const Buffers& buffers) {
    Result result;
    asio::async_write(stream, buffers, into(result));
    run_until_done(result);
    return *result.error;
  }
};

void names_and_addresses(void**) {
  for (const auto& [server, told] : {std::pair{"localhost", "localhost"}, {"127.0.0.1", ""}}) {
    Server peer(echo);
    {
      Client client(peer);
      equal(client.handshake(server).message(), "Success", server);
      equal(client.write(asio::buffer("text", 4)).message(), "Success", server);
      equal(client.read(), "text", server);
    }
    peer.end();
    equal(peer.told, told, server);
  }
}

void another_server_is_refused(void**) {
  for (const auto& [server, verdict] : {std::pair{"other.example", X509_V_ERR_HOSTNAME_MISMATCH},
                                        {"localhost.example", X509_V_ERR_HOSTNAME_MISMATCH},
                                        {"127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH},
                                        {"::1", X509_V_ERR_IP_ADDRESS_MISMATCH}}) {
    Server peer(echo);
    Client client(peer);
    equal(client.handshake(server).message(), "certificate verify failed (SSL routines)", server);
    equal(SSL_get_verify_result(client.stream.native_handle()), static_cast<long>(verdict), server);
  }
}

void a_server_without_a_name_is_no_server(void**) {
  Server peer(echo);
  Client client(peer);
  check::never(client.stream.begin(""), "it begins");
}

void a_certificate_that_nobody_vouches_for(void**) {
  Server peer(echo);
  Client client(peer, asio::ssl::context(asio::ssl::context::tls_client));
  equal(client.handshake().message(), "certificate verify failed (SSL routines)");
}

void buffers_go_out_together(void**) {
  std::promise<std::string> first;
  Server peer([&](SSL* tls) { first.set_value(text_from(tls)); });
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  const std::string parts[] = {"GET /", "", " HTTP/1.1\r\n", "\r\n"};
  std::vector<asio::const_buffer> buffers;
  for (const std::string& part : parts) buffers.push_back(asio::buffer(part));
  equal(client.write(buffers).message(), "Success");
  equal(first.get_future().get(), "GET / HTTP/1.1\r\n\r\n");
}

void nothing_to_do(void**) {
  Server peer(echo);
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  Client::Result read, written;
  client.stream.async_read_some(asio::mutable_buffer(), client.into(read));
  client.stream.async_write_some(asio::const_buffer(), client.into(written));
  client.run_until_done(read);
  client.run_until_done(written);
  equal(read.error->message() + written.error->message(), "SuccessSuccess");
}

// More than the socket takes, in both directions at once, with what TLS has to say in between.
void both_directions(void**) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Server peer(
        [&](SSL* tls) {
          int count = 0;
          for (std::string text = text_from(tls); !text.empty(); text = text_from(tls)) {
            if (version == TLS1_3_VERSION && ++count % 16 == 0) SSL_key_update(tls, SSL_KEY_UPDATE_NOT_REQUESTED);
            say(tls, text);
          }
        },
        version);
    Client client(peer);
    check::never(static_cast<bool>(client.handshake()), "it fails");
    std::string sent(std::size_t{8} << 20, 'x'), received(sent.size(), '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 24);
    Client::Result written, read;
    asio::async_write(client.stream, asio::buffer(sent), client.into(written));
    asio::async_read(client.stream, asio::buffer(received), client.into(read));
    client.run_until_done(written);
    client.run_until_done(read);
    equal(written.error->message() + read.error->message(), "SuccessSuccess", std::to_string(version));
    check::that(sent == received, "all of it came back");
  }
}

// The server asks for new keys while the client only reads: the answer to that goes out by the reading.
void new_keys_on_demand(void**) {
  Server peer([](SSL* tls) {
    for (int i = 0; i < 3; ++i) {
      SSL_key_update(tls, SSL_KEY_UPDATE_REQUESTED);
      say(tls, "more");
      if (text_from(tls) != "yes") return;
    }
    say(tls, "good");
  });
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  for (int i = 0; i < 3; ++i) {
    equal(client.read(), "more");
    equal(client.write(asio::buffer("yes", 3)).message(), "Success");
  }
  equal(client.read(), "good");
}

// What another connection, or the system's authorities, left in the thread's queue isn't this connection's.
void errors_of_others(void**) {
  Server peer(echo);
  Client client(peer);
  ERR_put_error(ERR_LIB_X509, 0, X509_R_CERT_ALREADY_IN_HASH_TABLE, "", 0);
  equal(client.handshake().message(), "Success");
  client.write(asio::buffer("text", 4));
  equal(client.read(), "text");  // and what comes with the handshake, of which OpenSSL clears the queue itself
  Client::Result result;
  std::string text(64, '\0');
  client.stream.async_read_some(asio::buffer(text), client.into(result));
  ERR_put_error(ERR_LIB_X509, 0, X509_R_CERT_ALREADY_IN_HASH_TABLE, "", 0);
  client.context.restart();
  client.context.poll();
  check::never(result.error.has_value(), "it ends");
  equal(client.write(asio::buffer("text", 4)).message(), "Success");
  client.run_until_done(result);
  equal(result.error->message(), "Success");
}

// What comes last before the wait is a session ticket, for which OpenSSL allocates buffers anew.
void waits_without_buffers(void**) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Server peer(
        [](SSL* tls) {
          say(tls, "hello");
          text_from(tls);
        },
        version);
    Client client(peer);
    const std::size_t before = Buffers::count();
    check::never(static_cast<bool>(client.handshake()), "it fails");
    equal(client.read(), "hello");
    Client::Result never;
    std::string text(64, '\0');
    client.stream.async_read_some(asio::buffer(text), client.into(never));
    client.context.restart();
    client.context.poll();
    check::equal(Buffers::count(), before, std::to_string(version));
    client.stream.next_layer().close();
    client.run_until_done(never);
  }
}

// A record that comes in two parts, with a wait between its head and its body.
void half_a_record(void**) {
  std::promise<void> go_on;
  Server peer([&](SSL* tls) {
    text_from(tls);
    const int socket = SSL_get_fd(tls);
    BIO* const memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(tls, memory);
    say(tls, "a whole record");
    char record[256];
    const auto size = static_cast<std::size_t>(BIO_read(memory, record, sizeof record));
    assert_int_equal(send(socket, record, 5, 0), 5);
    go_on.get_future().wait();
    send(socket, record + 5, size - 5, 0);
  });
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  equal(client.write(asio::buffer("go", 2)).message(), "Success");
  std::string text(64, '\0');
  Client::Result result;
  client.stream.async_read_some(asio::buffer(text), client.into(result));
  client.context.restart();
  while (std::string_view(SSL_rstate_string(client.stream.native_handle())) != "RB") client.context.run_one();
  while (client.context.poll() > 0) continue;
  check::never(result.error.has_value(), "it ends");
  go_on.set_value();
  client.run_until_done(result);
  equal(text.substr(0, result.size), "a whole record");
}

void ends(void**) {
  const auto how_it_ends = [](const Server::Serve& serve) {
    Server peer(serve);
    Client client(peer);
    check::never(static_cast<bool>(client.handshake()), "it fails");
    client.write(asio::buffer("go", 2));
    return client.read();
  };
  equal(how_it_ends([](SSL* tls) {
          text_from(tls);
          SSL_shutdown(tls);
        }),
        "End of file");
  equal(how_it_ends([](SSL* tls) { text_from(tls); }), "stream truncated");
  equal(how_it_ends([](SSL* tls) {
          text_from(tls);
          const linger at_once{1, 0};
          setsockopt(SSL_get_fd(tls), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }),
        "Connection reset by peer");
  equal(how_it_ends([](SSL* tls) {
          text_from(tls);
          const char garbage[] = "this is not a record of TLS at all";
          [[maybe_unused]] const auto size = write(SSL_get_fd(tls), garbage, sizeof garbage);
        }),
        "wrong version number (SSL routines)");
}

void the_server_hangs_up_during_the_handshake(void**) {
  const Listener listener;
  Client client(listener.port);
  const int accepted = accept(listener.fd, nullptr, nullptr);
  shutdown(accepted, SHUT_WR);
  equal(client.handshake().message(), "stream truncated");
  close(accepted);
}

// Writes after the other side is gone: an error, and no signal's end of the process.
void writes_to_nobody(void**) {
  Server peer([](SSL*) {});
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  peer.end();
  const std::string text(1000, 'x');
  Error error;
  for (int i = 0; i < 10000 && !error; ++i) error = client.write(asio::buffer(text));
  check::that(error == asio::error::broken_pipe || error == asio::error::connection_reset, error.message());
}

// Everything that may be under way when the socket is closed: what has the socket's number then isn't touched.
void a_closed_socket_is_left_alone(void**) {
  for (const bool secured : {false, true}) {
    Server peer(echo);
    Client client(peer);
    if (secured)
      check::never(static_cast<bool>(client.handshake()), "it fails");
    else
      check::that(client.stream.begin("localhost"), "it begins");
    std::string text(64, '\0');
    Client::Result read, written;
    if (secured) {
      client.stream.async_read_some(asio::buffer(text), client.into(read));
      client.stream.async_write_some(asio::buffer("text", 4), client.into(written));
    } else {
      client.stream.async_handshake(client.into(read));
      written.error = asio::error::operation_aborted;
    }
    const int number = client.stream.next_layer().socket().native_handle();
    client.stream.next_layer().close();
    int others[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, others), 0);
    const int one = others[0] == number ? others[0] : others[1];
    equal(one, number);
    const int other = one == others[0] ? others[1] : others[0];
    assert_int_equal(write(other, "abc", 3), 3);  // which nobody else may read
    client.stream.say_end();
    client.run_until_done(read);
    client.run_until_done(written);
    equal(*read.error == asio::error::operation_aborted, true);
    equal(*written.error == asio::error::operation_aborted, true);
    char found[8];
    equal(recv(one, found, sizeof found, 0), 3);
    equal(recv(other, found, sizeof found, 0), -1);
    close(others[0]);
    close(others[1]);
  }
}

void closed_while_it_waits(void**) {
  Server peer(echo);
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  std::string text(64, '\0');
  Client::Result result;
  client.stream.async_read_some(asio::buffer(text), client.into(result));
  client.context.restart();
  client.context.poll();
  check::never(result.error.has_value(), "it ends");
  client.stream.next_layer().close();
  client.run_until_done(result);
  check::that(*result.error == asio::error::operation_aborted, result.error->message());
}

// With a write that doesn't get through: its end isn't told, and nothing hangs or is lost.
void ended_in_the_middle_of_a_write(void**) {
  std::promise<void> over;
  Server peer([&](SSL*) { over.get_future().wait(); });
  {
    Client client(peer);
    check::never(static_cast<bool>(client.handshake()), "it fails");
    const std::string text(std::size_t{32} << 20, 'x');
    Client::Result result;
    asio::async_write(client.stream, asio::buffer(text), client.into(result));
    client.context.restart();
    while (client.context.poll() > 0) continue;
    check::never(result.error.has_value(), "it ends");
    client.stream.say_end();
    Client::Result end;
    async_teardown(boost::beast::role_type::client, client.stream, [&](Error error) { end = {error, 0}; });
    over.set_value();
    client.run_until_done(result);
    client.run_until_done(end);
    check::that(static_cast<bool>(*result.error), "the write fails");
  }
}

void says_its_end(void**) {
  std::promise<int> shut;
  Server peer([&](SSL* tls) {
    text_from(tls);
    shut.set_value(SSL_get_shutdown(tls));
  });
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  Client::Result end;
  async_teardown(boost::beast::role_type::client, client.stream, [&](Error error) { end = {error, 0}; });
  client.run_until_done(end);
  equal(shut.get_future().get(), SSL_RECEIVED_SHUTDOWN);
  check::never(client.stream.next_layer().socket().is_open(), "it is open");
}

// Operations whose loop has ended are destroyed with it.
void destroyed_while_it_waits(void**) {
  Server peer(echo);
  Client client(peer);
  check::never(static_cast<bool>(client.handshake()), "it fails");
  const auto held = std::make_shared<std::string>(64, '\0');
  client.stream.async_read_some(asio::buffer(*held), [held](Error, std::size_t) {});
  client.context.restart();
  client.context.poll();
  equal(held.use_count(), 2L);
}

}  // namespace

int main() {
  signal(SIGPIPE, SIG_IGN);
  Buffers::watch();
  const CMUnitTest tests[] = {cmocka_unit_test(names_and_addresses),
                              cmocka_unit_test(another_server_is_refused),
                              cmocka_unit_test(a_server_without_a_name_is_no_server),
                              cmocka_unit_test(a_certificate_that_nobody_vouches_for),
                              cmocka_unit_test(buffers_go_out_together),
                              cmocka_unit_test(nothing_to_do),
                              cmocka_unit_test(both_directions),
                              cmocka_unit_test(new_keys_on_demand),
                              cmocka_unit_test(errors_of_others),
                              cmocka_unit_test(waits_without_buffers),
                              cmocka_unit_test(half_a_record),
                              cmocka_unit_test(ends),
                              cmocka_unit_test(the_server_hangs_up_during_the_handshake),
                              cmocka_unit_test(writes_to_nobody),
                              cmocka_unit_test(a_closed_socket_is_left_alone),
                              cmocka_unit_test(closed_while_it_waits),
                              cmocka_unit_test(ended_in_the_middle_of_a_write),
                              cmocka_unit_test(says_its_end),
                              cmocka_unit_test(destroyed_while_it_waits)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

#include "wazoauth/outgoing/web_sockets.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "wazoauth/base/log.h"
#include "wazoauth/base/start_thread.h"
#include "wazoauth/outgoing/tls_stream.h"
#include "wazoauth/outgoing/web_socket_url.h"

namespace wazoauth {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ssl = asio::ssl;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using Error = boost::system::error_code;
using Plain = websocket::stream<beast::tcp_stream>;
using Secure = websocket::stream<TlsStream>;

// One connection. Every operation holds it; what happens after end() is ignored.
class Session {
 public:
  virtual ~Session() = default;
  virtual void start() = 0;
  virtual void end() = 0;
};

}  // namespace

struct WebSockets::State : std::enable_shared_from_this<WebSockets::State> {
  explicit State(Options o) : options(std::move(o)) {}

  Options options;
  std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>(1);
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::optional<ssl::context> tls;  // made when it is needed first: it reads all certificates of authorities
  std::map<std::string, std::shared_ptr<Session>> sessions;
  std::mutex mutex;  // of the three that follow
  std::thread thread;
  bool stopping = false, ended = true;
  std::condition_variable changed;

  void run() {
    for (;;) {
      try {
        context->run();
        break;
      } catch (const std::exception& e) {
        log::error(std::string("WebSocket: ") + e.what());
      }
    }
    sessions.clear();
    work.reset();
    std::unique_lock lock(mutex);  // stop() is done with the context
    auto last = std::move(context);
    lock.unlock();
    // Its end waits for names that are being looked up: here, where stop() counts the time.
    last.reset();
    lock.lock();
    ended = true;
    changed.notify_all();
  }

  bool post(std::function<void()> job) {
    const std::lock_guard lock(mutex);
    if (stopping || !has_thread()) return false;
    asio::post(*context, std::move(job));
    return true;
  }

  bool has_thread() {
    if (thread.joinable()) return true;
    work.emplace(context->get_executor());
    thread = start_thread("wazo-websocket", [self = shared_from_this()] { self->run(); });
    ended = !thread.joinable();
    if (ended) work.reset();
    return !ended;
  }

  ssl::context& tls_context() {
    if (!tls) {
      ssl::context made(ssl::context::tls_client);  // kept when it verifies, and not before
      if (options.ca.empty())
        made.set_default_verify_paths();
      else
        made.add_certificate_authority(asio::buffer(options.ca));
      made.set_verify_mode(ssl::verify_peer);
      made.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
      TlsStream::prepare(made);
      tls = std::move(made);
    }
    return *tls;
  }

  void end(const std::string& id) {
    const auto found = sessions.find(id);
    if (found == sessions.end()) return;
    const std::shared_ptr<Session> session = std::move(found->second);
    sessions.erase(found);
    session->end();
  }

  void begin(const std::string& id, const std::string& address);
  std::shared_ptr<Session> make_session(const std::string& id, const WebSocketUrl& url);
};

namespace {

template <typename Stream>
class SessionOf : public Session, public std::enable_shared_from_this<SessionOf<Stream>> {
 public:
  template <typename... More>
  SessionOf(const WebSockets::Options& options, asio::io_context& context, std::string id, WebSocketUrl url,
            More&... more)
      : options_(options),
        id_(std::move(id)),
        url_(std::move(url)),
        resolver_(context),
        timer_(context),
        stream_(context, more...) {}

  void start() override {
    timer_.expires_after(options_.timeout);
    timer_.async_wait([self = this->shared_from_this()](Error error) {
      if (!error) self->fail("it didn't answer in time");
    });
    resolver_.async_resolve(url_.host, url_.port, on(&SessionOf::resolved));
  }

  void end() override {
    if (std::exchange(over_, true)) return;
    timer_.cancel();
    resolver_.cancel();
    if (!open_) return beast::get_lowest_layer(stream_).close();
    // Beast gives the peer's answer 30 s, and then closes the connection.
    stream_.async_close(websocket::close_code::normal, [self = this->shared_from_this()](Error) {});
  }

 private:
  // A member as what an operation calls at its end: with its result, unless it failed or is of no interest any more.
  template <typename... Results>
  auto on(void (SessionOf::*member)(Results...)) {
    return [self = this->shared_from_this(), member](Error error, Results... results) {
      if (self->over_) return;
      if (error) return self->fail(self->reason_of(error));
      ((*self).*member)(std::move(results)...);
    };
  }

  void fail(const std::string& why) {
    if (over_) return;
    over_ = true;
    timer_.cancel();
    beast::get_lowest_layer(stream_).close();
    options_.on_close(id_, why);
  }

  std::string reason_of(const Error& error) {
    if (error == websocket::error::upgrade_declined) return "it answered " + std::to_string(answer_.result_int());
    if constexpr (std::is_same_v<Stream, Secure>) {
      const long verdict = SSL_get_verify_result(stream_.next_layer().native_handle());
      if (verdict != X509_V_OK)
        return std::string("its certificate isn't good: ") + X509_verify_cert_error_string(verdict);
    }
    return error.message();
  }

  void resolved(tcp::resolver::results_type addresses) {
    for (const tcp::endpoint endpoint : addresses) {
      const std::string why = denial(Address(endpoint.data(), endpoint.size()), options_.rules);
      if (!why.empty()) return fail(url_.host + " is denied: " + why);
    }
    beast::get_lowest_layer(stream_).async_connect(addresses, on(&SessionOf::connected));
  }

  void connected(tcp::endpoint) {  // NOLINT: as Asio hands it over
    if constexpr (std::is_same_v<Stream, Secure>) {
      std::string name = url_.host;
      if (name.ends_with('.')) name.pop_back();  // the dot of a full name isn't told (RFC 6066), nor in certificates
      if (!stream_.next_layer().begin(name)) return fail("no TLS");
      stream_.next_layer().async_handshake(on(&SessionOf::secured));
    } else {
      upgrade();
    }
  }

  void secured(std::size_t) { upgrade(); }

  void upgrade() {
    websocket::stream_base::timeout times{options_.timeout, options_.silence, true};
    stream_.set_option(times);
    stream_.set_option(websocket::stream_base::decorator(
        [](websocket::request_type& request) { request.set(beast::http::field::user_agent, "wazo-auth"); }));
    stream_.read_message_max(options_.most_bytes);
    // Beast would wait for the peer's end of the connection, half a minute if need be.
    stream_.control_callback([this](websocket::frame_type kind, beast::string_view) {
      if (kind != websocket::frame_type::close) return;
      asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
        self->fail("it closed the connection (" + std::to_string(self->stream_.reason().code) + ")");
      });
    });
    stream_.async_handshake(answer_, url_.asked, url_.target, on(&SessionOf::opened));
  }

  void opened() {
    timer_.cancel();
    open_ = true;
    answer_ = {};
    options_.on_open(id_);
    read();
  }

  void read() { stream_.async_read(buffer_, on(&SessionOf::received)); }

  void received(std::size_t) {
    const std::string text = beast::buffers_to_string(buffer_.data());
    buffer_.clear();
    options_.on_message(id_, text);
    read();
  }

  const WebSockets::Options& options_;
  const std::string id_;
  const WebSocketUrl url_;
  websocket::response_type answer_;  // to the request to open it
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  Stream stream_;
  beast::flat_buffer buffer_;
  bool open_ = false, over_ = false;
};

}  // namespace

std::shared_ptr<Session> WebSockets::State::make_session(const std::string& id, const WebSocketUrl& url) {
  if (url.secure) return std::make_shared<SessionOf<Secure>>(options, *context, id, url, tls_context());
  return std::make_shared<SessionOf<Plain>>(options, *context, id, url);
}

void WebSockets::State::begin(const std::string& id, const std::string& address) {
  end(id);
  try {
    const std::shared_ptr<Session> session = make_session(id, parse_web_socket_url(address));
    sessions[id] = session;
    session->start();
  } catch (const std::exception& e) {
    end(id);
    options.on_close(id, e.what());
  }
}

WebSockets::WebSockets(Options options) {
  auto on_close = std::move(options.on_close);
  state_ = std::make_shared<State>(std::move(options));
  // It is forgotten first: the callback may open it again.
  state_->options.on_close = [state = state_.get(), on_close](const std::string& id, const std::string& why) {
    state->sessions.erase(id);
    on_close(id, why);
  };
}

WebSockets::~WebSockets() {
  if (state_->thread.joinable()) state_->thread.detach();
}

bool WebSockets::open(const std::string& id, const std::string& url) {
  return state_->post([state = state_.get(), id, url] { state->begin(id, url); });
}

void WebSockets::close(const std::string& id) {
  state_->post([state = state_.get(), id] { state->end(id); });
}

bool WebSockets::stop(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  if (!std::exchange(state_->stopping, true) && state_->thread.joinable()) state_->context->stop();
  if (!state_->changed.wait_for(lock, limit, [this] { return state_->ended; })) return false;
  lock.unlock();
  if (state_->thread.joinable()) state_->thread.join();
  return true;
}

}  // namespace wazoauth

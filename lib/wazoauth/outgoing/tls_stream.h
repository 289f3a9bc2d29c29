// The client's side of TLS, for connections that mostly wait: one that is idle costs OpenSSL's own state and no
// buffers. Asio's stream keeps four of 17 KB for each.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace wazoauth {

// What Asio calls an AsyncStream, for one thread. OpenSSL reads and writes the socket itself: nothing of it may run
// once the socket is closed, since its number may be another connection's by then. The thread has to block SIGPIPE.
class TlsStream {
 public:
  using Error = boost::system::error_code;
  using next_layer_type = boost::beast::tcp_stream;
  using executor_type = next_layer_type::executor_type;

  static void prepare(boost::asio::ssl::context& settings);  // once, before the first stream

  TlsStream(boost::asio::io_context& context, boost::asio::ssl::context& settings);

  executor_type get_executor() { return socket_.get_executor(); }
  next_layer_type& next_layer() { return socket_; }
  const next_layer_type& next_layer() const { return socket_; }
  SSL* native_handle() { return tls_.get(); }

  // Over the connected socket, with the server of this name or address, which its certificate has to have. False: it
  // can't be.
  bool begin(const std::string& server);
  // Says that nothing more comes, if the socket takes it.
  void say_end();

  template <typename Handler>  // void(Error, std::size_t), whose number means nothing
  auto async_handshake(Handler&& handler) {
    return run([](SSL* tls) { return SSL_connect(tls); }, std::forward<Handler>(handler));
  }

  template <typename Buffers, typename Handler>
  auto async_read_some(const Buffers& buffers, Handler&& handler) {
    boost::asio::mutable_buffer into;
    for (auto at = boost::asio::buffer_sequence_begin(buffers);
         into.size() == 0 && at != boost::asio::buffer_sequence_end(buffers); ++at)
      into = *at;
    const int size = static_cast<int>(std::min(into.size(), record_size));
    return run([into, size](SSL* tls) { return SSL_read(tls, into.data(), size); }, std::forward<Handler>(handler),
               size == 0);
  }

  // The buffers go out as one record, and not one each.
  template <typename Buffers, typename Handler>
  auto async_write_some(const Buffers& buffers, Handler&& handler) {
    std::vector<char> text(std::min(boost::asio::buffer_size(buffers), record_size));
    boost::asio::buffer_copy(boost::asio::buffer(text), buffers);
    const bool nothing = text.empty();
    return run(
        [text = std::move(text)](SSL* tls) { return SSL_write(tls, text.data(), static_cast<int>(text.size())); },
        std::forward<Handler>(handler), nothing);
  }

 private:
  enum class Outcome { done, wants_read, wants_write };

  static constexpr std::size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;

  // Calls `work` of OpenSSL's, if the socket is open; what it returns is in `result`.
  template <typename Work>
  Outcome attempt(const Work& work, int& result, Error& error) {
    if (!socket_.socket().is_open()) {
      error = boost::asio::error::operation_aborted;
      return Outcome::done;
    }
    ERR_clear_error();  // the thread's: what somebody left there would be taken for this connection's
    result = work(tls_.get());
    return outcome(result, error);
  }
  Outcome outcome(int result, Error& error) const;
  void give_buffers_back() const;

  // Tries until it is done; the socket is waited for in between.
  template <typename Work>
  struct Operation {
    TlsStream& stream;
    Work work;
    bool nothing;  // is to be done
    bool begun = false;

    template <typename Self>
    void operator()(Self& self, Error error = {}) {
      // A handler isn't called by the function that begins the operation.
      if (!std::exchange(begun, true)) return boost::asio::post(stream.get_executor(), std::move(self));
      if (error || nothing) return self.complete(error, 0);
      int result = 0;
      const Outcome outcome = stream.attempt(work, result, error);
      using boost::asio::socket_base;
      if (outcome == Outcome::wants_read)
        return stream.socket_.socket().async_wait(socket_base::wait_read, std::move(self));
      if (outcome == Outcome::wants_write)
        return stream.socket_.socket().async_wait(socket_base::wait_write, std::move(self));
      self.complete(error, error ? 0 : static_cast<std::size_t>(result));
    }
  };

  template <typename Work, typename Handler>
  auto run(Work work, Handler&& handler, bool nothing = false) {
    return boost::asio::async_compose<Handler, void(Error, std::size_t)>(
        Operation<Work>{*this, std::move(work), nothing}, handler, socket_);
  }

  next_layer_type socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
};

// Beast's hook: the end of a WebSocket.
template <typename Handler>
void async_teardown(boost::beast::role_type role, TlsStream& stream, Handler&& handler) {
  stream.say_end();
  using boost::beast::websocket::async_teardown;
  async_teardown(role, stream.next_layer(), std::forward<Handler>(handler));
}

}  // namespace wazoauth

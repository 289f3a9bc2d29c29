#include "wazoauth/outgoing/tls_stream.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <string_view>

namespace wazoauth {

namespace asio = boost::asio;

void TlsStream::prepare(asio::ssl::context& settings) {
  SSL_CTX* const context = settings.native_handle();
  // A write that is tried again comes from the same bytes, but the operation that holds them may have moved.
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Nobody comes back with a ticket.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

TlsStream::TlsStream(asio::io_context& context, asio::ssl::context& settings)
    : socket_(context), tls_(SSL_new(settings.native_handle()), SSL_free) {
  if (!tls_) throw std::bad_alloc();
}

bool TlsStream::begin(const std::string& server) {
  Error no_address, blocking;
  asio::ip::make_address(server, no_address);
  socket_.socket().native_non_blocking(true, blocking);
  if (blocking || SSL_set_fd(tls_.get(), socket_.socket().native_handle()) != 1) return false;
  // Addresses aren't told as a server's name (RFC 6066).
  if (!no_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), server.c_str()) == 1;
  return SSL_set1_host(tls_.get(), server.c_str()) == 1 && SSL_set_tlsext_host_name(tls_.get(), server.c_str()) == 1;
}

void TlsStream::say_end() {
  int ignored = 0;
  Error no_matter;
  attempt(SSL_shutdown, ignored, no_matter);
}

// A session ticket makes OpenSSL allocate both buffers, of which it keeps the one for writing until something is
// written. Never between the two parts of a record: before 3.0.14 it would lose the first one (CVE-2024-4741).
void TlsStream::give_buffers_back() const {
  if (SSL_is_init_finished(tls_.get()) && std::string_view(SSL_rstate_string(tls_.get())) == "RH")
    SSL_free_buffers(tls_.get());
}

TlsStream::Outcome TlsStream::outcome(int result, Error& error) const {
  if (result > 0) return Outcome::done;
  const int failed = errno;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      give_buffers_back();
      return Outcome::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      error = asio::error::eof;
      break;
    case SSL_ERROR_SYSCALL:
      error.assign(failed, asio::error::get_system_category());
      break;
    default:
      if (const unsigned long code = ERR_get_error(); ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        error = asio::ssl::error::stream_truncated;
      else
        error.assign(static_cast<int>(code), asio::error::get_ssl_category());
  }
  if (!error) error = asio::ssl::error::unexpected_result;  // no failure is without a reason
  return Outcome::done;
}

}  // namespace wazoauth

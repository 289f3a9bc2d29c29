#include "wazoauth/outgoing/presented.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>

#include <exception>
#include <memory>
#include <new>

namespace wazoauth {

namespace {

constexpr int most_certificates = 20;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* tls) const { SSL_free(tls); }
};

std::string der_of(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size <= 0) return "";
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

std::vector<std::string> all_of(const STACK_OF(X509) * chain) {
  std::vector<std::string> all;
  for (int i = 0; chain && i < sk_X509_num(chain) && i < most_certificates; ++i)
    all.push_back(der_of(sk_X509_value(chain, i)));
  return all;
}

bool shake_hands(SSL* tls, const Socket& socket, const Deadline& deadline) {
  for (;;) {
    const int result = SSL_connect(tls);
    if (result == 1) return true;
    const int wanted = SSL_get_error(tls, result);
    if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) return false;
    if (!wait_for(socket.get(), wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, deadline)) return false;
  }
}

int place_of_list() {
  static const int place = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return place;
}

int look(int verified, X509_STORE_CTX* store) noexcept {
  const auto* const tls = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  SSL_CTX* const context = tls ? SSL_get_SSL_CTX(tls) : nullptr;
  auto* const list =
      context ? static_cast<std::vector<std::string>*>(SSL_CTX_get_ex_data(context, place_of_list())) : nullptr;
  try {
    if (list && list->empty()) *list = all_of(X509_STORE_CTX_get0_untrusted(store));
  } catch (const std::exception&) {
    // Without memory there is nothing to be seen.
  }
  return verified;
}

}  // namespace

std::vector<std::string> presented_certificates(const Socket& socket, const std::string& host,
                                                const Deadline& deadline) {
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_security_level(context.get(), 0);
  const std::unique_ptr<SSL, Free> tls(SSL_new(context.get()));
  if (!tls || SSL_set_fd(tls.get(), socket.get()) != 1) throw std::bad_alloc();
  if (!host.empty()) SSL_set_tlsext_host_name(tls.get(), host.c_str());
  const bool done = shake_hands(tls.get(), socket, deadline);
  ERR_clear_error();
  return done ? all_of(SSL_get_peer_cert_chain(tls.get())) : std::vector<std::string>();
}

void watch_certificates(SSL_CTX* context, std::vector<std::string>& into) {
  SSL_CTX_set_ex_data(context, place_of_list(), &into);
  SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), look);
}

}  // namespace wazoauth

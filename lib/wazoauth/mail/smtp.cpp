#include "wazoauth/mail/smtp.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "wazoauth/outgoing/curl.h"

namespace wazoauth {

namespace {

constexpr std::chrono::milliseconds delivery_limit{60000}, farewell_limit{1000};

// One conversation, and what libcurl says of it.
struct Handle {
  explicit Handle(const SmtpServer& server);
  CURL* get() const { return curl.get(); }

  std::array<char, CURL_ERROR_SIZE> details{};  // of what went wrong, in libcurl's words; outlives what writes there
  CurlHandle curl;
};

template <typename Value>
void set(const Handle& handle, CURLoption option, Value value) {
  wazoauth::set(handle.curl, option, value);
}

long seconds(std::chrono::milliseconds time) {
  return std::max<long>(1, static_cast<long>((time.count() + 999) / 1000));
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

// Certificates are always verified, and for the name that we connect to.
void secure(const Handle& handle, const SmtpServer& server) {
  if (server.tls == SmtpServer::Tls::none) return;
  set(handle, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  set(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  trust(handle.curl, server.ca);
}

void identify(const Handle& handle, const SmtpServer& server) {
  if (server.username.empty()) return;
  set(handle, CURLOPT_USERNAME, server.username.c_str());
  set(handle, CURLOPT_PASSWORD, server.password.c_str());
  // Of what libcurl knows nothing else belongs to a name and a password of our own.
  set(handle, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
}

Handle::Handle(const SmtpServer& server) : curl(new_curl(server.tls == SmtpServer::Tls::implicit ? "smtps" : "smtp")) {
  const Handle& handle = *this;
  const bool is_ipv6 = server.hostname.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + server.hostname + "]" : server.hostname;
  const std::string scheme = server.tls == SmtpServer::Tls::implicit ? "smtps" : "smtp";
  set(handle, CURLOPT_URL, (scheme + "://" + host + ":" + std::to_string(server.port)).c_str());
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server.timeout.count()));
  set(handle, CURLOPT_WRITEFUNCTION, discard);
  set(handle, CURLOPT_ERRORBUFFER, details.data());
  secure(handle, server);
  identify(handle, server);
}

// Codes that speak of how we connect, not of this message: an administrator can mend that.
bool is_about_us(long code) {
  return code == 503 || code == 530 || code == 534 || code == 535 || code == 538;
}

[[noreturn]] void fail(const Handle& handle, CURLcode result, bool about_message) {
  long code = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &code);
  const bool refused = code >= 400 && code < 600 && result != CURLE_OPERATION_TIMEDOUT;
  if (refused) {
    const bool permanent = about_message && code >= 500 && !is_about_us(code);
    throw SmtpError("the mail server refuses with code " + std::to_string(code), permanent, true);
  }
  throw SmtpError(std::string("the mail server can't be used: ") + reason_of(result, handle.details.data()), false,
                  false);
}

// One command on the connection that this handle keeps.
void command(const Handle& handle, const std::string& text) {
  // libcurl takes it for a part of a URL.
  std::string encoded;
  for (const char c : text) encoded += c == '%' ? "%25" : std::string(1, c);
  set(handle, CURLOPT_CUSTOMREQUEST, encoded.c_str());
  const CURLcode result = curl_easy_perform(handle.get());
  long code = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &code);
  // libcurl lets 553 pass, which is an answer to its usual VRFY.
  if (result != CURLE_OK || code >= 300) fail(handle, result, false);
}

struct Upload {
  std::string_view rest;
  const std::function<bool()>& stopping;
};

std::size_t read(char* buffer, std::size_t size, std::size_t count, void* data) {
  auto* upload = static_cast<Upload*>(data);
  const std::size_t taken = std::min(size * count, upload->rest.size());
  std::memcpy(buffer, upload->rest.data(), taken);
  upload->rest.remove_prefix(taken);
  return taken;
}

int progress(void* data, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Upload*>(data)->stopping() ? 1 : 0;
}

}  // namespace

void ask_server(const SmtpServer& server, const std::string& sender, const std::optional<std::string>& recipient) {
  const Handle handle(server);
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(server.timeout.count()));
  set(handle, CURLOPT_NOBODY, 1L);
  command(handle, "MAIL FROM:<" + sender + ">");
  if (recipient) command(handle, "RCPT TO:<" + *recipient + ">");
  // Nothing is taken back: QUIT, at the handle's end, does that.
  set(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(farewell_limit));
}

void deliver(const SmtpServer& server, const Envelope& envelope, const std::string& message,
             const std::function<bool()>& stopping) {
  const CurlList recipients(curl_slist_append(nullptr, ("<" + envelope.recipient + ">").c_str()), curl_slist_free_all);
  if (!recipients) throw std::bad_alloc();
  Upload upload{message, stopping};
  const Handle handle(server);
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(delivery_limit.count()));
  set(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(delivery_limit));
  set(handle, CURLOPT_MAIL_FROM, ("<" + envelope.sender + ">").c_str());
  set(handle, CURLOPT_MAIL_RCPT, recipients.get());
  set(handle, CURLOPT_UPLOAD, 1L);
  set(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.size()));
  set(handle, CURLOPT_READFUNCTION, read);
  set(handle, CURLOPT_READDATA, &upload);
  set(handle, CURLOPT_XFERINFOFUNCTION, progress);
  set(handle, CURLOPT_XFERINFODATA, &upload);
  set(handle, CURLOPT_NOPROGRESS, 0L);
  const CURLcode result = curl_easy_perform(handle.get());
  // CURLE_SEND_ERROR is what MAIL, RCPT and DATA end with; a "no" to what was sent is told by what was sent.
  if (result != CURLE_OK) fail(handle, result, result == CURLE_SEND_ERROR || upload.rest.size() < message.size());
  set(handle, CURLOPT_NOPROGRESS, 1L);
  set(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(farewell_limit));
}

}  // namespace wazoauth

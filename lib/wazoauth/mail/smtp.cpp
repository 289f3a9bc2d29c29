#include "wazoauth/mail/smtp.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "wazoauth/mail/ehlo.h"
#include "wazoauth/mail/reply.h"
#include "wazoauth/mail/smtp_trial.h"
#include "wazoauth/outgoing/curl.h"
#include "wazoauth/outgoing/presented.h"

namespace wazoauth {

namespace {

constexpr std::chrono::milliseconds delivery_limit{60000}, farewell_limit{1000}, longest_name_lookup{1000};

// One conversation, and what libcurl says of it.
struct Handle {
  Handle(const SmtpServer& server, const std::string& own_name, Trial* told);
  CURL* get() const { return curl.get(); }

  // Both outlive what writes there.
  std::array<char, CURL_ERROR_SIZE> details{};  // of what went wrong, in libcurl's words
  SmtpConversation conversation;
  std::string denial;  // of the address that was denied last
  const std::optional<OutgoingRules> rules;
  std::optional<SmtpTrial> trial;
  CurlHandle curl;
};

template <typename Value>
void set(const Handle& handle, CURLoption option, Value value) {
  wazoauth::set(handle.curl, option, value);
}

long seconds(std::chrono::milliseconds time) {
  return std::max<long>(1, static_cast<long>((time.count() + 999) / 1000));
}

std::chrono::microseconds connected_after(CURL* curl) {
  curl_off_t time = 0;
  curl_easy_getinfo(curl, CURLINFO_CONNECT_TIME_T, &time);
  return std::chrono::microseconds(time);
}

std::size_t discard(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

// libcurl tells only a program that it "debugs" what both sides say.
int listen(CURL* curl, curl_infotype type, char* data, std::size_t size, void* to) noexcept {
  try {
    auto& handle = *static_cast<Handle*>(to);
    SmtpConversation& both = handle.conversation;
    if (type == CURLINFO_HEADER_OUT) both.sent({data, size});
    if (type == CURLINFO_SSL_DATA_OUT) both.greeted_by_tls();
    if (handle.trial && type != CURLINFO_TEXT) handle.trial->connected(connected_after(curl));
    if (handle.trial && type == CURLINFO_SSL_DATA_OUT) handle.trial->encrypted();
    if (type == CURLINFO_HEADER_IN) both.received({data, size});
    if (handle.trial && (type == CURLINFO_HEADER_OUT || type == CURLINFO_HEADER_IN)) handle.trial->spoken(both);
  } catch (const std::exception&) {
    // Without memory it has heard nothing.
  }
  return 0;
}

// The name was looked up.
curl_socket_t open_socket(void* to, curlsocktype, curl_sockaddr* where) noexcept {
  try {
    auto& handle = *static_cast<Handle*>(to);
    const Address address(&where->addr, where->addrlen);
    const std::string why = handle.rules ? denial(address, *handle.rules) : "";
    if (handle.trial) handle.trial->found(address.text(), why.empty());
    if (why.empty()) return socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
    handle.denial = why;
  } catch (const std::exception&) {
    // Without memory nobody is connected to.
  }
  return CURL_SOCKET_BAD;
}

CURLcode watch(CURL*, void* context, void* to) {
  watch_certificates(static_cast<ssl_ctx_st*>(context), static_cast<Handle*>(to)->trial->certificates());
  return CURLE_OK;
}

// As a part of a URL.
std::string encoded(const std::string& text) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string result;
  for (const unsigned char c : text) (result += '%') += {hex[c >> 4], hex[c & 15]};
  return result;
}

// Certificates are always verified, and for the name that we connect to.
void secure(const Handle& handle, const SmtpServer& server) {
  if (server.tls == SmtpServer::Tls::none) return;
  set(handle, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  set(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  trust(handle.curl, server.ca);
  if (!handle.trial) return;
  set(handle, CURLOPT_SSL_CTX_FUNCTION, watch);
  set(handle, CURLOPT_SSL_CTX_DATA, &handle);
}

void identify(const Handle& handle, const SmtpServer& server) {
  if (server.username.empty()) return;
  set(handle, CURLOPT_USERNAME, server.username.c_str());
  set(handle, CURLOPT_PASSWORD, server.password.c_str());
  // Of what libcurl knows nothing else belongs to a name and a password of our own.
  set(handle, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
}

Handle::Handle(const SmtpServer& server, const std::string& own_name, Trial* told)
    : rules(server.rules), curl(new_curl(server.tls == SmtpServer::Tls::implicit ? "smtps" : "smtp")) {
  if (told) trial.emplace(*told, server);
  const Handle& handle = *this;
  const bool is_ipv6 = server.hostname.find(':') != std::string::npos;
  const std::string host = is_ipv6 ? "[" + server.hostname + "]" : server.hostname;
  const std::string scheme = server.tls == SmtpServer::Tls::implicit ? "smtps" : "smtp";
  const std::string address = scheme + "://" + host + ":" + std::to_string(server.port);
  set(handle, CURLOPT_URL, (address + "/" + encoded(own_name)).c_str());
  set(handle, CURLOPT_WRITEFUNCTION, discard);
  set(handle, CURLOPT_ERRORBUFFER, details.data());
  set(handle, CURLOPT_DEBUGFUNCTION, listen);
  set(handle, CURLOPT_DEBUGDATA, this);
  set(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(handle, CURLOPT_OPENSOCKETDATA, this);
  set(handle, CURLOPT_VERBOSE, 1L);
  secure(handle, server);
  identify(handle, server);
}

bool was_reached(const Handle& handle) {
  return connected_after(handle.get()).count() > 0 || handle.conversation.begun();
}

[[noreturn]] void fail(const Handle& handle, CURLcode result) {
  using Kind = SmtpError::Kind;
  const SmtpConversation& conversation = handle.conversation;
  if (result == CURLE_COULDNT_CONNECT && !handle.denial.empty())
    throw SmtpError("its host is denied: " + handle.denial, Kind::away, true);
  const std::string trouble = std::string("the mail server can't be used: ") + reason_of(result, handle.details.data());
  if (result == CURLE_ABORTED_BY_CALLBACK) throw SmtpError(trouble, Kind::away, true);
  if (result == CURLE_OPERATION_TIMEDOUT)
    throw SmtpError(trouble, was_reached(handle) ? Kind::not_now : Kind::away, conversation.concerns_all());
  if (conversation.code() < 400) throw SmtpError(trouble, Kind::away, conversation.concerns_all());
  const bool later = conversation.code() < 500;
  const Kind kind = later ? Kind::not_now : conversation.rejects_mail() ? Kind::never : Kind::refused;
  const std::string refusal = std::string("the mail server refuses ") + (later ? "for now " : "") + "with ";
  throw SmtpError(refusal + conversation.answer(), kind, conversation.concerns_all());
}

CURLcode perform(Handle& handle) {
  const CURLcode result = curl_easy_perform(handle.get());
  if (handle.trial) handle.trial->connected(connected_after(handle.get()));
  return result;
}

// One command on the connection that this handle keeps.
void command(Handle& handle, const std::string& text) {
  // libcurl takes it for a part of a URL.
  std::string encoded;
  for (const char c : text) encoded += c == '%' ? "%25" : std::string(1, c);
  set(handle, CURLOPT_CUSTOMREQUEST, encoded.c_str());
  const CURLcode result = perform(handle);
  // libcurl lets 553 pass, which is an answer to its usual VRFY.
  if (result != CURLE_OK || handle.conversation.code() >= 300) fail(handle, result);
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

void ask_server(const SmtpServer& server, const std::string& sender, const std::optional<std::string>& recipient,
                Trial* trial) {
  Handle handle(server, ehlo_name(server, Deadline(std::min(server.timeout, longest_name_lookup))), trial);
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(server.timeout.count()));
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(server.timeout.count()));
  set(handle, CURLOPT_NOBODY, 1L);
  try {
    command(handle, "MAIL FROM:<" + sender + ">");
    if (recipient) command(handle, "RCPT TO:<" + *recipient + ">");
  } catch (const SmtpError& error) {
    // Servers that test strangers greet late, or take nothing before the second try. The mail can wait.
    if (error.kind != SmtpError::Kind::not_now) throw;
    if (trial) trial->warn(error.what());
  }
  // Nothing is taken back: QUIT, at the handle's end, does that.
  set(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(farewell_limit));
}

void deliver(const SmtpServer& server, const Envelope& envelope, const std::string& message,
             const std::function<bool()>& stopping, Trial* trial) {
  const CurlList recipients(curl_slist_append(nullptr, ("<" + envelope.recipient + ">").c_str()), curl_slist_free_all);
  if (!recipients) throw std::bad_alloc();
  Upload upload{message, stopping};
  Handle handle(server, ehlo_name(server, Deadline(longest_name_lookup)), trial);
  // A greeting and a login belong to what libcurl calls connecting.
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(delivery_limit.count()));
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
  const CURLcode result = perform(handle);
  if (result != CURLE_OK) fail(handle, result);
  set(handle, CURLOPT_NOPROGRESS, 1L);
  set(handle, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(farewell_limit));
}

}  // namespace wazoauth

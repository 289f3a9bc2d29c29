#include "wazoauth/ldap/connection.h"

#include <fcntl.h>
#include <ldap.h>
#include <openldap.h>

#include <array>
#include <mutex>
#include <new>

#include "wazoauth/log.h"
#include "wazoauth/outgoing/connect.h"

namespace wazoauth::ldap {

namespace {

constexpr ber_len_t longest_answer = 256 * 1024;
constexpr int most_referrals = 16;

// libldap reads its configuration at the first call, and its options for all connections are not for several threads.
void initialize(const std::string& ca_file) {
  static std::once_flag once;
  std::call_once(once, [&] {
    const int client = 0;
    int result = LDAP_OPT_SUCCESS;
    if (!ca_file.empty()) result = ldap_set_option(nullptr, LDAP_OPT_X_TLS_CACERTFILE, ca_file.c_str());
    if (result == LDAP_OPT_SUCCESS) result = ldap_set_option(nullptr, LDAP_OPT_X_TLS_NEWCTX, &client);
    if (result != LDAP_OPT_SUCCESS)
      log::warning("LDAP: no TLS before the file of trusted authorities (ldap.ca_file, or ldap.conf) can be read");
  });
}

timeval to_timeval(Deadline::Time time) {
  timeval result{};
  result.tv_sec = time.count() / 1000;
  result.tv_usec = time.count() % 1000 * 1000;
  return result;
}

std::string url_of(const Server& server) {
  const bool bare_ipv6 = server.host.find(':') != std::string::npos && !server.host.starts_with('[');
  const std::string host = bare_ipv6 ? "[" + server.host + "]" : server.host;
  return (server.security == Security::ldaps ? "ldaps://" : "ldap://") + host + ":" + std::to_string(server.port);
}

std::string without_brackets(const std::string& host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

// What may be part of a URL without a second meaning.
bool is_host(const std::string& host) {
  constexpr std::string_view others = ".-_:";
  if (host.empty()) return false;
  for (const unsigned char c : host) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alnum && others.find(static_cast<char>(c)) == std::string_view::npos) return false;
  }
  return true;
}

bool is_away(int code) {
  return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR || code == LDAP_BUSY ||
         code == LDAP_UNAVAILABLE;
}

}  // namespace

void Connection::Unbind::operator()(::ldap* handle) const {
  ldap_unbind_ext_s(handle, nullptr, nullptr);
}

Connection::Connection(const Server& server, const Limits& limits, const OutgoingRules& rules,
                       const std::string& ca_file, const Deadline& deadline)
    : name_(url_of(server)), limits_(limits), deadline_(deadline) {
  const std::string host = without_brackets(server.host);
  if (!is_host(host) || server.port < 1 || server.port > 65535) throw Failure("no directory can be at " + name_);
  initialize(ca_file);
  Socket socket = [&] {
    try {
      return connect_to(host, server.port, rules, limits.network, deadline);
    } catch (const Unreachable& e) {
      throw Away(e.what());
    }
  }();
  ::ldap* handle = nullptr;
  if (ldap_init_fd(socket.get(), LDAP_PROTO_TCP, name_.c_str(), &handle) != LDAP_SUCCESS) throw std::bad_alloc();
  fd_ = socket.release();
  handle_.reset(handle);
  // libldap would connect again by itself, wherever the name leads to then.
  set(LDAP_OPT_URI, "ldapi://%2Fdev%2Fnull");
  const int never = LDAP_DEREF_NEVER;
  const timeval network = to_timeval(limits.network), operation = to_timeval(limits.operation);
  set(LDAP_OPT_PROTOCOL_VERSION, &server.version);
  set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  set(LDAP_OPT_RESTART, LDAP_OPT_OFF);
  set(LDAP_OPT_DEREF, &never);
  set(LDAP_OPT_NETWORK_TIMEOUT, &network);
  set(LDAP_OPT_TIMEOUT, &operation);
  Sockbuf* buffer = nullptr;
  ber_len_t longest = longest_answer;
  ldap_get_option(handle_.get(), LDAP_OPT_SOCKBUF, &buffer);
  ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &longest);
  if (server.security == Security::start_tls) start_tls();
  if (server.security != Security::none) handshake();
}

Connection::~Connection() = default;

void Connection::set(int option, const void* value) {
  if (ldap_set_option(handle_.get(), option, value) != LDAP_OPT_SUCCESS)
    throw std::logic_error("libldap refuses option " + std::to_string(option));
}

// A peer that sends half an answer must not be waited for inside of a read().
void Connection::keep_nonblocking() {
  const int flags = fcntl(fd_, F_GETFL);
  if (flags == -1 || fcntl(fd_, F_SETFL, flags | O_NONBLOCK) == -1) throw std::runtime_error("fcntl() failed");
}

void Connection::start_tls() {
  int id = 0;
  const int sent = ldap_start_tls(handle_.get(), nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) give_up("StartTLS", sent);
  const int code = result_code(result(id, true, deadline_.at_most(limits_.operation)));
  if (code != LDAP_SUCCESS) give_up("StartTLS", code);
}

void Connection::handshake() {
  if (deadline_.passed()) throw Away(name_ + " doesn't answer in time");
  const timeval limit = to_timeval(deadline_.at_most(limits_.network).left());
  set(LDAP_OPT_NETWORK_TIMEOUT, &limit);
  const int code = ldap_install_tls(handle_.get());
  keep_nonblocking();
  if (code == LDAP_SUCCESS) return;
  char* text = nullptr;
  ldap_get_option(handle_.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
  const std::string why = text && *text ? text : ldap_err2string(code);
  ldap_memfree(text);
  throw Away(name_ + ": no TLS: " + why);
}

void Connection::give_up(const std::string& doing, int code) const {
  const std::string what = name_ + ": " + doing + ": " + ldap_err2string(code);
  if (is_away(code)) throw Away(what);
  throw Failure(what);
}

Connection::Message Connection::result(int message_id, bool all, const Deadline& deadline) {
  timeval limit = to_timeval(deadline.left());
  ldapmsg* message = nullptr;
  const int type = ldap_result(handle_.get(), message_id, all ? LDAP_MSG_ALL : LDAP_MSG_ONE, &limit, &message);
  Message owned(message, ldap_msgfree);
  if (type > 0) return owned;
  if (type == 0) throw Away(name_ + " doesn't answer in time");
  int code = LDAP_SERVER_DOWN;
  ldap_get_option(handle_.get(), LDAP_OPT_RESULT_CODE, &code);
  give_up("no answer", code);
}

int Connection::result_code(const Message& message) {
  int code = LDAP_OTHER;
  const int parsed = ldap_parse_result(handle_.get(), message.get(), &code, nullptr, nullptr, nullptr, nullptr, 0);
  return parsed == LDAP_SUCCESS ? code : parsed;
}

bool Connection::bind(const std::string& dn, const std::string& password) {
  if (dn.empty() || password.empty()) throw Failure(name_ + ": a bind needs a name and a password");
  berval credentials{password.size(), const_cast<char*>(password.data())};
  int id = 0;
  const int sent = ldap_sasl_bind(handle_.get(), dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) give_up("bind", sent);
  const int code = result_code(result(id, true, deadline_.at_most(limits_.operation)));
  if (code == LDAP_INVALID_CREDENTIALS) return false;
  if (code != LDAP_SUCCESS) give_up("bind", code);
  return true;
}

namespace {

std::string first_value(::ldap* handle, ldapmsg* entry, const std::string& attribute) {
  // By itself ldap_get_values_len() takes any spelling.
  BerElement* position = nullptr;
  bool there = false;
  char* name = ldap_first_attribute(handle, entry, &position);
  while (name) {
    there = there || attribute == name;
    ldap_memfree(name);
    name = ldap_next_attribute(handle, entry, position);
  }
  ber_free(position, 0);
  if (!there) return "";
  berval** values = ldap_get_values_len(handle, entry, attribute.c_str());
  std::string first;
  if (values && values[0]) first.assign(values[0]->bv_val, values[0]->bv_len);
  ldap_value_free_len(values);
  return first;
}

}  // namespace

Found Connection::search(const std::string& base, Scope scope, const std::string& filter,
                         const std::string& attribute) {
  std::string wanted = attribute;
  std::array<char*, 2> attributes{wanted.data(), nullptr};
  const Deadline deadline = deadline_.at_most(limits_.operation);
  int id = 0;
  const int sent =
      ldap_search_ext(handle_.get(), base.c_str(), scope == Scope::base ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
                      filter.c_str(), attributes.data(), 0, nullptr, nullptr, nullptr, 1, &id);
  if (sent != LDAP_SUCCESS) give_up("search", sent);
  Found found;
  for (int parts = 0; parts < most_referrals; ++parts) {
    const Message message = result(id, false, deadline);
    const int type = ldap_msgtype(message.get());
    if (type == LDAP_RES_SEARCH_RESULT) {
      const int code = result_code(message);
      if (code == LDAP_SIZELIMIT_EXCEEDED) return {Found::What::several, {}, {}};
      if (code != LDAP_SUCCESS) give_up("search", code);
      return found;
    }
    if (type == LDAP_RES_SEARCH_REFERENCE && found.what == Found::What::nothing) found.what = Found::What::referral;
    if (type != LDAP_RES_SEARCH_ENTRY || found.what == Found::What::referral) continue;
    if (found.what == Found::What::entry) return {Found::What::several, {}, {}};
    found.what = Found::What::entry;
    char* dn = ldap_get_dn(handle_.get(), message.get());
    if (dn) found.dn = dn;
    ldap_memfree(dn);
    found.value = first_value(handle_.get(), message.get(), attribute);
  }
  throw Failure(name_ + ": search: too many referrals");
}

}  // namespace wazoauth::ldap

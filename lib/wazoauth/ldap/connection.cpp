#include "wazoauth/ldap/connection.h"

#include <ldap.h>
#include <openldap.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <new>

#include "wazoauth/base/log.h"

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

// Characters that a URL may hold without a second meaning.
bool is_host(const std::string& host) {
  constexpr std::string_view others = ".-_:";
  if (host.empty()) return false;
  for (const unsigned char c : host) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alnum && others.find(static_cast<char>(c)) == std::string_view::npos) return false;
  }
  return true;
}

Socket reach(const Server& server, const Limits& limits, const OutgoingRules& rules, const Deadline& deadline) {
  const std::string host = without_brackets(server.host);
  if (!is_host(host) || server.port < 1 || server.port > 65535)
    throw Failure("no directory can be at " + server.host + ":" + std::to_string(server.port));
  try {
    return connect_to(host, server.port, rules, limits.network, deadline);
  } catch (const Unreachable& e) {
    throw Away(e.what());
  }
}

// libldap's own reads and writes may block for ever, and its TLS handshake doesn't wait but spins. These wait, and not
// for ever.
Stream& stream_of(const Sockbuf_IO_Desc* io) {
  return *static_cast<Stream*>(io->sbiod_pvt);
}

bool wait(const Stream& stream, short events) {
  if (wait_for(stream.socket.get(), events, stream.deadline)) return true;
  errno = ETIMEDOUT;
  return false;
}

int set_up(Sockbuf_IO_Desc* io, void* stream) {
  io->sbiod_pvt = stream;
  return 0;
}
int nothing(Sockbuf_IO_Desc*) {
  return 0;
}
int control(Sockbuf_IO_Desc*, int, void*) {
  return 0;
}
ber_slen_t receive(Sockbuf_IO_Desc* io, void* data, ber_len_t size) {
  const Stream& stream = stream_of(io);
  return wait(stream, POLLIN) ? recv(stream.socket.get(), data, size, MSG_DONTWAIT) : -1;
}
ber_slen_t transmit(Sockbuf_IO_Desc* io, void* data, ber_len_t size) {
  const Stream& stream = stream_of(io);
  return wait(stream, POLLOUT) ? send(stream.socket.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
}

Sockbuf_IO stream_io{set_up, nothing, control, receive, transmit, nothing};

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
    : name_(url_of(server)),
      limits_(limits),
      deadline_(deadline),
      stream_{reach(server, limits, rules, deadline), deadline} {
  initialize(ca_file);
  ::ldap* handle = nullptr;
  if (ldap_init_fd(stream_.socket.get(), LDAP_PROTO_EXT, name_.c_str(), &handle) != LDAP_SUCCESS)
    throw std::bad_alloc();
  handle_.reset(handle);
  Sockbuf* buffer = nullptr;
  ldap_get_option(handle, LDAP_OPT_SOCKBUF, &buffer);
  ber_len_t longest = longest_answer;
  ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &longest);
  if (ber_sockbuf_add_io(buffer, &stream_io, LBER_SBIOD_LEVEL_PROVIDER, &stream_) != 0) throw std::bad_alloc();
  // libldap would connect again by itself, wherever the name leads to then.
  set(LDAP_OPT_URI, "ldapi://%2Fdev%2Fnull");
  const int never = LDAP_DEREF_NEVER;
  set(LDAP_OPT_PROTOCOL_VERSION, &server.version);
  set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  set(LDAP_OPT_RESTART, LDAP_OPT_OFF);
  set(LDAP_OPT_DEREF, &never);
  if (server.security == Security::start_tls) start_tls();
  if (server.security != Security::none) handshake();
}

Connection::~Connection() = default;

void Connection::set(int option, const void* value) {
  if (ldap_set_option(handle_.get(), option, value) != LDAP_OPT_SUCCESS)
    throw std::logic_error("libldap refuses option " + std::to_string(option));
}

void Connection::begin(Deadline::Time limit) {
  stream_.deadline = deadline_.at_most(limit);
}

void Connection::start_tls() {
  begin(limits_.operation);
  int id = 0;
  const int sent = ldap_start_tls(handle_.get(), nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) give_up("StartTLS", sent);
  const int code = result_code(result(id, true));
  if (code != LDAP_SUCCESS) give_up("StartTLS", code);
}

void Connection::handshake() {
  begin(limits_.network);
  const int code = ldap_install_tls(handle_.get());
  if (code == LDAP_SUCCESS) return;
  if (stream_.deadline.passed()) give_up("TLS", LDAP_TIMEOUT);
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

Connection::Message Connection::result(int message_id, bool all) {
  timeval limit = to_timeval(stream_.deadline.left());
  ldapmsg* message = nullptr;
  const int type = ldap_result(handle_.get(), message_id, all ? LDAP_MSG_ALL : LDAP_MSG_ONE, &limit, &message);
  Message owned(message, ldap_msgfree);
  if (type > 0) return owned;
  if (type == 0 || stream_.deadline.passed()) give_up("no answer", LDAP_TIMEOUT);
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
  begin(limits_.operation);
  berval credentials{password.size(), const_cast<char*>(password.data())};
  int id = 0;
  const int sent = ldap_sasl_bind(handle_.get(), dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) give_up("bind", sent);
  const int code = result_code(result(id, true));
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
  begin(limits_.operation);
  int id = 0;
  const int sent =
      ldap_search_ext(handle_.get(), base.c_str(), scope == Scope::base ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE,
                      filter.c_str(), attributes.data(), 0, nullptr, nullptr, nullptr, 1, &id);
  if (sent != LDAP_SUCCESS) give_up("search", sent);
  Found found;
  for (int parts = 0; parts < most_referrals; ++parts) {
    const Message message = result(id, false);
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

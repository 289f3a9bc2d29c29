#include "wazoauth/ldap/connection.h"

#include <ldap.h>
#include <openldap.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <new>
#include <vector>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/log.h"
#include "wazoauth/ldap/reason.h"

namespace wazoauth::ldap {

namespace {

constexpr ber_len_t longest_answer = 256 * 1024;
constexpr int most_messages = 1000;  // of one search; the deadline ends it sooner

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

Socket reach(const Server& server, const Limits& limits, const OutgoingRules& rules, const Deadline& deadline,
             Trial* trial) {
  const std::string host(without_brackets(server.host));
  if (trial) trial->begin("look_up").detail("host", host);
  if (!is_host(server.host) || server.port < 1 || server.port > 65535)
    throw Failure("no directory can be at " + server.host + ":" + std::to_string(server.port));
  try {
    return connect_to(host, server.port, rules, limits.network, deadline, trial);
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

// Its way of saying that it wants TLS.
bool wants_tls(int code) {
  return code == LDAP_CONFIDENTIALITY_REQUIRED || code == LDAP_STRONG_AUTH_REQUIRED;
}

bool is_away(int code) {
  return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR || code == LDAP_BUSY ||
         code == LDAP_UNAVAILABLE;
}

}  // namespace

std::string_view without_brackets(std::string_view host) {
  return host.starts_with('[') && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
}

Security security_named(std::string_view name) {
  if (name == "ldaps") return Security::ldaps;
  return name == "tls" ? Security::start_tls : Security::none;
}

// Characters that a URL may hold without a second meaning.
bool is_host(std::string_view text) {
  constexpr std::string_view others = ".-_:";
  const std::string_view host = without_brackets(text);
  return !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alnum || others.find(c) != std::string_view::npos;
  });
}

void Connection::Unbind::operator()(::ldap* handle) const {
  ldap_unbind_ext_s(handle, nullptr, nullptr);
}

Connection::Connection(const Server& server, const Limits& limits, const OutgoingRules& rules,
                       const std::string& ca_file, const Deadline& deadline, Trial* trial)
    : name_(url_of(server)),
      security_(server.security),
      limits_(limits),
      deadline_(deadline),
      stream_{reach(server, limits, rules, deadline, trial), deadline} {
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
  if (trial && server.security != Security::none) trial->begin("tls");
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
  const Answer answer = answer_in(result(id, true));
  if (answer.code != LDAP_SUCCESS) give_up("StartTLS", answer.code, reason_of(answer.text, ""));
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

void Connection::give_up(const std::string& doing, int code, const std::string& reason) const {
  std::string what = name_ + ": " + doing + ": " + ldap_err2string(code);
  if (!reason.empty()) what += ": " + reason;
  if (wants_tls(code) && security_ == Security::none) what += "; set protocol_security to ldaps or tls";
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

Connection::Answer Connection::answer_in(const Message& message) {
  int code = LDAP_OTHER;
  char* text = nullptr;
  const int parsed = ldap_parse_result(handle_.get(), message.get(), &code, nullptr, &text, nullptr, nullptr, 0);
  const std::unique_ptr<char, void (*)(void*)> owned(text, ldap_memfree);
  return {parsed == LDAP_SUCCESS ? code : parsed, text ? text : ""};
}

std::optional<std::string> Connection::bind(const std::string& dn, const std::string& password) {
  if (dn.empty() || password.empty()) throw Failure(name_ + ": a bind needs a name and a password");
  begin(limits_.operation);
  berval credentials{password.size(), const_cast<char*>(password.data())};
  int id = 0;
  const int sent = ldap_sasl_bind(handle_.get(), dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, &id);
  if (sent != LDAP_SUCCESS) give_up("bind", sent);
  const Answer answer = answer_in(result(id, true));
  if (answer.code == LDAP_SUCCESS) return std::nullopt;
  const std::string reason = reason_of(answer.text, password);
  if (answer.code != LDAP_INVALID_CREDENTIALS) give_up("bind", answer.code, reason);
  return reason.empty() ? "wrong password" : reason;
}

namespace {

std::string first_value(::ldap* handle, ldapmsg* entry, const std::string& name) {
  berval** values = ldap_get_values_len(handle, entry, name.c_str());
  std::string first;
  if (values && values[0]) first.assign(values[0]->bv_val, values[0]->bv_len);
  ldap_value_free_len(values);
  return first;
}

std::vector<std::string> attributes_of(::ldap* handle, ldapmsg* entry) {
  std::vector<std::string> names;
  BerElement* position = nullptr;
  for (char* name = ldap_first_attribute(handle, entry, &position); name;
       name = ldap_next_attribute(handle, entry, position)) {
    names.emplace_back(name);
    ldap_memfree(name);
  }
  ber_free(position, 0);
  return names;
}

// The case of names means nothing (RFC 4512, section 2.5). Nothing else was asked for, so the only attribute that came
// is the wanted one: a directory has its own name for an alias or a number.
std::string value_of(::ldap* handle, ldapmsg* entry, const std::string& wanted) {
  const std::vector<std::string> names = attributes_of(handle, entry);
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const std::string& name) { return ascii::same(name, wanted); });
  if (found != names.end()) return first_value(handle, entry, *found);
  return names.size() == 1 ? first_value(handle, entry, names.front()) : "";
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
  for (int messages = 0; messages < most_messages; ++messages) {
    const Message message = result(id, false);
    const int type = ldap_msgtype(message.get());
    if (type == LDAP_RES_SEARCH_RESULT) {
      const Answer answer = answer_in(message);
      if (answer.code == LDAP_SIZELIMIT_EXCEEDED) return {Found::What::several, {}, {}};
      if (answer.code != LDAP_SUCCESS) give_up("search", answer.code, reason_of(answer.text, ""));
      return found;
    }
    if (type == LDAP_RES_SEARCH_REFERENCE && found.what == Found::What::nothing) found.what = Found::What::referral;
    if (type != LDAP_RES_SEARCH_ENTRY) continue;
    if (found.what == Found::What::entry) return {Found::What::several, {}, {}};
    found.what = Found::What::entry;
    char* dn = ldap_get_dn(handle_.get(), message.get());
    if (dn) found.dn = dn;
    ldap_memfree(dn);
    found.value = value_of(handle_.get(), message.get(), attribute);
  }
  throw Failure(name_ + ": search: too many answers");
}

}  // namespace wazoauth::ldap

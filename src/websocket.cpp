#include "websocket.h"

#include <string>

#include "answers.h"
#include "wazoauth/base/ascii.h"

namespace wazoauth::nginx {

namespace {

struct Handshake {
  bool upgrade = false, connection = false, version = false;
  std::string_view key, protocols;
};

// Of a header that is a list.
bool has_word(std::string_view list, std::string_view lower_case) {
  while (!list.empty()) {
    const std::string_view word = list.substr(0, list.find(','));
    if (ascii::lower(ascii::trimmed(word)) == lower_case) return true;
    list.remove_prefix(std::min(list.size(), word.size() + 1));
  }
  return false;
}

Handshake handshake_of(ngx_http_request_t* r) {
  Handshake found;
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    const std::string_view value = view(header.value);
    if (is_named(header, "upgrade")) found.upgrade = ascii::lower(value) == "websocket";
    if (is_named(header, "connection")) found.connection = found.connection || has_word(value, "upgrade");
    if (is_named(header, "sec-websocket-version")) found.version = value == "13";
    if (is_named(header, "sec-websocket-key")) found.key = value;
    if (is_named(header, "sec-websocket-protocol") && found.protocols.empty()) found.protocols = value;
  });
  return found;
}

}  // namespace

bool is_websocket_handshake(ngx_http_request_t* r) {
  if (r->method != NGX_HTTP_GET || r->http_version != NGX_HTTP_VERSION_11) return false;
  const Handshake found = handshake_of(r);
  return found.upgrade && found.connection && found.version && gate::is_websocket_key(found.key);
}

std::optional<gate::CloseReason> close_reason_of(Status refusal) {
  switch (refusal) {
    case Status::no_token:
      return gate::close_no_token;
    case Status::unknown:
    case Status::denied:
      return gate::close_refused;
    default:
      return std::nullopt;  // nobody knows, or the request is wrong: its token may be good
  }
}

// The client's first choice of a protocol is accepted, too: browsers take a handshake without one for a failure.
bool accept_to_close(ngx_http_request_t* r) {
  const Handshake found = handshake_of(r);
  r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
  ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");  // nginx has no text for it
  r->headers_out.content_type.len = 0;
  ngx_http_clear_content_length(r);
  r->keepalive = 0;
  r->lingering_close = 1;  // the client answers by a close frame: unread, it would reset the connection
  const std::string_view protocol = ascii::trimmed(found.protocols.substr(0, found.protocols.find(',')));
  if (!protocol.empty() && !push(r, "Sec-WebSocket-Protocol", protocol)) return false;
  return push(r, "Upgrade", "websocket") && push(r, "Sec-WebSocket-Accept", gate::websocket_accept(found.key));
}

}  // namespace wazoauth::nginx

// A request and an answer of the API, independent of the server that carries them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

class TemporaryFile;

struct Request {
  std::string method;  // as sent
  std::string path;    // raw (percent-encoded), below the API's prefix: "/0.1/users/..."
  std::string query;   // raw, without '?'
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, values trimmed
  std::string body;
  std::string remote_addr;  // the client's, proxies considered
  std::string scheme = "http";
  std::string host;
  std::string script_name;  // prefix of absolute URLs: "/api/auth" or ""
  // The same as nginx's own configuration has them: no client and no proxy can change these.
  std::string own_host, own_prefix;
  std::string trace_id;          // W3C Trace Context's, 32 hexadecimal digits; "" for none
  std::string temporary_folder;  // for an answer that is too long for memory; "": none is

  std::optional<std::string> header(std::string_view lower_case_name) const;  // the first one
  std::string header_or_empty(std::string_view lower_case_name) const;
  bool prefers_html() const;  // over JSON, by its Accept: a browser, as opposed to a program
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // beside Content-Type
  std::string content_type = "application/json";
  std::string body;
  std::shared_ptr<const TemporaryFile> file;  // in place of `body`
  bool has_body = true;                       // false: no body and no Content-Length (204)
  // The answer leaves no sooner than this long after the request came, or when `release_early` returns true. nginx's
  // event loop calls that now and then, so it must not block.
  std::int64_t hold_for_ms = 0;
  std::function<bool()> release_early;

  std::size_t length() const;  // of the body, in bytes

  static Response json(const Json& value, int status = 200);  // with the newline at the end
  static Response no_content();                               // 204
};

// First value of a query parameter, decoded ('+' is a blank, as in forms; invalid UTF-8 becomes U+FFFD).
std::optional<std::string> query_parameter(std::string_view raw_query, std::string_view name);
std::vector<std::string> query_parameters(std::string_view raw_query, std::string_view name);
// All of them, in order; also of a form's body.
std::vector<std::pair<std::string, std::string>> query_fields(std::string_view raw_query);
// A path segment decoded: '+' stays, "%2F" stays, invalid UTF-8 becomes U+FFFD.
std::string decode_segment(std::string_view raw);

}  // namespace wazoauth

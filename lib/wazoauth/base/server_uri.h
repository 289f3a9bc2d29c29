// Where a server is, as its URI says it (RFC 3986): "scheme://user:password@host:port/path?name=value".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

// All parts without their percent encodings.
struct ServerUri {
  std::string scheme;  // in lower case
  std::optional<std::string> user, password;
  std::string host;                 // "" where there is none; an IPv6 address without its brackets
  std::optional<int> port;          // 1 to 65535
  std::optional<std::string> path;  // behind the slash after the host; nullopt without that slash
  std::vector<std::pair<std::string, std::string>> query;
};

// An '@' in the password may stand as it is; other characters of userinfo that end it have to be encoded. Throws
// std::invalid_argument, whose text is a sentence without any part of `text`: there may be a password in it.
ServerUri parse_server_uri(std::string_view text);

}  // namespace wazoauth

// Absolute URLs, strictly, and the rule for redirecting browsers to them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth {

struct Url {
  std::string scheme, host;  // in lower case
  std::string port;          // as written; "" for the scheme's own
  std::string path;          // "" or from '/'
};

// An absolute address with a host, "scheme://host[:port][/path][?query][#fragment]", that has one reading only:
// printable ASCII without blanks, quotes and brackets, no backslash, no userinfo, nothing but a host's name, an IPv4 or
// a bracketed IPv6 address between "//" and the next '/', '?' or '#', which is no '/' that is empty.
std::optional<Url> parse_url(std::string_view text);

// Where a login may send the browser afterwards: same scheme, host and port as one of `allowed`, and a path below its
// path. Nothing in `allowed`: any https address.
bool may_redirect(std::string_view target, const std::vector<std::string>& allowed);

// `url` with "name=value" at the end of its query, before its fragment.
std::string with_parameter(const std::string& url, std::string_view name_and_value);

}  // namespace wazoauth

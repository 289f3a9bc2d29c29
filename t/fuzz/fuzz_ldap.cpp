// Any bytes as a login and as search_filters: what was typed adds nothing to a filter's or a name's structure.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wazoauth/ldap/escape.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wazoauth::ldap;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::string filter = escape_filter(text);
  if (filter.find_first_of(std::string_view("*()\0", 4)) != std::string::npos) std::abort();
  const auto filled = fill_filter("(uid={username})", {{"username", text}});
  if (!filled || *filled != "(uid=" + filter + ")") std::abort();
  fill_filter(text, {{"username", text}, {"user_login_attribute", "uid"}});

  const std::string name = escape_dn(text);
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\')
      ++i;
    else if (std::string_view(",+\"<>;=\0", 8).find(name[i]) != std::string_view::npos)
      std::abort();
  }
  return 0;
}

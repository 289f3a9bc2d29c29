#include "wazoauth/http/template_filters.h"

#include <algorithm>
#include <iterator>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"

namespace wazoauth::templates {

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

namespace {

std::string upper(const std::string& given) {
  std::string text = given;
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c & ~0x20 : c; });
  return text;
}

std::string capitalize(const std::string& text) {
  return upper(text.substr(0, 1)) + ascii::lower(text.substr(std::min<std::size_t>(1, text.size())));
}

std::string trim(const std::string& text) {
  const auto first = std::find_if_not(text.begin(), text.end(), is_blank);
  const auto last = std::find_if_not(text.rbegin(), text.rend(), is_blank).base();
  return first < last ? std::string(first, last) : "";
}

std::string escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&#34;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string same(const std::string& text) {
  return text;
}

constexpr Filter filters[] = {{"lower", [](const std::string& text) { return ascii::lower(text); }},
                              {"upper", upper},
                              {"capitalize", capitalize},
                              {"trim", trim},
                              {"escape", escape},
                              {"e", escape},
                              {"safe", same},
                              {"urlencode", [](const std::string& text) { return percent_encoded(text, "/"); }}};

}  // namespace

const Filter* find_filter(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(filters), std::end(filters), [&](const Filter& f) { return f.name == name; });
  return found == std::end(filters) ? nullptr : found;
}

}  // namespace wazoauth::templates

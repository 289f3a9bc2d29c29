#include "wazoauth/openapi/statement.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"

namespace wazoauth::openapi {

namespace {

constexpr std::string_view blanks = " \t\r\n";

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The access that the text begins with: words, dots and {parameters}.
std::string_view leading_access(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size()) {
    if (text[end] == '{') {
      const auto close = text.find_first_of("{}`. \t\r\n", end + 1);
      if (close == std::string_view::npos || text[close] != '}' || close == end + 1) break;
      end = close + 1;
    } else if (is_word_byte(text[end]) || text[end] == '.') {
      ++end;
    } else {
      break;
    }
  }
  return text.substr(0, end);
}

bool is_access(std::string_view text) {
  return !text.empty() && leading_access(text) == text && text.front() != '.' && text.back() != '.' &&
         text.find("..") == std::string_view::npos;
}

void skip(std::string_view& text, std::string_view bytes) {
  text.remove_prefix(std::min(text.find_first_not_of(bytes), text.size()));
}

bool skip_word(std::string_view& text, std::string_view word) {
  if (!ascii::same(text.substr(0, word.size()), word)) return false;
  text.remove_prefix(word.size());
  return true;
}

// Moves behind the first "required ACL", or "required_acl".
bool find_statement(std::string_view& text) {
  for (; !text.empty(); text.remove_prefix(1)) {
    std::string_view rest = text;
    if (!skip_word(rest, "required")) continue;
    const std::size_t before = rest.size();
    skip(rest, " \t\r\n_-");
    if (rest.size() == before || !skip_word(rest, "acl") || (!rest.empty() && is_word_byte(rest.front()))) continue;
    text = rest;
    return true;
  }
  return false;
}

Statement closed(std::string trouble) {
  return {Need::closed, {}, std::move(trouble)};
}

// What stands between the statement and the next blank, for a message.
std::string shown(std::string_view text) {
  return std::string(text.substr(0, std::min<std::size_t>(text.find_first_of(blanks), 60)));
}

// An access at the front of the text, which moves behind it; "" for none. Only back quotes tell one without a dot from
// prose.
std::string take_access(std::string_view& text) {
  const bool quoted = text.starts_with('`');
  std::string_view rest = text.substr(quoted ? 1 : 0);
  std::string_view access = leading_access(rest);
  rest.remove_prefix(access.size());
  if (!rest.empty() && (blanks.find(rest.front()) == std::string_view::npos) &&
      std::string_view("`'\",;:)").find(rest.front()) == std::string_view::npos)
    return "";
  while (access.ends_with('.')) access.remove_suffix(1);
  if (!is_access(access) || (!quoted && access.find('.') == std::string_view::npos)) return "";
  skip(rest, "`");
  text = rest;
  return std::string(access);
}

bool says_none(std::string_view text) {
  skip(text, "`");
  return skip_word(text, "none") && (text.empty() || (!is_word_byte(text.front()) && text.front() != '{')) &&
         (!text.starts_with('.') || text.size() == 1 || !is_word_byte(text[1]));
}

}  // namespace

std::optional<Statement> stated_in_text(std::string_view text) {
  if (!find_statement(text)) return std::nullopt;
  skip(text, " \t\r\n*:'\"");
  if (says_none(text)) return Statement{Need::open, {}, ""};
  const std::string_view behind = text;
  Statement statement{Need::acl, {take_access(text)}, ""};
  if (statement.accesses.front().empty()) {
    return closed(behind.empty() ? "nothing follows \"Required ACL\"" : "\"" + shown(behind) + "\" isn't an access");
  }
  for (;;) {  // "`a.read` or `b.read`"
    skip(text, blanks);
    skip(text, ",");
    skip(text, blanks);
    if (!skip_word(text, "or")) return statement;
    skip(text, blanks);
    std::string another = text.starts_with('`') ? take_access(text) : "";
    if (another.find('.') == std::string::npos) return statement;
    statement.accesses.push_back(std::move(another));
  }
}

Statement stated_by_key(const Json& value) {
  constexpr const char* rule = "x-required-acl must be an access, a list of accesses, \"none\" or \"token\"";
  if (value.is_string() && value.text() == "none") return {Need::open, {}, ""};
  if (value.is_string() && value.text() == "token") return {Need::token, {}, ""};
  Statement statement{Need::acl, {}, ""};
  for (const Json& item : value.is_array() ? value.items() : Json::Items{value}) {
    if (!item.is_string() || !is_access(item.text()) || item.text() == "none" || item.text() == "token")
      return closed(rule);
    statement.accesses.emplace_back(item.text());
  }
  return statement.accesses.empty() ? closed(rule) : statement;
}

}  // namespace wazoauth::openapi

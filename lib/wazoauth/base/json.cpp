#include "wazoauth/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <stdexcept>

#include "wazoauth/base/text.h"

namespace wazoauth {
namespace {

std::string valid_utf8(std::string s) {
  return is_utf8(s) ? std::move(s) : replace_invalid_utf8(s);
}

void append_escape(std::string& out, unsigned unit) {
  constexpr char digits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += digits[(unit >> shift) & 0xf];
}

void append_ascii(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      if (c < 0x20 || c == 0x7f) {
        append_escape(out, c);
      } else {
        out += static_cast<char>(c);
      }
  }
}

bool is_plain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

// `s` is valid UTF-8: a value holds nothing else.
void dump_string(std::string& out, std::string_view s) {
  out += '"';
  for (std::size_t i = 0; i < s.size();) {
    const std::size_t start = i;
    while (i < s.size() && is_plain(s[i])) ++i;
    out.append(s, start, i - start);
    if (i == s.size()) break;
    const auto lead = static_cast<unsigned char>(s[i++]);
    if (lead < 0x80) {
      append_ascii(out, lead);
      continue;
    }
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    unsigned code = lead & (0x3f >> more);
    for (int n = 0; n < more && i < s.size(); ++n) code = code << 6 | (static_cast<unsigned char>(s[i++]) & 0x3f);
    if (code >= 0x10000) {
      append_escape(out, 0xd7c0 + (code >> 10));
      append_escape(out, 0xdc00 | (code & 0x3ff));
    } else {
      append_escape(out, code);
    }
  }
  out += '"';
}

void dump_integer(std::string& out, std::int64_t n) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
}

// The shortest text that reads back as `d`, with ".0" or an exponent so that it stays a real.
void dump_real(std::string& out, double d) {
  if (!std::isfinite(d)) {
    out += "null";
    return;
  }
  char text[40];
  const double size = std::fabs(d);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto result = std::to_chars(text, text + sizeof text, d, format);
  const std::string_view digits(text, result.ptr - text);
  out += digits;
  if (fixed && digits.find('.') == std::string_view::npos) out += ".0";
}

[[noreturn]] void wrong_type(const char* wanted) {
  throw std::logic_error(std::string("a JSON value is not ") + wanted);
}

bool has_repeated(const Json::Members& members) {
  constexpr std::size_t few = 8;
  if (members.size() <= few) {
    for (auto member = members.begin(); member != members.end(); ++member) {
      if (std::any_of(members.begin(), member, [&](const auto& before) { return before.first == member->first; }))
        return true;
    }
    return false;
  }
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const auto& [name, value] : members) names.push_back(name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

void drop_repeated(Json::Members& members) {
  if (!has_repeated(members)) return;
  std::map<std::string, std::size_t> places;
  Json::Members kept;
  for (auto& [name, value] : members) {
    const auto [place, is_new] = places.try_emplace(name, kept.size());
    if (is_new) {
      kept.emplace_back(std::move(name), std::move(value));
    } else {
      kept[place->second].second = std::move(value);
    }
  }
  members = std::move(kept);
}

const Json& null() {
  static const Json value;
  return value;
}

}  // namespace

Json::Json(double d) {
  if (std::isfinite(d)) value_ = d;
}

Json::Json(std::string s) : value_(valid_utf8(std::move(s))) {}

Json::Json(Members members) {
  for (auto& [name, value] : members) {
    if (!is_utf8(name)) name = replace_invalid_utf8(name);
  }
  drop_repeated(members);
  value_ = std::move(members);
}

Json::Json(const Json& other) = default;
Json::Json(Json&& other) noexcept = default;
Json& Json::operator=(const Json& other) = default;
Json& Json::operator=(Json&& other) noexcept = default;
Json::~Json() = default;

Json Json::object(std::initializer_list<Named> members) {
  Members all;
  all.reserve(members.size());
  for (const auto& [name, value] : members) all.emplace_back(name, std::move(value));
  return Json(std::move(all));
}

Json Json::strings(const std::vector<std::string>& items) {
  return Json(Items(items.begin(), items.end()));
}

void Json::dump_to(std::string& out) const {
  if (is_null()) {
    out += "null";
  } else if (is_boolean()) {
    out += boolean() ? "true" : "false";
  } else if (is_integer()) {
    dump_integer(out, integer());
  } else if (const auto* big = std::get_if<BigInteger>(&value_)) {
    out += big->digits;
  } else if (is_real()) {
    dump_real(out, number());
  } else if (is_string()) {
    dump_string(out, text());
  } else if (is_array()) {
    out += '[';
    const char* separator = "";
    for (const Json& item : items()) {
      out += separator;
      separator = ", ";
      item.dump_to(out);
    }
    out += ']';
  } else {
    out += '{';
    const char* separator = "";
    for (const auto& [name, member] : members()) {
      out += separator;
      separator = ", ";
      dump_string(out, name);
      out += ": ";
      member.dump_to(out);
    }
    out += '}';
  }
}

std::string Json::dump() const {
  std::string out;
  dump_to(out);
  return out;
}

bool Json::is_finite() const {
  if (is_array()) return std::all_of(items().begin(), items().end(), [](const Json& item) { return item.is_finite(); });
  if (const auto* real = std::get_if<double>(&value_)) return std::isfinite(*real);
  return std::all_of(members().begin(), members().end(), [](const auto& member) { return member.second.is_finite(); });
}

bool Json::is_falsy() const {
  if (is_null()) return true;
  if (is_boolean()) return !boolean();
  if (is_number()) return number() == 0;
  if (is_string()) return text().empty();
  return size() == 0;
}

std::string_view Json::text() const& {
  if (!is_string()) wrong_type("a string");
  return std::get<std::string>(value_);
}

std::string Json::text() && {
  if (!is_string()) wrong_type("a string");
  return std::get<std::string>(std::move(value_));
}

std::int64_t Json::integer() const {
  if (!is_integer()) wrong_type("an integer");
  return std::get<std::int64_t>(value_);
}

double Json::number() const {
  if (!is_number()) wrong_type("a number");
  if (const auto* big = std::get_if<BigInteger>(&value_)) return parse_real(big->digits);
  return is_real() ? std::get<double>(value_) : static_cast<double>(integer());
}

bool Json::boolean() const {
  if (!is_boolean()) wrong_type("a boolean");
  return std::get<bool>(value_);
}

std::size_t Json::size() const {
  return is_array() ? items().size() : members().size();
}

const Json* Json::find(std::string_view name) const {
  for (const auto& member : members()) {
    if (member.first == name) return &member.second;
  }
  return nullptr;
}

Json* Json::find(std::string_view name) {
  return const_cast<Json*>(std::as_const(*this).find(name));
}

const Json& Json::get(std::string_view name) const& {
  const Json* member = find(name);
  return member ? *member : null();
}

Json Json::get(std::string_view name) && {
  Json* member = find(name);
  return member ? std::move(*member) : Json();
}

const Json& Json::at(std::size_t index) const& {
  return is_array() && index < items().size() ? items()[index] : null();
}

Json Json::at(std::size_t index) && {
  auto* list = std::get_if<Items>(&value_);
  return list && index < list->size() ? std::move((*list)[index]) : Json();
}

std::string Json::text_or(std::string_view name, std::string_view fallback) const {
  const Json& member = get(name);
  return std::string(member.is_string() ? member.text() : fallback);
}

const Json::Members& Json::members() const& {
  static const Members none;
  const auto* members = std::get_if<Members>(&value_);
  return members ? *members : none;
}

Json::Members Json::members() && {
  auto* members = std::get_if<Members>(&value_);
  return members ? std::move(*members) : Members();
}

const Json::Items& Json::items() const& {
  static const Items none;
  const auto* items = std::get_if<Items>(&value_);
  return items ? *items : none;
}

Json::Items Json::items() && {
  auto* items = std::get_if<Items>(&value_);
  return items ? std::move(*items) : Items();
}

Json& Json::set(std::string_view name, Json value) {
  if (!is_object()) wrong_type("an object");
  std::string valid = valid_utf8(std::string(name));
  if (Json* member = find(valid)) {
    *member = std::move(value);
  } else {
    std::get<Members>(value_).emplace_back(std::move(valid), std::move(value));
  }
  return *this;
}

Json& Json::append(Json value) {
  if (!is_array()) wrong_type("an array");
  std::get<Items>(value_).push_back(std::move(value));
  return *this;
}

void Json::erase(std::string_view name) {
  if (auto* members = std::get_if<Members>(&value_))
    std::erase_if(*members, [name](const auto& member) { return member.first == name; });
}

bool Json::operator==(const Json& other) const {
  if (!is_object() || !other.is_object()) return value_ == other.value_;
  return size() == other.size() && std::all_of(members().begin(), members().end(), [&](const auto& member) {
           const Json* same = other.find(member.first);
           return same && *same == member.second;
         });
}

std::optional<std::string> text_of(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return std::string(value.text());
}

}  // namespace wazoauth

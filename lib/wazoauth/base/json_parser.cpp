// JSON texts into values. Libraries refuse what clients of this API may send: integers beyond 64 bits, NaN, infinities,
// NUL in texts, encodings other than UTF-8.
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "wazoauth/base/json.h"
#include "wazoauth/base/text.h"

namespace wazoauth {
namespace {

constexpr int max_depth = 950;
constexpr std::size_t max_digits = 4300;

struct BadText : std::runtime_error {
  using std::runtime_error::runtime_error;
};

bool is_high_surrogate(unsigned unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}
bool is_low_surrogate(unsigned unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

enum class Order { big, little };

unsigned unit_at(std::string_view bytes, std::size_t offset, unsigned width, Order order) {
  unsigned unit = 0;
  for (unsigned i = 0; i < width; ++i) {
    const std::size_t at = offset + (order == Order::big ? i : width - 1 - i);
    unit = unit << 8 | static_cast<unsigned char>(bytes[at]);
  }
  return unit;
}

std::string from_utf16(std::string_view bytes, Order order) {
  if (bytes.size() % 2 != 0) throw BadText("odd UTF-16");
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    char32_t code = unit_at(bytes, i, 2, order);
    if (is_low_surrogate(code)) throw BadText("lone surrogate");
    if (is_high_surrogate(code)) {
      i += 2;
      const unsigned low = i < bytes.size() ? unit_at(bytes, i, 2, order) : 0;
      if (!is_low_surrogate(low)) throw BadText("lone surrogate");
      code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
    }
    append_utf8(out, code);
  }
  return out;
}

std::string from_utf32(std::string_view bytes, Order order) {
  if (bytes.size() % 4 != 0) throw BadText("broken UTF-32");
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 4) {
    const char32_t code = unit_at(bytes, i, 4, order);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw BadText("no character");
    append_utf8(out, code);
  }
  return out;
}

// A JSON text begins with an ASCII character, so where its first zero bytes lie tells the encoding (RFC 4627, 3).
std::string decode(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\0\0\xfe\xff"sv)) return from_utf32(bytes.substr(4), Order::big);
  if (bytes.starts_with("\xff\xfe\0\0"sv)) return from_utf32(bytes.substr(4), Order::little);
  if (bytes.starts_with("\xfe\xff"sv)) return from_utf16(bytes.substr(2), Order::big);
  if (bytes.starts_with("\xff\xfe"sv)) return from_utf16(bytes.substr(2), Order::little);
  if (bytes.starts_with("\xef\xbb\xbf"sv)) return std::string(bytes.substr(3));
  const auto zero = [bytes](std::size_t i) { return i < bytes.size() && bytes[i] == '\0'; };
  if (bytes.size() >= 4) {
    if (zero(0)) return zero(1) ? from_utf32(bytes, Order::big) : from_utf16(bytes, Order::big);
    if (zero(1)) return zero(2) && zero(3) ? from_utf32(bytes, Order::little) : from_utf16(bytes, Order::little);
  } else if (bytes.size() == 2) {
    if (zero(0)) return from_utf16(bytes, Order::big);
    if (zero(1)) return from_utf16(bytes, Order::little);
  }
  return std::string(bytes);
}

}  // namespace

class JsonParser {
 public:
  explicit JsonParser(std::string_view text) : text_(text) {}

  Json document() {
    Json result = value(0);
    skip_blanks();
    if (at_ != text_.size()) throw BadText("more than one value");
    return result;
  }

 private:
  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }

  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void expect(std::string_view word) {
    skip_blanks();
    if (!take(word)) throw BadText("unexpected character");
  }

  Json value(int depth) {
    skip_blanks();
    switch (peek()) {
      case '{':
        return object(depth + 1);
      case '[':
        return array(depth + 1);
      case '"':
        return Json(string());
      case 't':
        return word("true", Json(true));
      case 'f':
        return word("false", Json(false));
      case 'n':
        return word("null", Json());
      case 'N':
        return word("NaN", real(std::numeric_limits<double>::quiet_NaN()));
      case 'I':
        return word("Infinity", real(std::numeric_limits<double>::infinity()));
      default:
        return number();
    }
  }

  Json word(std::string_view name, Json meaning) {
    expect(name);
    return meaning;
  }

  Json object(int depth) {
    if (depth > max_depth) throw BadText("too deep");
    expect("{");
    Json::Members members;
    skip_blanks();
    if (take("}")) return Json(std::move(members));
    do {
      skip_blanks();
      std::string name = string();
      expect(":");
      members.emplace_back(std::move(name), value(depth));
      skip_blanks();
    } while (take(","));
    expect("}");
    return Json(std::move(members));
  }

  Json array(int depth) {
    if (depth > max_depth) throw BadText("too deep");
    expect("[");
    Json::Items items;
    skip_blanks();
    if (take("]")) return Json(std::move(items));
    do {
      items.push_back(value(depth));
      skip_blanks();
    } while (take(","));
    expect("]");
    return Json(std::move(items));
  }

  std::string string() {
    if (!take("\"")) throw BadText("no string");
    std::string out;
    for (;;) {
      const std::size_t start = at_;
      while (peek() >= 0x20 && peek() != '"' && peek() != '\\') ++at_;
      out.append(text_, start, at_ - start);
      if (take("\"")) return out;
      if (!take("\\")) throw BadText("control character in a string");
      escape(out);
    }
  }

  void escape(std::string& out) {
    const int c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out += static_cast<char>(c);
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u':
        append_utf8(out, escaped_character());
        break;
      default:
        throw BadText("unknown escape");
    }
  }

  char32_t escaped_character() {
    const unsigned unit = four_digits();
    if (is_low_surrogate(unit)) throw BadText("lone surrogate");
    if (!is_high_surrogate(unit)) return unit;
    const unsigned low = take("\\u") ? four_digits() : 0;
    if (!is_low_surrogate(low)) throw BadText("lone surrogate");
    return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
  }

  unsigned four_digits() {
    unsigned unit = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (digits.size() != 4 || result.ptr != digits.data() + 4) throw BadText("no \\u escape");
    at_ += 4;
    return unit;
  }

  std::size_t digits() {
    const std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ - start;
  }

  Json number() {
    const std::size_t start = at_;
    const bool negative = take("-");
    if (negative && take("Infinity")) return real(-std::numeric_limits<double>::infinity());
    if (!take("0") && digits() == 0) throw BadText("no value");
    bool integer = true;
    if (take(".")) {
      integer = false;
      if (digits() == 0) throw BadText("no digits after the point");
    }
    if (take("e") || take("E")) {
      integer = false;
      if (!take("-")) take("+");
      if (digits() == 0) throw BadText("no exponent");
    }
    const std::string_view token = text_.substr(start, at_ - start);
    return integer ? integer_of(token) : real_of(token);
  }

  static Json integer_of(std::string_view token) {
    std::int64_t n = 0;
    const auto result = std::from_chars(token.data(), token.data() + token.size(), n);
    if (result.ec == std::errc()) return n;
    if (token.size() - (token.front() == '-' ? 1 : 0) > max_digits) throw BadText("too many digits");
    Json big;
    big.value_ = Json::BigInteger{std::string(token)};
    return big;
  }

  static Json real_of(std::string_view token) { return real(parse_real(std::string(token))); }

  // Unlike Json(double) it keeps what isn't finite: fields tell NaN from a number that is too large.
  static Json real(double d) {
    Json value;
    value.value_ = d;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<Json> Json::parse(std::string_view bytes) {
  try {
    const std::string text = decode(bytes);
    if (!is_utf8(text)) return std::nullopt;
    return JsonParser(text).document();
  } catch (const BadText&) {
    return std::nullopt;
  }
}

}  // namespace wazoauth

#include "wazoauth/config/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "wazoauth/base/text.h"

namespace wazoauth {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

// A cursor over what is left of a scalar.
struct Scan {
  std::string_view rest;

  bool empty() const { return rest.empty(); }

  bool take(char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  }

  bool take(std::string_view word) {
    if (!rest.starts_with(word)) return false;
    rest.remove_prefix(word.size());
    return true;
  }

  // Leading characters of `set`, without '_'.
  std::string take_all(std::string_view set) {
    const auto size = std::min(rest.find_first_not_of(set), rest.size());
    std::string taken(rest.substr(0, size));
    rest.remove_prefix(size);
    std::erase(taken, '_');
    return taken;
  }
};

// "", or the exponent at the end; nullopt for anything else.
std::optional<std::string> exponent(Scan scan) {
  if (scan.empty()) return "";
  if (!scan.take('e') && !scan.take('E')) return std::nullopt;
  const char sign = scan.empty() ? '\0' : scan.rest.front();
  if (!scan.take('+') && !scan.take('-')) return std::nullopt;
  const std::string digits = scan.take_all("0123456789");
  if (digits.empty() || !scan.empty()) return std::nullopt;
  return std::string("e") + sign + digits;
}

double bounded(double d) {
  return std::clamp(d, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max());
}

Json number(bool negative, const std::string& digits, int base) {
  std::int64_t n = 0;
  double real = 0;
  bool exact = true;
  for (const char c : digits) {
    const int value = digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    exact = exact && !__builtin_mul_overflow(n, base, &n) && !__builtin_sub_overflow(n, value, &n);
    real = bounded(real * base + value);
  }
  if (base == 10) real = bounded(parse_real(digits));
  // Counted downwards, as the smallest integer has no positive counterpart.
  if (exact && !negative) exact = !__builtin_mul_overflow(n, -1, &n);
  return exact ? Json(n) : Json(negative ? -real : real);
}

// ":59:07" → the parts' value; nullopt when it doesn't begin so.
std::optional<double> sixtieths(Scan& scan, double value) {
  bool any = false;
  while (scan.take(':')) {
    const std::string_view part = scan.rest.substr(0, 2);
    const bool two = part.size() == 2 && digit(part[1]);
    if (part.empty() || !digit(part[0]) || (two && part[0] > '5')) return std::nullopt;
    value = value * 60 + (two ? (part[0] - '0') * 10 + (part[1] - '0') : part[0] - '0');
    scan.rest.remove_prefix(two ? 2 : 1);
    any = true;
  }
  return any ? std::optional(value) : std::nullopt;
}

std::optional<Json> integer(std::string_view text) {
  Scan scan{text};
  const bool negative = scan.take('-');
  if (!negative) scan.take('+');
  if (scan.rest == "0") return Json(0);
  int base = 10;
  std::string digits;
  if (scan.take("0b")) {
    base = 2;
    digits = scan.take_all("01_");
  } else if (scan.take("0x")) {
    base = 16;
    digits = scan.take_all("0123456789abcdefABCDEF_");
  } else if (scan.rest.starts_with('0')) {
    base = 8;
    digits = scan.take_all("01234567_");
  } else if (!scan.empty() && digit(scan.rest.front())) {
    digits = scan.take_all("0123456789_");
  }
  if (digits.empty()) return std::nullopt;
  if (scan.empty()) return number(negative, digits, base);
  if (base != 10) return std::nullopt;
  const auto value = sixtieths(scan, bounded(parse_real(digits)));
  if (!value || !scan.empty()) return std::nullopt;
  constexpr double exact = 9007199254740992.0;
  const double signed_value = negative ? -bounded(*value) : bounded(*value);
  return std::fabs(signed_value) < exact ? Json(static_cast<std::int64_t>(signed_value)) : Json(signed_value);
}

std::optional<Json> real(std::string_view text) {
  Scan scan{text};
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  const bool negative = scan.take('-');
  if (!negative) scan.take('+');
  const auto result = [negative](double d) { return Json(bounded(negative ? -d : d)); };
  if (scan.rest == ".inf" || scan.rest == ".Inf" || scan.rest == ".INF") return result(HUGE_VAL);
  if (!has_sign && (text == ".nan" || text == ".NaN" || text == ".NAN")) return Json();
  std::string whole;
  if (!scan.empty() && digit(scan.rest.front())) {
    whole = scan.take_all("0123456789_");
  } else if (has_sign || !text.starts_with('.') || text.size() < 2 || !digit(text[1])) {
    return std::nullopt;
  }
  const bool sexagesimal = scan.rest.starts_with(':');
  std::optional<double> minutes = sexagesimal ? sixtieths(scan, parse_real(whole)) : std::nullopt;
  if ((sexagesimal && !minutes) || !scan.take('.')) return std::nullopt;
  const std::string fraction = scan.take_all("0123456789_");
  if (sexagesimal) {
    if (!scan.empty()) return std::nullopt;
    return result(*minutes + parse_real("0." + fraction));
  }
  const auto power = exponent(scan);
  if (!power) return std::nullopt;
  return result(parse_real(whole + "." + fraction + *power));
}

template <std::size_t N>
bool one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

}  // namespace

Json resolve_yaml_scalar(std::string_view plain) {
  static constexpr std::array<std::string_view, 5> null{"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 9> yes{"yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"};
  static constexpr std::array<std::string_view, 9> no{"no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"};
  if (one_of(plain, null)) return Json();
  if (one_of(plain, yes)) return Json(true);
  if (one_of(plain, no)) return Json(false);
  if (const auto value = integer(plain)) return *value;
  if (const auto value = real(plain)) return *value;
  return Json(plain);
}

}  // namespace wazoauth

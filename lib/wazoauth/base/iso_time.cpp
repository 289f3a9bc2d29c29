#include "wazoauth/base/iso_time.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace wazoauth {

namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::optional<int> number(std::size_t digits) {
    if (rest_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = 10 * value + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  bool skip_digits() {
    const auto end = rest_.find_first_not_of("0123456789");
    const bool any = end != 0 && !rest_.empty();
    rest_.remove_prefix(std::min(end, rest_.size()));
    return any;
  }

 private:
  std::string_view rest_;
};

std::optional<std::int64_t> date_of(Reader& reader) {
  const auto year = reader.number(4);
  if (!year || !reader.take('-')) return std::nullopt;
  const auto month = reader.number(2);
  if (!month || !reader.take('-')) return std::nullopt;
  const auto day = reader.number(2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * std::int64_t{86400};
}

std::optional<std::int64_t> clock_of(Reader& reader) {
  const auto hours = reader.number(2);
  if (!hours || *hours > 23 || !reader.take(':')) return std::nullopt;
  const auto minutes = reader.number(2);
  if (!minutes || *minutes > 59) return std::nullopt;
  int seconds = 0;
  if (reader.take(':')) {
    const auto given = reader.number(2);
    if (!given || *given > 59) return std::nullopt;
    seconds = *given;
    if (reader.take('.') && !reader.skip_digits()) return std::nullopt;
  }
  return *hours * 3600 + *minutes * 60 + seconds;
}

// East of UTC, in seconds.
std::optional<std::int64_t> offset_of(Reader& reader) {
  if (reader.done() || reader.take('Z') || reader.take('z')) return 0;
  const bool west = reader.take('-');
  if (!west && !reader.take('+')) return std::nullopt;
  const auto hours = reader.number(2);
  if (!hours || *hours > 23) return std::nullopt;
  const bool more = reader.take(':') || !reader.done();
  const auto minutes = more ? reader.number(2) : 0;
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::int64_t offset = *hours * 3600 + *minutes * 60;
  return west ? -offset : offset;
}

}  // namespace

std::optional<std::int64_t> parse_iso_time(std::string_view text) {
  Reader reader(text);
  const auto date = date_of(reader);
  if (!date || !(reader.take('T') || reader.take('t') || reader.take(' '))) return std::nullopt;
  const auto clock = clock_of(reader);
  if (!clock) return std::nullopt;
  const auto offset = offset_of(reader);
  if (!offset || !reader.done()) return std::nullopt;
  return *date + *clock - *offset;
}

std::string iso_time(std::int64_t unix_seconds) {
  const std::time_t time = unix_seconds;
  std::tm parts{};
  char text[40];
  if (!gmtime_r(&time, &parts)) return "";
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S+00:00", &parts)};
}

}  // namespace wazoauth

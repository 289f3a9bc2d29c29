#include "wazoauth/cache/life.h"

#include <array>
#include <charconv>

namespace wazoauth {

Life parse_life(std::string_view text) {
  std::array<std::int64_t, 3> numbers{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::int64_t& number : numbers) {
    const auto [rest, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return {};
    at = rest == end ? rest : rest + 1;
  }
  const auto life = [&](std::size_t i) { return static_cast<std::uint64_t>(numbers[i]); };
  // No server has any record yet.
  if (numbers[2] == 0) return {life(0), {}};
  return {life(0), {life(1), life(2)}};
}

}  // namespace wazoauth

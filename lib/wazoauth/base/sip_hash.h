// SipHash-1-3 with 128 bits: who doesn't know the secret can neither foresee a hash nor find two texts of the same one.
#pragma once

#include <cstdint>
#include <string_view>

namespace wazoauth {

struct Hash128 {
  std::uint64_t low, high;
  bool operator==(const Hash128&) const = default;
};

Hash128 sip_hash(const Hash128& secret, std::string_view text);

}  // namespace wazoauth

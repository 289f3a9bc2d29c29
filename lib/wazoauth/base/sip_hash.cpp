#include "wazoauth/base/sip_hash.h"

#include <bit>
#include <cstring>

namespace wazoauth {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void add(std::uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  }
  std::uint64_t finish() {
    for (int i = 0; i < 3; ++i) round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

static_assert(std::endian::native == std::endian::little);

Hash128 sip_hash(const Hash128& secret, std::string_view text) {
  State state{secret.low ^ 0x736f6d6570736575, secret.high ^ 0x646f72616e646f6d ^ 0xee, secret.low ^ 0x6c7967656e657261,
              secret.high ^ 0x7465646279746573};
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    state.add(word);
  }
  std::uint64_t last = std::uint64_t{text.size()} << 56;
  if (left >= 4) {
    std::uint32_t half, rest = 0;
    std::memcpy(&half, at, 4);
    for (std::size_t i = left; i > 4; --i) rest = rest << 8 | static_cast<unsigned char>(at[i - 1]);
    last |= half | std::uint64_t{rest} << 32;
  } else {
    for (std::size_t i = 0; i < left; ++i) last |= std::uint64_t{static_cast<unsigned char>(at[i])} << 8 * i;
  }
  state.add(last);
  state.v2 ^= 0xee;
  Hash128 hash;
  hash.low = state.finish();
  state.v1 ^= 0xdd;
  hash.high = state.finish();
  return hash;
}

}  // namespace wazoauth

// SHA-512 of several messages side by side, in the lanes of the CPU's vectors: 8 with AVX-512, 4 with AVX-512VL or
// AVX2. On other CPUs, and other architectures, there is no kernel.
//
// libipsec-mb has the same in assembler, but starts each HMAC anew at its interface: for PBKDF2 it took half as much
// CPU again with AVX-512 (docs/performance/logins.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wazoauth {

// Words of states and digests: word i of lane n is at [i * lanes + n], aligned for vectors of all lanes.
struct Sha512Lanes {
  const char* name;
  std::size_t lanes;
  std::size_t worth_it;  // takes less time for so many messages than one after the other does
  // HMAC-SHA512 again and again: sum ^= HMAC(digest) ^ HMAC(HMAC(digest)) ^ ..., `times` of them. `inner` and `outer`
  // are the states after the key's blocks; the digest is changed.
  void (*iterate_hmac)(const std::uint64_t* inner, const std::uint64_t* outer, std::uint64_t* digest,
                       std::uint64_t* sum, int times);
};

constexpr std::size_t most_sha512_lanes = 8;

// Those that this CPU has. Where two have as many lanes, the faster one is first.
std::vector<Sha512Lanes> sha512_lanes();

}  // namespace wazoauth

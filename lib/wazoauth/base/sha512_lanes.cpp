#include "wazoauth/base/sha512_lanes.h"

#include <utility>

namespace wazoauth {

#if defined(__x86_64__)

namespace {

// FIPS 180-4, section 4.2.3.
constexpr std::uint64_t constants[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

using Four = std::uint64_t __attribute__((vector_size(32), may_alias));
using Eight = std::uint64_t __attribute__((vector_size(64), may_alias));

// Vectors are passed by pointer: by value their registers depend on the features that a function is compiled for. All
// of it becomes part of the kernels below, and is compiled for theirs.
#define ROTATED(word, bits) ((word) >> (bits) | (word) << (64 - (bits)))

// FIPS 180-4, section 6.4.2. The state rotates by its names, and the schedule has room for 16 words.
template <std::size_t t, typename Word>
[[gnu::always_inline]] inline void do_round(Word* state, Word* schedule) {
  Word &a = state[(80 - t) % 8], &b = state[(81 - t) % 8], &c = state[(82 - t) % 8], &d = state[(83 - t) % 8];
  Word &e = state[(84 - t) % 8], &f = state[(85 - t) % 8], &g = state[(86 - t) % 8], &h = state[(87 - t) % 8];
  Word& word = schedule[t % 16];
  if constexpr (t >= 16) {
    const Word &from = schedule[(t + 1) % 16], &to = schedule[(t + 14) % 16];
    word += schedule[(t + 9) % 16] + (ROTATED(from, 1) ^ ROTATED(from, 8) ^ from >> 7) +
            (ROTATED(to, 19) ^ ROTATED(to, 61) ^ to >> 6);
  }
  h += (ROTATED(e, 14) ^ ROTATED(e, 18) ^ ROTATED(e, 41)) + (g ^ (e & (f ^ g))) + constants[t] + word;
  d += h;
  h += (ROTATED(a, 28) ^ ROTATED(a, 34) ^ ROTATED(a, 39)) + ((a & b) | (c & (a | b)));
}

#undef ROTATED

template <typename Word, std::size_t... t>
[[gnu::always_inline]] inline void do_rounds(Word* state, Word* schedule, std::index_sequence<t...>) {
  (do_round<t>(state, schedule), ...);
}

// The first words of the block become the state after `from` and the block.
template <typename Word>
[[gnu::always_inline]] inline void compress(Word* block, const Word* from) {
  Word state[8], schedule[16];
  for (int i = 0; i < 8; ++i) state[i] = from[i];
  for (int i = 0; i < 16; ++i) schedule[i] = block[i];
  do_rounds(state, schedule, std::make_index_sequence<80>());
  for (int i = 0; i < 8; ++i) block[i] = state[i] + from[i];
}

// A digest, its padding and the length fill exactly one block, so each HMAC is two compressions.
template <typename Word>
[[gnu::always_inline]] inline void iterate(const std::uint64_t* inner, const std::uint64_t* outer,
                                           std::uint64_t* digest, std::uint64_t* sum, int times) {
  Word block[16]{};
  for (int i = 0; i < 8; ++i) block[i] = reinterpret_cast<Word*>(digest)[i];
  block[8] += std::uint64_t{1} << 63;
  block[15] += std::uint64_t{(128 + 64) * 8};
  for (int turn = 0; turn < times; ++turn) {
    compress(block, reinterpret_cast<const Word*>(inner));
    compress(block, reinterpret_cast<const Word*>(outer));
    for (int i = 0; i < 8; ++i) reinterpret_cast<Word*>(sum)[i] ^= block[i];
  }
  for (int i = 0; i < 8; ++i) reinterpret_cast<Word*>(digest)[i] = block[i];
}

#define WAZO_AUTH_KERNEL(name, features, word)                                                                       \
  [[gnu::target(features)]] void name(const std::uint64_t* inner, const std::uint64_t* outer, std::uint64_t* digest, \
                                      std::uint64_t* sum, int times) {                                               \
    iterate<word>(inner, outer, digest, sum, times);                                                                 \
  }
WAZO_AUTH_KERNEL(iterate_avx512, "avx512f", Eight)
WAZO_AUTH_KERNEL(iterate_avx512vl, "avx512f,avx512vl", Four)
WAZO_AUTH_KERNEL(iterate_avx2, "avx2", Four)
#undef WAZO_AUTH_KERNEL

}  // namespace

std::vector<Sha512Lanes> sha512_lanes() {
  std::vector<Sha512Lanes> kernels;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vl")) kernels.push_back({"avx512vl", 4, 2, iterate_avx512vl});
  if (__builtin_cpu_supports("avx2")) kernels.push_back({"avx2", 4, 3, iterate_avx2});
  if (__builtin_cpu_supports("avx512f")) kernels.push_back({"avx512", 8, 3, iterate_avx512});
  return kernels;
}

#else

std::vector<Sha512Lanes> sha512_lanes() {
  return {};
}

#endif

}  // namespace wazoauth

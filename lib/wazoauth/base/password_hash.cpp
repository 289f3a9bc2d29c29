#include "wazoauth/base/password_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <list>

#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"

// SHA512_* are deprecated in OpenSSL 3, but only they let a state be kept after the key's block: with EVP every
// iteration pays for copying contexts, and the whole hash takes 1.5 times as long.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace wazoauth {
namespace {

constexpr std::size_t block_size = SHA512_CBLOCK;
constexpr std::size_t digest_size = SHA512_DIGEST_LENGTH;
using Digest = std::array<unsigned char, digest_size>;

void store_big_endian(unsigned char* bytes, std::uint64_t word) {
  word = __builtin_bswap64(word);
  std::memcpy(bytes, &word, sizeof word);
}

std::uint64_t load_big_endian(const unsigned char* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return __builtin_bswap64(word);
}

// HMAC-SHA512 with one key.
class Hmac {
 public:
  explicit Hmac(std::string_view key) {
    std::array<unsigned char, block_size> block{};
    if (key.size() > block_size) {
      SHA512(reinterpret_cast<const unsigned char*>(key.data()), key.size(), block.data());
    } else {
      std::copy(key.begin(), key.end(), block.begin());
    }
    absorb(inner_, block, 0x36);
    absorb(outer_, block, 0x5c);
    OPENSSL_cleanse(block.data(), block.size());
  }

  ~Hmac() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }

  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;

  Digest of(std::string_view message) const {
    Digest digest;
    SHA512_CTX state = inner_;
    SHA512_Update(&state, message.data(), message.size());
    SHA512_Final(digest.data(), &state);
    state = outer_;
    SHA512_Update(&state, digest.data(), digest.size());
    SHA512_Final(digest.data(), &state);
    return digest;
  }

  // The states after the key's block.
  const SHA512_CTX& inner() const { return inner_; }
  const SHA512_CTX& outer() const { return outer_; }

 private:
  static void absorb(SHA512_CTX& state, std::array<unsigned char, block_size> block, unsigned char pad) {
    for (auto& byte : block) byte ^= pad;
    SHA512_Init(&state);
    SHA512_Update(&state, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }

  SHA512_CTX inner_;
  SHA512_CTX outer_;
};

// The digest at the block's start becomes the digest of what `from` absorbed and the block.
void compress(SHA512_CTX& state, const std::uint64_t* from, std::array<unsigned char, block_size>& block) {
  std::memcpy(state.h, from, sizeof state.h);
  SHA512_Transform(&state, block.data());
  for (std::size_t word = 0; word < 8; ++word) store_big_endian(block.data() + 8 * word, state.h[word]);
}

// By OpenSSL's block function, which is assembler.
void iterate_one(const std::uint64_t* inner, const std::uint64_t* outer, std::uint64_t* digest, std::uint64_t* sum,
                 int times) {
  // A digest, its padding and the length fill exactly one block, so each HMAC is two bare compressions.
  std::array<unsigned char, block_size> block{};
  for (std::size_t word = 0; word < 8; ++word) store_big_endian(block.data() + 8 * word, digest[word]);
  block[digest_size] = 0x80;
  store_big_endian(block.data() + block_size - 8, (block_size + digest_size) * 8);
  SHA512_CTX state;
  SHA512_Init(&state);
  for (int i = 0; i < times; ++i) {
    compress(state, inner, block);
    compress(state, outer, block);
    for (std::size_t word = 0; word < 8; ++word) sum[word] ^= state.h[word];
  }
  for (std::size_t word = 0; word < 8; ++word) digest[word] = load_big_endian(block.data() + 8 * word);
  OPENSSL_cleanse(&state, sizeof state);
}

constexpr Sha512Lanes one_lane = {"one", 1, 1, iterate_one};

std::string shown(const Digest& digest) {
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// Lowest number of lanes first.
std::vector<Sha512Lanes> choose_kernels() {
  std::vector<Sha512Lanes> chosen{one_lane};
  for (const Sha512Lanes& kernel : sha512_lanes()) {
    if (chosen.back().lanes == kernel.lanes) continue;
    if (hashes_right(kernel))
      chosen.push_back(kernel);
    else
      log::error(std::string("passwords are hashed without ") + kernel.name + ": it hashes wrongly on this machine");
  }
  return chosen;
}

const std::vector<Sha512Lanes>& kernels() {
  static const std::vector<Sha512Lanes> chosen = choose_kernels();
  return chosen;
}

// Iterations after which others may join: 0.3 ms for one lane, 0.8 ms for eight.
constexpr int advance_by = 1000;

}  // namespace

PasswordLanes::~PasswordLanes() {
  OPENSSL_cleanse(lanes_.data(), sizeof lanes_);
}

bool PasswordLanes::has_room() const {
  return used_ < (only_ ? *only_ : kernels().back()).lanes;
}

// The narrowest in which all have room, of those that take less time than one after the other would.
const Sha512Lanes& PasswordLanes::kernel() const {
  if (only_) return *only_;
  const Sha512Lanes* best = &kernels().front();
  for (const Sha512Lanes& each : kernels()) {
    if (used_ >= each.worth_it && best->lanes < used_) best = &each;
  }
  return *best;
}

void PasswordLanes::join(PasswordToHash& password, int iterations) {
  const Hmac hmac(password.password);
  // The derived key has one block only, with the number 1.
  const Digest first = hmac.of(password.salt + std::string("\0\0\0\1", 4));
  Lane& lane = lanes_[used_];
  lane.password = &password;
  lane.left = iterations - 1;
  for (std::size_t word = 0; word < 8; ++word) {
    lane.inner[word] = hmac.inner().h[word];
    lane.outer[word] = hmac.outer().h[word];
    lane.value[word] = lane.sum[word] = load_big_endian(first.data() + 8 * word);
  }
  ++used_;
}

void PasswordLanes::advance() {
  const Sha512Lanes& by = kernel();
  const auto running = std::span(lanes_).first(std::min(used_, by.lanes));
  int times = advance_by;
  for (const Lane& lane : running) times = std::min(times, lane.left);
  if (times > 0) iterate(by, running, times);
  leave();
}

void PasswordLanes::iterate(const Sha512Lanes& kernel, std::span<Lane> lanes, int times) {
  constexpr std::size_t most = 8 * most_sha512_lanes;
  alignas(64) std::array<std::uint64_t, most> inner{}, outer{}, value{}, sum{};
  for (std::size_t n = 0; n < lanes.size(); ++n) {
    for (std::size_t word = 0; word < 8; ++word) {
      const std::size_t at = word * kernel.lanes + n;
      inner[at] = lanes[n].inner[word];
      outer[at] = lanes[n].outer[word];
      value[at] = lanes[n].value[word];
      sum[at] = lanes[n].sum[word];
    }
  }
  kernel.iterate_hmac(inner.data(), outer.data(), value.data(), sum.data(), times);
  for (std::size_t n = 0; n < lanes.size(); ++n) {
    for (std::size_t word = 0; word < 8; ++word) {
      lanes[n].value[word] = value[word * kernel.lanes + n];
      lanes[n].sum[word] = sum[word * kernel.lanes + n];
    }
    lanes[n].left -= times;
  }
  OPENSSL_cleanse(inner.data(), sizeof inner);
  OPENSSL_cleanse(outer.data(), sizeof outer);
}

void PasswordLanes::leave() {
  std::size_t staying = 0;
  for (Lane& lane : std::span(lanes_).first(used_)) {
    if (lane.left == 0) {
      Digest digest;
      for (std::size_t word = 0; word < 8; ++word) store_big_endian(digest.data() + 8 * word, lane.sum[word]);
      lane.password->hash = shown(digest);
    } else {
      lanes_[staying++] = lane;
    }
  }
  used_ = staying;
}

std::string hash_password(std::string_view password, std::string_view salt, int iterations) {
  PasswordToHash one{std::string(password), std::string(salt), ""};
  PasswordLanes lanes(one_lane);
  lanes.join(one, iterations);
  while (!lanes.empty()) lanes.advance();
  return one.hash;
}

bool hashes_right(const Sha512Lanes& kernel) {
  constexpr int iterations = 3;
  PasswordLanes lanes(kernel);
  std::list<PasswordToHash> passwords;
  while (lanes.has_room()) {
    const std::size_t n = passwords.size();
    const auto letter = static_cast<char>('a' + n);
    lanes.join(passwords.emplace_back(PasswordToHash{std::string(40 * n, letter), std::string(64, letter), ""}),
               iterations);
  }
  while (!lanes.empty()) lanes.advance();
  return std::all_of(passwords.begin(), passwords.end(), [](const PasswordToHash& each) {
    Digest digest;
    const bool known =
        PKCS5_PBKDF2_HMAC(each.password.data(), static_cast<int>(each.password.size()),
                          reinterpret_cast<const unsigned char*>(each.salt.data()), static_cast<int>(each.salt.size()),
                          iterations, EVP_sha512(), digest.size(), digest.data()) == 1;
    return known && each.hash == shown(digest);
  });
}

std::string random_salt() {
  return random_bytes(64);
}

bool is_stored_hash(std::string_view hash, std::string_view stored) {
  return hash.size() == stored.size() && CRYPTO_memcmp(hash.data(), stored.data(), hash.size()) == 0;
}

}  // namespace wazoauth

#pragma GCC diagnostic pop

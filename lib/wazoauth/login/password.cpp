#include "wazoauth/login/password.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

  // digest ^= HMAC(digest') ^ HMAC(HMAC(digest')) ^ ..., `times` of them, digest' being the first value. A digest, its
  // padding and the length fill exactly one block, so each HMAC is two bare compressions.
  void iterate(Digest& digest, int times) const {
    std::array<unsigned char, block_size> block{};
    std::copy(digest.begin(), digest.end(), block.begin());
    block[digest_size] = 0x80;
    store_big_endian(block.data() + block_size - 8, (block_size + digest_size) * 8);
    std::array<std::uint64_t, 8> sum{};
    SHA512_CTX state = inner_;
    for (int i = 0; i < times; ++i) {
      compress(state, inner_, block);
      compress(state, outer_, block);
      for (std::size_t word = 0; word < sum.size(); ++word) sum[word] ^= state.h[word];
    }
    for (std::size_t word = 0; word < sum.size(); ++word) store_big_endian(block.data() + 8 * word, sum[word]);
    for (std::size_t i = 0; i < digest.size(); ++i) digest[i] ^= block[i];
  }

 private:
  static void absorb(SHA512_CTX& state, std::array<unsigned char, block_size> block, unsigned char pad) {
    for (auto& byte : block) byte ^= pad;
    SHA512_Init(&state);
    SHA512_Update(&state, block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }

  // The digest at the block's start becomes the digest of what `from` absorbed and the block.
  static void compress(SHA512_CTX& state, const SHA512_CTX& from, std::array<unsigned char, block_size>& block) {
    std::memcpy(state.h, from.h, sizeof state.h);
    SHA512_Transform(&state, block.data());
    for (std::size_t word = 0; word < 8; ++word) store_big_endian(block.data() + 8 * word, state.h[word]);
  }

  SHA512_CTX inner_;
  SHA512_CTX outer_;
};

}  // namespace

std::string hash_password(std::string_view password, std::string_view salt, int iterations) {
  const Hmac hmac(password);
  std::string first(salt);
  first.append("\0\0\0\1", 4);  // number of the only block of derived key
  Digest digest = hmac.of(first);
  hmac.iterate(digest, iterations - 1);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string random_salt() {
  return random_bytes(64);
}

bool verify_password(std::string_view password, std::string_view stored_hash_hex, std::string_view salt) {
  const std::string computed = hash_password(password, salt);
  return computed.size() == stored_hash_hex.size() &&
         CRYPTO_memcmp(computed.data(), stored_hash_hex.data(), computed.size()) == 0;
}

void burn_equal_time(std::string_view password) {
  hash_password(password, random_salt());
}

}  // namespace wazoauth

#pragma GCC diagnostic pop

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

// The first of the values whose sum the derived key is: it has one block only, with the number 1.
Digest first_value(const Hmac& hmac, std::string_view salt) {
  std::string first(salt);
  first.append("\0\0\0\1", 4);
  return hmac.of(first);
}

std::string shown(const Digest& digest) {
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// Lowest number of lanes first.
std::vector<Sha512Lanes> choose_kernels() {
  std::vector<Sha512Lanes> chosen;
  for (const Sha512Lanes& kernel : sha512_lanes()) {
    if (!chosen.empty() && chosen.back().lanes == kernel.lanes) continue;
    if (hashes_right(kernel))
      chosen.push_back(kernel);
    else
      log::error(std::string("passwords are hashed without ") + kernel.name + ": it hashes wrongly on this machine");
  }
  return chosen;
}

// Null: one after the other is best.
const Sha512Lanes* kernel_for(std::size_t waiting) {
  static const std::vector<Sha512Lanes> kernels = choose_kernels();
  const Sha512Lanes* best = nullptr;
  for (const Sha512Lanes& kernel : kernels) {
    if (waiting >= kernel.worth_it && (!best || best->lanes < waiting)) best = &kernel;
  }
  return best;
}

}  // namespace

std::string hash_password(std::string_view password, std::string_view salt, int iterations) {
  const Hmac hmac(password);
  Digest digest = first_value(hmac, salt);
  hmac.iterate(digest, iterations - 1);
  return shown(digest);
}

std::size_t hashed_together(std::size_t waiting) {
  const Sha512Lanes* const kernel = kernel_for(waiting);
  return kernel ? std::min(waiting, kernel->lanes) : 1;
}

void hash_passwords_by(const Sha512Lanes& kernel, std::span<PasswordToHash* const> passwords, int iterations) {
  constexpr std::size_t most = 8 * most_sha512_lanes;
  alignas(64) std::array<std::uint64_t, most> inner{}, outer{}, value{}, sum{};
  for (std::size_t lane = 0; lane < passwords.size(); ++lane) {
    const Hmac hmac(passwords[lane]->password);
    const Digest first = first_value(hmac, passwords[lane]->salt);
    for (std::size_t word = 0; word < 8; ++word) {
      const std::size_t at = word * kernel.lanes + lane;
      inner[at] = hmac.inner().h[word];
      outer[at] = hmac.outer().h[word];
      value[at] = sum[at] = load_big_endian(first.data() + 8 * word);
    }
  }
  kernel.iterate_hmac(inner.data(), outer.data(), value.data(), sum.data(), iterations - 1);
  for (std::size_t lane = 0; lane < passwords.size(); ++lane) {
    Digest digest;
    for (std::size_t word = 0; word < 8; ++word)
      store_big_endian(digest.data() + 8 * word, sum[word * kernel.lanes + lane]);
    passwords[lane]->hash = shown(digest);
  }
  OPENSSL_cleanse(inner.data(), sizeof inner);
  OPENSSL_cleanse(outer.data(), sizeof outer);
}

void hash_passwords(std::span<PasswordToHash* const> passwords, int iterations) {
  while (!passwords.empty()) {
    const std::size_t together = hashed_together(passwords.size());
    if (together == 1)
      passwords[0]->hash = hash_password(passwords[0]->password, passwords[0]->salt, iterations);
    else
      hash_passwords_by(*kernel_for(together), passwords.first(together), iterations);
    passwords = passwords.subspan(together);
  }
}

bool hashes_right(const Sha512Lanes& kernel) {
  constexpr int iterations = 3;
  std::list<PasswordToHash> passwords;
  std::vector<PasswordToHash*> all;
  for (std::size_t lane = 0; lane < kernel.lanes; ++lane) {
    const auto letter = static_cast<char>('a' + lane);
    all.push_back(&passwords.emplace_back(PasswordToHash{std::string(40 * lane, letter), std::string(64, letter), ""}));
  }
  hash_passwords_by(kernel, all, iterations);
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

#include "wazoauth/gate/login_throttle.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "wazoauth/ascii.h"
#include "wazoauth/text.h"

namespace wazoauth::gate {

namespace {
constexpr std::size_t entries = 2048, ways = 4;
constexpr std::int64_t window_ms = 60000;  // failures are forgotten after so long without one
constexpr std::int64_t longest_wait_ms = 10000;
}  // namespace

struct LoginThrottle::Entry {
  std::atomic<std::uint64_t> key;  // 0: free
  std::atomic<std::int64_t> last_ms;
  std::atomic<std::int64_t> next_ms;  // nobody may try before
  std::atomic<std::uint64_t> failures;
};

// Failures beyond `free` double the distance between two tries. One is forgotten every `forget_ms` (0: only all at
// once, after the window).
struct LoginThrottle::Rule {
  std::uint64_t free;
  std::int64_t first_ms, most_ms, forget_ms;
  std::uint64_t left(std::uint64_t failures, std::int64_t elapsed_ms) const {
    if (elapsed_ms > window_ms) return 0;
    const std::uint64_t forgotten = forget_ms && elapsed_ms > 0 ? elapsed_ms / forget_ms : 0;
    return failures - std::min(failures, forgotten);
  }
  std::int64_t distance(std::uint64_t failures) const {
    if (failures < free) return 0;
    return std::min(most_ms, first_ms << std::min<std::uint64_t>(failures - free, 10));
  }
};

// Behind one address may stand an office: it is given more room than one login of it, and a phone there that fails
// every now and then for days mustn't slow it down.
constexpr LoginThrottle::Rule LoginThrottle::of_login{5, 500, 8000, 0};
constexpr LoginThrottle::Rule LoginThrottle::of_prefix{60, 100, 1000, 1000};

void LoginThrottle::format(void* memory) {
  static_assert(sizeof(Entry) == 32 && size == (entries + 1) * sizeof(Entry));
  std::memset(memory, 0, size);
  Entry* const table = static_cast<Entry*>(memory);
  for (std::size_t i = 0; i < entries; ++i) new (table + i) Entry{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(table + entries), 32) != 1)
    throw std::runtime_error("no random bytes");
}

std::uint64_t LoginThrottle::hash(std::string_view address, std::string_view login) const {
  unsigned char salt[32], digest[SHA256_DIGEST_LENGTH], binary[16];
  std::memcpy(salt, static_cast<const Entry*>(memory_) + entries, sizeof(salt));
  std::string text(reinterpret_cast<char*>(salt), sizeof(salt));
  if (inet_pton(AF_INET6, std::string(address).c_str(), binary) == 1)
    text.append(reinterpret_cast<char*>(binary), 8);
  else
    text += address;
  text += '\0';
  text += fold_case(login);  // accounts are found in any case: other letters are no other login
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::uint64_t key;
  std::memcpy(&key, digest, sizeof(key));
  return key ? key : 1;
}

LoginThrottle::Entry* LoginThrottle::find(std::uint64_t key) const {
  Entry* const bucket = static_cast<Entry*>(memory_) + key % (entries / ways) * ways;
  for (std::size_t i = 0; i < ways; ++i) {
    if (bucket[i].key.load() == key) return &bucket[i];
  }
  return nullptr;
}

LoginThrottle::Entry& LoginThrottle::claim(std::uint64_t key) {
  if (Entry* found = find(key)) return *found;
  Entry* const bucket = static_cast<Entry*>(memory_) + key % (entries / ways) * ways;
  Entry* const oldest = std::min_element(
      bucket, bucket + ways, [](const Entry& a, const Entry& b) { return a.last_ms.load() < b.last_ms.load(); });
  oldest->failures.store(0);
  oldest->next_ms.store(0);
  oldest->key.store(key);
  return *oldest;
}

std::optional<std::int64_t> LoginThrottle::reserve(std::uint64_t key, const Rule& rule, std::int64_t now_ms) {
  Entry* const entry = find(key);
  if (!entry) return 0;
  const std::int64_t distance = rule.distance(rule.left(entry->failures.load(), now_ms - entry->last_ms.load()));
  if (distance == 0) return 0;
  std::int64_t next = entry->next_ms.load(), start;
  do {
    start = std::max(now_ms, next);
    if (start - now_ms > longest_wait_ms) return std::nullopt;
  } while (!entry->next_ms.compare_exchange_weak(next, start + distance));
  return start - now_ms;
}

void LoginThrottle::count(std::uint64_t key, const Rule& rule, std::int64_t now_ms) {
  Entry& entry = claim(key);
  const std::int64_t elapsed = now_ms - entry.last_ms.load();
  std::uint64_t before = entry.failures.load(), failures;
  do failures = rule.left(before, elapsed) + 1;
  while (!entry.failures.compare_exchange_weak(before, failures));
  entry.last_ms.store(now_ms);
  const std::int64_t distance = rule.distance(failures);
  if (distance) entry.next_ms.store(std::max(entry.next_ms.load(), now_ms + distance));
}

namespace {
constexpr std::string_view anybody;  // stands for all logins of an address: none is empty
}

std::optional<std::int64_t> LoginThrottle::delay(std::string_view address, std::string_view login,
                                                 std::int64_t boot_ms) {
  // Without a login there is none to guess at: the failed refresh token of one phone mustn't slow down its neighbours'.
  const auto one = login.empty() ? 0 : reserve(hash(address, login), of_login, boot_ms);
  if (!one) return std::nullopt;
  const auto all = reserve(hash(address, anybody), of_prefix, boot_ms);
  if (!all) return std::nullopt;
  return std::max(*one, *all);
}

void LoginThrottle::failed(std::string_view address, std::string_view login, std::int64_t boot_ms) {
  if (!login.empty()) count(hash(address, login), of_login, boot_ms);
  count(hash(address, anybody), of_prefix, boot_ms);
}

void LoginThrottle::succeeded(std::string_view address, std::string_view login) {
  if (Entry* entry = find(hash(address, login))) {
    entry->failures.store(0);
    entry->next_ms.store(0);
  }
}

std::string basic_login(std::string_view authorization) {
  constexpr std::string_view scheme = "basic ";
  if (!ascii::same(authorization.substr(0, scheme.size()), scheme)) return "";
  const auto decoded = decode_base64(authorization.substr(scheme.size()));
  return decoded ? utf8_or_latin1(decoded->substr(0, decoded->find(':'))) : "";
}

}  // namespace wazoauth::gate

#include "wazoauth/login/throttle.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <stdexcept>

#include "wazoauth/base/text.h"

namespace wazoauth::gate {

namespace {
constexpr std::size_t entries = 2048, entry_size = 48, secrets = 4096, secret_size = 16, ways = 4, salt_size = 32;
constexpr std::int64_t window_ms = 60000;       // failures are forgotten after so long without one
constexpr std::int64_t remembered_ms = 600000;  // what was tried, after it was tried last
}  // namespace

struct LoginThrottle::Entry {
  std::atomic<std::uint64_t> key;            // 0: free
  std::atomic<std::int64_t> since_ms;        // when it began to count
  std::atomic<std::int64_t> last_ms;         // when something was found to be wrong; 0: never
  std::atomic<std::int64_t> next_ms;         // no guess before
  std::atomic<std::int64_t> next_repeat_ms;  // the same for what is known to be wrong
  std::atomic<std::uint64_t> failures;

  std::int64_t quiet_ms(std::int64_t boot_ms) const { return boot_ms - std::max(since_ms.load(), last_ms.load()); }
};

struct LoginThrottle::Secret {
  std::atomic<std::uint64_t> key;
  std::atomic<std::int64_t> seen;  // twice the time, and 1 when it was wrong; else nobody knows yet
};

// Failures beyond `free` double the distance between two guesses. One is forgotten every `forget_ms` (0: only all at
// once, after the window). Repeats have a steady pace, `many` of them may come at once.
struct LoginThrottle::Rule {
  std::uint64_t free;
  std::int64_t first_ms, most_ms, forget_ms;
  std::int64_t repeat_ms, many;
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
constexpr LoginThrottle::Rule LoginThrottle::of_login{5, 500, 8000, 0, 250, 20};
constexpr LoginThrottle::Rule LoginThrottle::of_prefix{60, 100, 1000, 1000, 100, 60};

// A place in a queue: looked at first, taken when no other queue refuses.
struct LoginThrottle::Turn {
  std::atomic<std::int64_t>* next_ms = nullptr;  // null: no queue
  std::int64_t distance_ms = 0, ahead_ms = 0;    // it may come so much too early

  std::int64_t wait(std::int64_t boot_ms) const {
    return next_ms ? std::max<std::int64_t>(0, next_ms->load() - ahead_ms - boot_ms) : 0;
  }
  std::int64_t take(std::int64_t boot_ms) const {
    if (!next_ms || distance_ms == 0) return 0;
    std::int64_t next = next_ms->load(), after;
    do after = std::max(boot_ms, next) + distance_ms;
    while (!next_ms->compare_exchange_weak(next, after));
    return after;
  }
  static std::optional<std::int64_t> longest_wait(const Turn& a, const Turn& b, std::int64_t boot_ms) {
    const std::int64_t wait = std::max(a.wait(boot_ms), b.wait(boot_ms));
    return wait > longest_wait_ms ? std::nullopt : std::optional(wait);
  }
};

namespace {

unsigned char* secrets_of(void* memory) {
  return static_cast<unsigned char*>(memory) + entries * entry_size;
}

unsigned char* salt_of(void* memory) {
  return secrets_of(memory) + secrets * secret_size;
}

// Where IPv4 addresses are translated (64:ff9b::/96, RFC 6052), the last 32 bits are the client's.
std::string counted_part(std::string_view address) {
  constexpr std::array<unsigned char, 12> translated{0, 0x64, 0xff, 0x9b};
  std::array<unsigned char, 16> bytes;
  if (inet_pton(AF_INET6, std::string(address).c_str(), bytes.data()) != 1) return std::string(address);
  const bool whole = std::equal(translated.begin(), translated.end(), bytes.begin());
  return {reinterpret_cast<const char*>(bytes.data()), whole ? bytes.size() : 8};
}

std::uint64_t key_of(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::uint64_t key;
  std::memcpy(&key, digest, sizeof(key));
  return key ? key : 1;
}

}  // namespace

void LoginThrottle::format(void* memory) {
  static_assert(sizeof(Entry) == entry_size && sizeof(Secret) == secret_size);
  static_assert(size == entries * entry_size + secrets * secret_size + salt_size);
  std::memset(memory, 0, size);
  for (std::size_t i = 0; i < entries; ++i) new (static_cast<Entry*>(memory) + i) Entry{};
  for (std::size_t i = 0; i < secrets; ++i) new (secrets_of(memory) + i * secret_size) Secret{};
  if (RAND_bytes(salt_of(memory), salt_size) != 1) throw std::runtime_error("no random bytes");
}

std::string LoginThrottle::salted(std::string_view address) const {
  std::string text(reinterpret_cast<char*>(salt_of(memory_)), salt_size);
  return (text += counted_part(address)) += '\0';
}

std::uint64_t LoginThrottle::prefix_of(std::string_view address) const {
  return key_of(salted(address));
}

LoginThrottle::Try LoginThrottle::make_try(std::string_view address, std::string_view login,
                                           std::string_view secret) const {
  std::string text = salted(address);
  Try attempt{};
  attempt.prefix = key_of(text);
  // Accounts are found in any case, and directories look at even less: other letters are no other login.
  if (!login.empty()) (text += 'l') += fold_loosely(login);
  if (!login.empty()) attempt.login = key_of(text);
  ((text += '\0') += 's') += secret;
  attempt.secret = key_of(text);
  return attempt;
}

LoginThrottle::Entry* LoginThrottle::find(std::uint64_t key) const {
  Entry* const bucket = static_cast<Entry*>(memory_) + key % (entries / ways) * ways;
  for (std::size_t i = 0; i < ways; ++i) {
    if (bucket[i].key.load() == key) return &bucket[i];
  }
  return nullptr;
}

// What nobody has judged yet leaves first: tries that end in no judgement, however many, push nothing else out.
LoginThrottle::Entry& LoginThrottle::claim(std::uint64_t key) {
  if (Entry* found = find(key)) return *found;
  Entry* const bucket = static_cast<Entry*>(memory_) + key % (entries / ways) * ways;
  Entry* const oldest = std::min_element(
      bucket, bucket + ways, [](const Entry& a, const Entry& b) { return a.last_ms.load() < b.last_ms.load(); });
  oldest->failures.store(0);
  oldest->next_ms.store(0);
  oldest->next_repeat_ms.store(0);
  oldest->since_ms.store(0);
  oldest->last_ms.store(0);
  oldest->key.store(key);
  return *oldest;
}

LoginThrottle::Occupancy LoginThrottle::occupancy(std::int64_t boot_ms) const {
  const auto* const entry = static_cast<const Entry*>(memory_);
  const auto* const secret = reinterpret_cast<const Secret*>(secrets_of(memory_));
  return {
      static_cast<std::size_t>(std::count_if(entry, entry + entries,
                                             [&](const Entry& each) {
                                               return each.key.load() != 0 && each.failures.load() != 0 &&
                                                      each.quiet_ms(boot_ms) <= window_ms;
                                             })),
      entries,
      static_cast<std::size_t>(std::count_if(
          secret, secret + secrets,
          [&](const Secret& each) { return each.key.load() != 0 && boot_ms - each.seen.load() / 2 <= remembered_ms; })),
      secrets};
}

LoginThrottle::Secret* LoginThrottle::find_secret(std::uint64_t key) const {
  auto* const bucket = reinterpret_cast<Secret*>(secrets_of(memory_)) + key % (secrets / ways) * ways;
  for (std::size_t i = 0; i < ways; ++i) {
    if (bucket[i].key.load() == key) return &bucket[i];
  }
  return nullptr;
}

std::optional<bool> LoginThrottle::known_wrong(std::uint64_t secret, std::int64_t boot_ms) const {
  const Secret* const known = find_secret(secret);
  if (!known) return std::nullopt;
  const std::int64_t seen = known->seen.load();
  return boot_ms - seen / 2 > remembered_ms ? std::nullopt : std::optional((seen & 1) != 0);
}

void LoginThrottle::remember(std::uint64_t secret, bool wrong, std::int64_t boot_ms) {
  Secret* place = find_secret(secret);
  if (!place) {
    auto* const bucket = reinterpret_cast<Secret*>(secrets_of(memory_)) + secret % (secrets / ways) * ways;
    const auto rank = [](const Secret& each) { return each.seen & 1 ? each.seen.load() : 0; };
    place =
        std::min_element(bucket, bucket + ways, [&](const Secret& a, const Secret& b) { return rank(a) < rank(b); });
  }
  place->seen.store(2 * boot_ms + (wrong ? 1 : 0));
  place->key.store(secret);
}

void LoginThrottle::forget(std::uint64_t secret) {
  if (Secret* known = find_secret(secret)) {
    known->key.store(0);
    known->seen.store(0);
  }
}

std::optional<std::int64_t> LoginThrottle::begin(Try& attempt, std::int64_t boot_ms) {
  return known_wrong(attempt.secret, boot_ms).value_or(false) ? begin_repeat(attempt, boot_ms)
                                                              : begin_guess(attempt, boot_ms);
}

// Looked at again, for it may be the right one by now; but not as often as the machine can.
std::optional<std::int64_t> LoginThrottle::begin_repeat(const Try& attempt, std::int64_t boot_ms) {
  const auto turn = [&](std::uint64_t key, const Rule& rule) {
    return key ? Turn{&claim(key).next_repeat_ms, rule.repeat_ms, rule.many * rule.repeat_ms} : Turn{};
  };
  const Turn one = turn(attempt.login, of_login), all = turn(attempt.prefix, of_prefix);
  const auto wait = Turn::longest_wait(one, all, boot_ms);
  if (!wait) return std::nullopt;
  one.take(boot_ms);
  all.take(boot_ms);
  return wait;
}

// Of the same guess several times at once, each takes a turn, and one counts.
std::optional<std::int64_t> LoginThrottle::begin_guess(Try& attempt, std::int64_t boot_ms) {
  const bool is_new = !known_wrong(attempt.secret, boot_ms);
  Turn all, one;
  if (Entry* entry = find(attempt.prefix))
    all = {&entry->next_ms, of_prefix.distance(of_prefix.left(entry->failures, entry->quiet_ms(boot_ms)))};
  // Without a login there is none to guess at: the failed refresh token of one phone mustn't slow down its neighbours'.
  Entry* const entry = attempt.login ? &claim(attempt.login) : nullptr;
  std::uint64_t before = 0, failures = 0;
  if (entry) {
    before = entry->failures.load();
    failures = of_login.left(before, entry->quiet_ms(boot_ms)) + (is_new ? 1 : 0);
    one = {&entry->next_ms, of_login.distance(failures)};
  }
  const auto wait = Turn::longest_wait(one, all, boot_ms);
  if (!wait) return std::nullopt;
  all.take(boot_ms);
  attempt.distance_ms = one.distance_ms;
  attempt.next_ms = one.take(boot_ms);
  remember(attempt.secret, false, boot_ms);
  if (!entry || !is_new) return wait;
  if (failures == 1) entry->since_ms.store(boot_ms);
  while (!entry->failures.compare_exchange_weak(before, failures)) failures = before + 1;
  attempt.counted = true;
  return wait;
}

void LoginThrottle::wrong(const Try& attempt, std::int64_t boot_ms) {
  const std::optional<bool> known = known_wrong(attempt.secret, boot_ms);
  remember(attempt.secret, true, boot_ms);
  if (known.value_or(false)) return;
  const auto count = [&](Entry& entry, const Rule& rule, std::uint64_t more) {
    const std::int64_t quiet = entry.quiet_ms(boot_ms);
    std::uint64_t before = entry.failures.load(), failures;
    do failures = std::max<std::uint64_t>(1, rule.left(before, quiet) + more);
    while (!entry.failures.compare_exchange_weak(before, failures));
    entry.last_ms.store(boot_ms);
    const std::int64_t distance = rule.distance(failures);
    if (distance) entry.next_ms.store(std::max(entry.next_ms.load(), boot_ms + distance));
  };
  // It was counted when it began; or the same one that began before was, and has been taken back since.
  if (attempt.login) count(claim(attempt.login), of_login, attempt.counted || known ? 0 : 1);
  count(claim(attempt.prefix), of_prefix, 1);
}

void LoginThrottle::right(const Try& attempt) {
  forget(attempt.secret);
  if (Entry* entry = attempt.login ? find(attempt.login) : nullptr) {
    entry->failures.store(0);
    entry->next_ms.store(0);
    entry->last_ms.store(0);  // the first to leave
  }
}

void LoginThrottle::unjudged(const Try& attempt) {
  const Secret* const known = find_secret(attempt.secret);
  const bool of_another = known && !attempt.counted && !(known->seen & 1);  // the same one, that began before
  if (!of_another) forget(attempt.secret);
  Entry* const entry = attempt.login ? find(attempt.login) : nullptr;
  if (!entry) return;
  // The turn can only be given back while nobody has lined up behind it.
  std::int64_t next = attempt.next_ms;
  if (next) entry->next_ms.compare_exchange_strong(next, next - attempt.distance_ms);
  if (!attempt.counted) return;
  std::uint64_t failures = entry->failures.load();
  while (failures && !entry->failures.compare_exchange_weak(failures, failures - 1)) {
  }
}

}  // namespace wazoauth::gate

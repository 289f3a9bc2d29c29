// Slows down who guesses passwords: per (address prefix, login), and per address prefix. Never per login alone, which
// would let anybody lock out anybody.
//
// What a guesser gets, of one login from one address prefix: five guesses at once, about fifteen in the first minute,
// then one every 8 s. Of all logins together from there: sixty at once, then one a second. A guess counts when it
// begins, so many at once are no more than many in a row, and whether somebody waits for the answer is no matter.
//
// What the owner of a login gets, who comes from the same address as others with wrong passwords:
// * The same wrong password again is no guess. A phone that repeats an old one counts once, makes nobody wait, and
// takes
//   its turns in a queue of its own. Up to four such passwords never delay the owner; more of them do until each has
//   been tried once, a minute at most.
// * Who keeps guessing there, one guess after the other, takes turns with the owner, who waits 16 s at most.
// * Who sends several new guesses at once, without end, can fill the queue: then the owner is told to come back later
//   (429). Nothing but the password tells the two apart, and looking at it is what a guesser waits for. No try that is
//   let in waits longer than `longest_wait_ms`; other addresses aren't affected.
//
// Lies in memory that all workers of an nginx share, in atomics only: a lost race costs one count. The tables are small
// and the oldest entries leave, so that nothing has to be cleaned.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth::gate {

class LoginThrottle {
 public:
  static constexpr std::size_t size = 2048 * 48 + 4096 * 16 + 32;  // bytes of memory, aligned for 64-bit values
  static constexpr std::int64_t longest_wait_ms = 20000;

  static void format(void* memory);  // once; throws std::runtime_error when the system has no random bytes
  explicit LoginThrottle(void* memory) : memory_(memory) {}

  // Who tries what, as keys: nothing can be read from them.
  struct Try {
    std::uint64_t login;  // 0: no login is named
    std::uint64_t prefix;
    std::uint64_t secret;  // of this login from this prefix
    // What it did when it began: it counted, and took this turn among the guesses at this login.
    bool counted = false;
    std::int64_t distance_ms = 0, next_ms = 0;
  };

  // `address`: in its canonical form; IPv4 counts whole, IPv6 by its first 64 bits. `login`: "" for a try that names
  // none. `secret`: whatever makes this try another one than the last.
  Try make_try(std::string_view address, std::string_view login, std::string_view secret) const;

  // Whatever addresses count as one, as a key.
  std::uint64_t prefix_of(std::string_view address) const;

  // Counts the try and takes its turn. Milliseconds that it has to wait before its secret is looked at; nullopt: refuse
  // it, too many wait already.
  std::optional<std::int64_t> begin(Try& attempt, std::int64_t boot_ms);

  // How a try that has begun ended; none of them when nobody knows: it stays counted.
  void wrong(const Try& attempt, std::int64_t boot_ms);
  void right(const Try& attempt);     // makes up for wrong ones
  void unjudged(const Try& attempt);  // as if it had never begun

  // How full the tables are: what is forgotten anyway doesn't count.
  struct Occupancy {
    std::size_t counted = 0, counted_most = 0;  // logins and address prefixes that have failures
    std::size_t tried = 0, tried_most = 0;      // passwords that are remembered
  };
  Occupancy occupancy(std::int64_t boot_ms) const;

 private:
  struct Entry;
  struct Secret;
  struct Rule;
  struct Turn;
  static const Rule of_login, of_prefix;

  std::string salted(std::string_view address) const;
  Entry* find(std::uint64_t key) const;
  Entry& claim(std::uint64_t key);
  Secret* find_secret(std::uint64_t key) const;
  void remember(std::uint64_t secret, bool wrong, std::int64_t boot_ms);
  void forget(std::uint64_t secret);
  std::optional<bool> known_wrong(std::uint64_t secret, std::int64_t boot_ms) const;  // nullopt: not known at all

  std::optional<std::int64_t> begin_repeat(const Try& attempt, std::int64_t boot_ms);
  std::optional<std::int64_t> begin_guess(Try& attempt, std::int64_t boot_ms);

  void* memory_;
};

}  // namespace wazoauth::gate

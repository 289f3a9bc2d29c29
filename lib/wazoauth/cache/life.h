// The life of a platform's database (node.life in sql/queries): what is known of its tokens counts for as long as it
// lasts. A restored dump, a copy, a second adoption, a server that was started again: each begins another life. Two
// platforms never have the same one.
#pragma once

#include <cstdint>
#include <string_view>

namespace wazoauth {

// Under which keys records and tombstones count now, and in which server.
struct RedisLife {
  std::uint64_t life = 0;  // 0: unknown, nothing in Redis counts
  std::uint64_t server = 0;
  bool operator==(const RedisLife&) const = default;
};

struct Life {
  std::uint64_t database = 0;
  RedisLife redis;  // begins anew with the database's, and whenever a tombstone may not have reached the server
};

Life parse_life(std::string_view text);  // all 0 for anything that isn't one

}  // namespace wazoauth

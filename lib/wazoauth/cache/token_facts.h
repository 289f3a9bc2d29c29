// The facts of a token that readers of the zone get, without its record.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/store/token_key.h"

namespace wazoauth {

enum class Fact : unsigned { auth_id, user_uuid, tenant_uuid, session_uuid, refresh_token_uuid };
inline constexpr unsigned facts = 5;
inline constexpr std::size_t longest_fact = 39;

// One of them, as a text of its own.
class FactText {
 public:
  FactText() = default;
  std::string_view view() const& { return {text_, size_}; }
  std::string_view view() const&& = delete;
  bool operator==(std::string_view other) const { return view() == other; }

 private:
  friend class PackedFacts;
  std::size_t size_ = 0;
  char text_[longest_fact + 1];
};

// All of them, one behind the other as they lie in a slot of the zone: UUIDs are 16 bytes, and texts only when
// somebody asks for them.
class PackedFacts {
 public:
  // How a fact is there, in two bits for each.
  enum Shape : unsigned { none, uuid, same, text };  // `same`: as auth_id; `text`: its size, then its bytes

  PackedFacts(std::uint16_t shapes, const char* bytes) : shapes_(shapes), bytes_(bytes) {}

  // `senseless`: they don't end within `capacity`, somebody was writing them. Only what isn't may be asked for texts.
  static constexpr std::size_t senseless = SIZE_MAX;
  std::size_t size(std::size_t capacity) const;
  bool has(Fact fact) const { return shape(fact) != none; }
  FactText get(Fact fact) const;
  // Returns its size; `to` has room for longest_fact.
  std::size_t write(Fact fact, char* to) const;

 private:
  Shape shape(Fact fact) const { return static_cast<Shape>(shapes_ >> 2 * static_cast<unsigned>(fact) & 3); }
  std::size_t size_of(Fact fact, std::size_t at) const;

  std::uint16_t shapes_;
  const char* bytes_;
};

// The fixed facts of a token, copied out of its slot: no pointers into the zone, no allocation.
struct TokenFacts {
  std::int64_t expire_t = 0;  // Unix seconds, 0: never
  BootTime validated_at;      // when PostgreSQL last confirmed it
  std::uint32_t epoch = 0;    // the zone's epoch when it was confirmed

  // "" when it is absent. user_uuid and tenant_uuid are those of the metadata.
  FactText get(Fact fact) const { return packed().get(fact); }
  bool has(Fact fact) const { return packed().has(fact); }
  PackedFacts packed() const { return {shapes, bytes}; }
  // One after the other. False: it is too long, such a token can't be cached.
  bool add(Fact fact, std::string_view text);

  std::uint16_t shapes = 0, size = 0;
  char bytes[facts * (longest_fact + 1)];
};

// The zone's entry for a key, before anybody judges how fresh it is.
enum class Lookup { unknown, revoked, denied, granted };

// Keys that the ring of revocations has noted since some position.
struct RevokedKeys {
  std::vector<TokenKey> keys;
  std::uint64_t position;
  bool lost;
};

}  // namespace wazoauth

// A token record in the fixed space of a slot.
//
// The text begins with the facts, as PackedFacts has them. The rest of the record follows, packed: what occurred before
// is referred to, UUIDs and addresses are binary, common fragments take one byte. When it doesn't fit, the slot holds
// the facts only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wazoauth/cache/token_facts.h"
#include "wazoauth/cache/zone_layout.h"

namespace wazoauth::zone {

// Everything but the blob. nullopt: a fact is longer than TokenFacts can show, or all together are.
std::optional<SlotBody> pack(const SlotKey& key, const TokenKey& token, const TokenRecord& record, BootTime now,
                             std::uint32_t epoch);

// How many words of a slot must be read to see the facts, when the fixed part has been read.
inline constexpr std::size_t fixed_words = (offsetof(SlotBody, text) + 7) / 8;
std::size_t facts_words(const SlotBody& body);

// What was being written may make no sense: its size is PackedFacts::senseless, and the functions below don't want it.
inline PackedFacts packed_facts(const SlotBody& body) {
  return {body.shapes, body.text};
}
void copy_facts(const SlotBody& body, TokenFacts& facts);
std::optional<TokenRecord> record_of(const SlotBody& body);  // nullopt: the slot holds the facts only

}  // namespace wazoauth::zone

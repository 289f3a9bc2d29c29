// A token record in the fixed space of a slot.
//
// The text begins with the parts that TokenFacts shows, as they are. The rest of the record follows, packed: what
// occurred before is referred to, UUIDs take 17 bytes, common fragments one. When it doesn't fit, the slot holds the
// facts only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/cache/token_facts.h"
#include "wazoauth/cache/zone_layout.h"

namespace wazoauth::zone {

// Everything but the blob. nullopt: a fact is longer than TokenFacts can show.
std::optional<SlotBody> pack(const TokenKey& key, const TokenRecord& record, BootTime now, std::uint32_t epoch);

// How many words of a slot must be read to see the facts, when the fixed part has been read; 0: it makes no sense (it
// was being written).
inline constexpr std::size_t fixed_words = offsetof(SlotBody, text) / 8;
std::size_t facts_words(const SlotBody& body);

// These want a body that facts_words() found to make sense.
acl::Holder holder_of(const SlotBody& body);
TokenFacts facts_of(const SlotBody& body);
std::optional<TokenRecord> record_of(const SlotBody& body);  // nullopt: the slot holds the facts only

}  // namespace wazoauth::zone

#include "wazoauth/cache/token_facts.h"

namespace wazoauth {

std::size_t PackedFacts::size_of(Fact fact, std::size_t at) const {
  switch (shape(fact)) {
    case uuid:
      return uuid_bytes;
    case text:
      return 1 + static_cast<unsigned char>(bytes_[at]);
    default:
      return 0;
  }
}

std::size_t PackedFacts::size(std::size_t capacity) const {
  constexpr unsigned low_bits = 0x155;
  static_assert(text == 3 && uuid == 1 && same == 2);
  std::size_t size = 0;
  if (const unsigned texts = shapes_ & shapes_ >> 1 & low_bits; texts == 0) {
    for (unsigned uuids = shapes_ & low_bits; uuids != 0; uuids &= uuids - 1) size += uuid_bytes;
    return size <= capacity ? size : senseless;
  }
  for (unsigned fact = 0; fact < facts; ++fact) {
    if (shape(static_cast<Fact>(fact)) == text && size >= capacity) return senseless;
    const std::size_t more = size_of(static_cast<Fact>(fact), size);
    if (more > longest_fact + 1) return senseless;
    size += more;
  }
  return size <= capacity ? size : senseless;
}

std::size_t PackedFacts::write(Fact fact, char* to) const {
  if (shape(fact) == same) fact = Fact::auth_id;
  std::size_t at = 0;
  for (unsigned before = 0; before < static_cast<unsigned>(fact); ++before)
    at += size_of(static_cast<Fact>(before), at);
  if (shape(fact) == uuid) {
    unpack_uuid(bytes_ + at, to);
    return uuid_chars;
  }
  if (shape(fact) != text) return 0;
  const auto size = static_cast<unsigned char>(bytes_[at]);
  std::memcpy(to, bytes_ + at + 1, size);
  return size;
}

FactText PackedFacts::get(Fact fact) const {
  FactText text;
  text.size_ = write(fact, text.text_);
  return text;
}

bool TokenFacts::add(Fact fact, std::string_view text) {
  const auto is = [&](PackedFacts::Shape shape) {
    shapes = static_cast<std::uint16_t>(shapes | shape << 2 * static_cast<unsigned>(fact));
  };
  if (text.empty()) return true;
  if (fact == Fact::user_uuid && get(Fact::auth_id) == text) {
    is(PackedFacts::same);
  } else if (pack_uuid(text, bytes + size)) {
    is(PackedFacts::uuid);
    size += uuid_bytes;
  } else {
    if (text.size() > longest_fact) return false;
    is(PackedFacts::text);
    bytes[size] = static_cast<char>(text.size());
    std::memcpy(bytes + size + 1, text.data(), text.size());
    size = static_cast<std::uint16_t>(size + 1 + text.size());
  }
  return true;
}

}  // namespace wazoauth

#include "wazoauth/acl/required.h"

#include <algorithm>
#include <cstring>

#include "wazoauth/acl/block.h"

namespace wazoauth::acl {
namespace {

std::uint64_t last_bytes(std::string_view text) {
  const std::size_t size = std::min<std::size_t>(8, text.size());
  std::uint64_t bytes = 0;
  std::memcpy(reinterpret_cast<char*>(&bytes) + 8 - size, text.data() + text.size() - size, size);
  return bytes;
}

}  // namespace

Required::Required(std::string_view text) : text_(text), tail_(last_bytes(text)) {
  block::Hash hash;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '.') continue;
    if (dots_ < ready) {
      hash.add(text.substr(begin, i - begin));
      prefixes_[dots_] = {i, hash.value()};
    }
    ++dots_;
    begin = i + 1;
  }
  hash_ = dots_ <= ready ? (hash.add(text.substr(begin)), hash.value()) : count(dots_ + 1).hash;
}

Required::Prefix Required::prefix(std::size_t words) const {
  return words <= ready ? prefixes_[words - 1] : count(words);
}

// Few accesses have so many words.
Required::Prefix Required::count(std::size_t words) const {
  block::Hash hash;
  std::size_t begin = 0, end = 0;
  for (; words > 0; --words, begin = end + 1) {
    end = std::min(text_.find('.', begin), text_.size());
    hash.add(text_.substr(begin, end - begin));
  }
  return {end, hash.value()};
}

}  // namespace wazoauth::acl

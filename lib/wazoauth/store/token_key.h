// A token as everybody but its holder knows it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

using TokenKey = std::array<unsigned char, 32>;  // SHA-256 of the token's text

TokenKey token_key(std::string_view token);
std::string to_hex(const TokenKey& key);                     // 64 lower-case digits
std::optional<TokenKey> key_from_hex(std::string_view hex);  // nullopt: not 64 lower-case digits

// A token as somebody shows it, and its key, which costs more than all else about it: made when somebody asks for it.
class ShownToken {
 public:
  ShownToken() = default;
  explicit ShownToken(std::string_view text) : text_(text) {}  // keeps the view
  std::string_view text() const { return text_; }
  const TokenKey& key() const {
    if (!made_) key_ = token_key(text_);
    made_ = true;
    return key_;
  }

 private:
  std::string_view text_;
  mutable TokenKey key_;
  mutable bool made_ = false;
};

}  // namespace wazoauth

#include "wazoauth/store/token_key.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // the functions on a SHA256_CTX
#include <openssl/sha.h>

#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

// Not SHA256(), nor EVP: they look the algorithm up or allocate in every call, which costs more than the hash itself.
TokenKey token_key(std::string_view token) {
  TokenKey key;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, token.data(), token.size());
  SHA256_Final(key.data(), &context);
  return key;
}

std::string to_hex(const TokenKey& key) {
  return to_hex(std::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
}

std::optional<TokenKey> key_from_hex(std::string_view hex) {
  TokenKey key;
  if (hex.size() != key.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    key[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return key;
}

}  // namespace wazoauth

#include "wazoauth/login/login_memory.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <system_error>

#include "wazoauth/base/log.h"

namespace wazoauth {

namespace {

constexpr std::size_t ways = 8;
using Mac = std::array<unsigned char, 32>;

struct Entry {
  Mac mac;
  BootTime until;
};

// Each part with its length, so that no two proofs are one text.
std::string text_of(const Proof& proof) {
  std::string text;
  for (const std::string_view part : {proof.user_uuid, proof.password, proof.stored_hash, proof.stored_salt})
    ((text += std::to_string(part.size())) += ' ') += part;
  return text;
}

Mac mac_of(const Proof& proof, const Mac& key) {
  Mac mac;
  std::string text = text_of(proof);
  HMAC(EVP_sha256(), key.data(), key.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       mac.data(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  return mac;
}

// Null: there is none.
void* locked_memory(std::size_t size) {
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (mlock(memory, size) == 0 && madvise(memory, size, MADV_DONTDUMP) == 0) return memory;
  const int error = errno;
  munmap(memory, size);
  errno = error;
  return nullptr;
}

}  // namespace

struct LoginMemory::Contents {
  Mac key;
  Entry entries[most];

  Entry* neighbours(const Mac& mac) {
    std::uint64_t number;
    std::memcpy(&number, mac.data(), sizeof number);
    return entries + number % (most / ways) * ways;
  }
};

LoginMemory::LoginMemory(std::chrono::minutes lifetime) : lifetime_(lifetime) {
  if (lifetime.count() == 0) return;
  void* const memory = locked_memory(sizeof(Contents));
  if (!memory) {
    log::warning("login_memory: passwords are not remembered, no memory can be locked: " +
                 std::system_category().message(errno));
    return;
  }
  contents_ = new (memory) Contents{};
  if (RAND_bytes(contents_->key.data(), static_cast<int>(contents_->key.size())) == 1) return;
  munmap(memory, sizeof(Contents));
  contents_ = nullptr;
  log::warning("login_memory: passwords are not remembered, the system has no random bytes");
}

LoginMemory::~LoginMemory() {
  if (!contents_) return;
  OPENSSL_cleanse(contents_, sizeof(Contents));
  munmap(contents_, sizeof(Contents));
}

bool LoginMemory::knows(const Proof& proof, BootTime now) const {
  if (!contents_) return false;
  const Mac mac = mac_of(proof, contents_->key);
  const std::lock_guard lock(mutex_);
  const Entry* const first = contents_->neighbours(mac);
  return std::any_of(first, first + ways, [&](const Entry& entry) {
    return now < entry.until && CRYPTO_memcmp(entry.mac.data(), mac.data(), mac.size()) == 0;
  });
}

void LoginMemory::remember(const Proof& proof, BootTime now) {
  if (!contents_) return;
  const Mac mac = mac_of(proof, contents_->key);
  const std::lock_guard lock(mutex_);
  Entry* const first = contents_->neighbours(mac);
  Entry* const same = std::find_if(first, first + ways, [&](const Entry& entry) { return entry.mac == mac; });
  Entry& entry =
      same != first + ways
          ? *same
          : *std::min_element(first, first + ways, [](const Entry& a, const Entry& b) { return a.until < b.until; });
  entry = {mac, now + lifetime_};
}

}  // namespace wazoauth

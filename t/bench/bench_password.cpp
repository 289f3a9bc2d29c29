// CPU of a password hash against OpenSSL's PKCS5_PBKDF2_HMAC, in interleaved pairs: alone, and by each kernel of this
// CPU with all of its lanes full.
//
// usage: bench_password [alone]
#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <list>
#include <string>
#include <vector>

#include "wazoauth/base/password_hash.h"

namespace {

constexpr int iterations = wazoauth::password_iterations;
constexpr int pairs = 5;

template <typename Work>
double cpu_ms(Work work) {
  timespec start, end;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  work();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double openssl_ms() {
  static const std::string password = "correct horse battery staple", salt = wazoauth::random_salt();
  unsigned char key[64];
  return cpu_ms([&] {
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), iterations,
                      EVP_sha512(), sizeof key, key);
  });
}

// `work` makes so many hashes.
template <typename Work>
void compare(const char* name, std::size_t hashes, Work work) {
  std::vector<double> ours, openssl, ratios;
  for (int i = 0; i < pairs; ++i) {
    openssl.push_back(openssl_ms());
    ours.push_back(cpu_ms(work) / static_cast<double>(hashes));
    ratios.push_back(ours.back() / openssl.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("pbkdf2_%s: %.1f ms CPU a hash, OpenSSL's %.1f ms; ratio %.3f spread %.3f\n", name, median(ours),
              median(openssl), median(ratios), *most - *least);
}

}  // namespace

int main(int count, char**) {
  const std::string salt = wazoauth::random_salt();
  compare("alone", 1, [&] { wazoauth::hash_password("correct horse battery staple", salt); });
  if (count > 1) return 0;  // that alone
  for (const wazoauth::Sha512Lanes& kernel : wazoauth::sha512_lanes()) {
    std::list<wazoauth::PasswordToHash> passwords(kernel.lanes, {"correct horse battery staple", salt, ""});
    compare(kernel.name, kernel.lanes, [&] {
      wazoauth::PasswordLanes lanes(kernel);
      for (wazoauth::PasswordToHash& each : passwords) lanes.join(each);
      while (!lanes.empty()) lanes.advance();
    });
  }
}

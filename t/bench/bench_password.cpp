// CPU of one password hash, ours and OpenSSL's, in interleaved pairs.
#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "wazoauth/login/password.h"

namespace {

constexpr int iterations = 250000;
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

}  // namespace

int main() {
  const std::string password = "correct horse battery staple";
  const std::string salt = wazoauth::random_salt();
  std::vector<double> ours, openssl, ratios;
  for (int i = 0; i < pairs; ++i) {
    unsigned char key[64];
    openssl.push_back(cpu_ms([&] {
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                        reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), iterations,
                        EVP_sha512(), sizeof key, key);
    }));
    ours.push_back(cpu_ms([&] { wazoauth::hash_password(password, salt, iterations); }));
    ratios.push_back(ours.back() / openssl.back());
  }
  std::printf("pbkdf2_openssl_ms %.1f\n", median(openssl));
  std::printf("pbkdf2_ours_ms %.1f\n", median(ours));
  std::printf("pbkdf2_ratio %.3f\n", median(ratios));
  std::printf("pbkdf2_ratio_spread %.3f\n",
              *std::max_element(ratios.begin(), ratios.end()) - *std::min_element(ratios.begin(), ratios.end()));
}

#include "wazoauth/base/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>
#include <new>

#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string text_of(const X509_NAME* name) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (!bio) throw std::bad_alloc();
  X509_NAME_print_ex(bio.get(), name, 0, (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | ASN1_STRFLGS_UTF8_CONVERT);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string moment_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "";
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string bytes_of(const ASN1_STRING* bytes) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(bytes)),
          static_cast<std::size_t>(ASN1_STRING_length(bytes))};
}

std::string address_of(const ASN1_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int size = ASN1_STRING_length(bytes);
  if (size != 4 && size != 16) return "";
  return inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes), text.data(), text.size());
}

Json names_of(const X509* certificate) {
  Json names = Json::array();
  const Owned<GENERAL_NAMES> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.append(bytes_of(name->d.dNSName));
    if (name->type == GEN_IPADD) names.append(address_of(name->d.iPAddress));
  }
  return names;
}

std::string key_of(const X509* certificate) {
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (!key) return "";
  const char* const kind = EVP_PKEY_get0_type_name(key);
  return std::string(kind ? kind : "") + " " + std::to_string(EVP_PKEY_get_bits(key));
}

bool has_passed(const ASN1_TIME* time, std::int64_t now) {
  std::time_t moment = now;
  return X509_cmp_time(time, &moment) < 0;
}

std::string fingerprint(std::string_view der) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  EVP_Digest(der.data(), der.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace

Json described_certificate(std::string_view der, std::int64_t now) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const Owned<X509> owned(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!owned) return {};
  const X509* const certificate = owned.get();
  return Json::object({{"subject", text_of(X509_get_subject_name(certificate))},
                       {"issuer", text_of(X509_get_issuer_name(certificate))},
                       {"names", names_of(certificate)},
                       {"not_before", moment_of(X509_get0_notBefore(certificate))},
                       {"not_after", moment_of(X509_get0_notAfter(certificate))},
                       {"expired", has_passed(X509_get0_notAfter(certificate), now)},
                       {"key", key_of(certificate)},
                       {"sha256", fingerprint(der)}});
}

Json described_certificates(const std::vector<std::string>& der, std::int64_t now) {
  Json all = Json::array();
  for (const std::string& each : der) {
    if (Json one = described_certificate(each, now); !one.is_null()) all.append(std::move(one));
  }
  return all;
}

std::string der_of_pem(const std::string& pem) {
  const Owned<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Owned<X509> certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  unsigned char* bytes = nullptr;
  const int size = certificate ? i2d_X509(certificate.get(), &bytes) : 0;
  const Owned<unsigned char> owner(bytes);
  return size > 0 ? std::string(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)) : "";
}

}  // namespace wazoauth

#include "wazoauth/config/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cstddef>
#include <memory>
#include <new>

namespace wazoauth {
namespace {

bool has_certificates(const std::string& pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                         BIO_free);
  if (!source) throw std::bad_alloc();
  std::size_t count = 0;
  while (X509* one = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
    X509_free(one);
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return count > 0 && at_end;
}

}  // namespace

std::string read_certificates(const std::string& path) {
  std::string text = read_text_file(path);
  if (!has_certificates(text)) throw FileError(path + ": it holds no certificates (PEM), or broken ones");
  return text;
}

}  // namespace wazoauth

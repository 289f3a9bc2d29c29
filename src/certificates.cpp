#include "certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace wazoauth::nginx {

#if (NGX_HTTP_SSL)

namespace {

std::int64_t end_of(const std::string& file) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_file(file.c_str(), "r"), BIO_free);
  if (!bio) return 0;
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
  std::tm parts{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) != 1) return 0;
  return timegm(&parts);
}

}  // namespace

std::vector<Certificate> read_certificates(ngx_conf_t* cf, const std::string& further) {
  std::vector<Certificate> all;
  const auto add = [&](const std::string& file) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Certificate& c) { return c.file == file; });
    if (known || !file.starts_with('/')) return;
    if (const std::int64_t end = end_of(file)) all.push_back({file, end});
  };
  add(further);
  const auto* core =
      static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
  const auto* servers = static_cast<ngx_http_core_srv_conf_t* const*>(core->servers.elts);
  for (ngx_uint_t i = 0; i < core->servers.nelts; ++i) {
    const auto* ssl = static_cast<ngx_http_ssl_srv_conf_t*>(servers[i]->ctx->srv_conf[ngx_http_ssl_module.ctx_index]);
    if (!ssl->ssl.ctx || !ssl->certificates || ssl->certificate_values) continue;
    const auto* files = static_cast<const ngx_str_t*>(ssl->certificates->elts);
    for (ngx_uint_t j = 0; j < ssl->certificates->nelts; ++j) add(std::string(view(files[j])));
  }
  ERR_clear_error();
  return all;
}

#else

std::vector<Certificate> read_certificates(ngx_conf_t*, const std::string&) {
  return {};
}

#endif

}  // namespace wazoauth::nginx

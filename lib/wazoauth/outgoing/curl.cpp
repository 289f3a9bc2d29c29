#include "wazoauth/outgoing/curl.h"

namespace wazoauth {

namespace {

void initialize() {
  // Not thread-safe in every build, and never undone: other threads may be using it.
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (once != CURLE_OK) throw std::runtime_error("libcurl can't be used");
}

}  // namespace

CurlHandle new_curl(const char* protocols) {
  initialize();
  CurlHandle handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) throw std::bad_alloc();
  set(handle, CURLOPT_PROTOCOLS_STR, protocols);
  set(handle, CURLOPT_PROXY, "");       // whatever the environment says
  set(handle, CURLOPT_NOSIGNAL, 1L);    // signals belong to nginx
  set(handle, CURLOPT_QUICK_EXIT, 1L);  // a name server that doesn't answer holds up no thread
  return handle;
}

void trust(const CurlHandle& handle, const std::string& ca) {
  if (ca.empty()) return;
  curl_blob blob{const_cast<char*>(ca.data()), ca.size(), CURL_BLOB_NOCOPY};
  set(handle, CURLOPT_CAINFO_BLOB, &blob);
  set(handle, CURLOPT_CAPATH, nullptr);  // else the system's would be good, too
}

std::string reason_of(CURLcode result, const char* details) {
  const bool is_tls = result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR;
  return is_tls && *details ? details : curl_easy_strerror(result);
}

}  // namespace wazoauth

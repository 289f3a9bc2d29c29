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
  set(handle, CURLOPT_QUICK_EXIT, 1L);  // a name server that doesn't answer keeps nobody waiting
  return handle;
}

}  // namespace wazoauth

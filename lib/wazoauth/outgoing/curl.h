// The common parts of every use of libcurl here.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace wazoauth {

using CurlHandle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using CurlList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

template <typename Value>
void set(const CurlHandle& handle, CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(handle.get(), option, value);
  if (result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
  if (result != CURLE_OK) throw std::logic_error(std::string("libcurl: ") + curl_easy_strerror(result));
}

// Certificates (PEM) that a server's one has to come from; "" for the system's. It must outlive the handle.
void trust(const CurlHandle& handle, const std::string& ca);

// The error's text; for TLS with the details from CURLOPT_ERRORBUFFER, the certificate's defect say.
std::string reason_of(CURLcode result, const char* details);

// A handle that uses no proxy and no signal, and these protocols only: "smtp", "http,https".
CurlHandle new_curl(const char* protocols);

}  // namespace wazoauth

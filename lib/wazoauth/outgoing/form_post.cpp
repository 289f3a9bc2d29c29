#include "wazoauth/outgoing/form_post.h"

#include <sys/socket.h>

#include <array>
#include <exception>

#include "wazoauth/base/text.h"
#include "wazoauth/outgoing/curl.h"

namespace wazoauth {

namespace {

constexpr std::size_t most_bytes = 256 * 1024;

// libcurl is C: no exception may pass through it.
std::size_t receive(char* data, std::size_t size, std::size_t count, void* into) noexcept {
  try {
    auto& body = *static_cast<std::string*>(into);
    if (body.size() + size * count > most_bytes) return 0;
    body.append(data, size * count);
    return size * count;
  } catch (const std::exception&) {
    return 0;
  }
}

struct Gate {
  OutgoingRules rules;
  std::string denial;  // of the last address that was denied
};

curl_socket_t open_socket(void* data, curlsocktype, curl_sockaddr* to) noexcept {
  try {
    auto& gate = *static_cast<Gate*>(data);
    const std::string why = denial(Address(&to->addr, to->addrlen), gate.rules);
    if (why.empty()) return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    gate.denial = why;
  } catch (const std::exception&) {
    // Without memory nobody is connected to.
  }
  return CURL_SOCKET_BAD;
}

CurlList header_lines() {
  // No "Expect: 100-continue": some servers don't know it.
  CurlList lines(curl_slist_append(nullptr, "Accept: application/json"), curl_slist_free_all);
  if (!lines || !curl_slist_append(lines.get(), "Expect:")) throw std::bad_alloc();
  return lines;
}

}  // namespace

std::string form_encoded(const FormFields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += percent_encoded(name) + "=" + percent_encoded(value);
  }
  replace_all(text, "%20", "+");
  return text;
}

HttpAnswer post_form(const FormPost& form) {
  const CurlHandle handle = new_curl(form.plain ? "http,https" : "https");
  const CurlList lines = header_lines();
  const std::string fields = form_encoded(form.fields);
  HttpAnswer answer{};
  Gate gate{form.rules, ""};
  std::array<char, CURL_ERROR_SIZE> details{};
  set(handle, CURLOPT_URL, form.url.c_str());
  set(handle, CURLOPT_HTTPHEADER, lines.get());
  set(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(fields.size()));
  set(handle, CURLOPT_POSTFIELDS, fields.c_str());
  if (form.basic) {
    set(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set(handle, CURLOPT_USERNAME, form.basic->first.c_str());
    set(handle, CURLOPT_PASSWORD, form.basic->second.c_str());
  }
  set(handle, CURLOPT_USERAGENT, "wazo-auth");
  set(handle, CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can undo: some compress without being asked
  set(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(form.timeout.count()));
  set(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  set(handle, CURLOPT_OPENSOCKETDATA, &gate);
  set(handle, CURLOPT_ERRORBUFFER, details.data());
  trust(handle, form.ca);
  set(handle, CURLOPT_WRITEFUNCTION, receive);
  set(handle, CURLOPT_WRITEDATA, &answer.body);
  const CURLcode result = curl_easy_perform(handle.get());
  if (result == CURLE_WRITE_ERROR) throw OutgoingError("the answer is too long");
  if (result == CURLE_COULDNT_CONNECT && !gate.denial.empty())
    throw OutgoingError("its host is denied: " + gate.denial);
  if (result != CURLE_OK) throw OutgoingError(reason_of(result, details.data()));
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  curl_off_t seconds = 0;
  if (curl_easy_getinfo(handle.get(), CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK) answer.retry_after = seconds;
  return answer;
}

}  // namespace wazoauth

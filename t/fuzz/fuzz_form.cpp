// Any bytes as a form, and any form written and read again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wazoauth/base/text.h"
#include "wazoauth/http/form_data.h"
#include "wazoauth/http/problem.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_bytes(std::string_view type, std::string_view body) {
  try {
    const FormData form = parse_form_data(type, body);
    for (const auto& [name, value] : form.fields) require(is_utf8(name) && is_utf8(value));
    for (const auto& file : form.files)
      require(is_utf8(file.name) && body.find(file.content) != std::string_view::npos);
  } catch (const Problem& problem) {
    require(problem.status() == 400);
  }
}

void check_written(std::string_view content, std::string_view name) {
  std::string quoted;
  for (const char c : name) {
    if (c == '\r' || c == '\n') continue;
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  const std::string boundary = "boundary-that-is-not-in-it-9f31c0";
  if (content.find(boundary) != std::string_view::npos || quoted.size() > 4000) return;
  const std::string body = "--" + boundary + "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + quoted +
                           "\"\r\nContent-Type: application/xml\r\n\r\n" + std::string(content) + "\r\n--" + boundary +
                           "--\r\n";
  const FormData form = parse_form_data("multipart/form-data; boundary=\"" + boundary + "\"", body);
  require(form.fields.empty() && form.files.size() == 1 && form.file("f")->content == content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view head = input.substr(0, input.find('\n'));
  switch (data[0] % 4) {
    case 0:
      check_bytes("multipart/form-data; boundary=x", input);
      break;
    case 1:
      check_bytes(head, input.substr(std::min(input.size(), head.size() + 1)));
      break;
    case 2:
      check_bytes("application/x-www-form-urlencoded", input);
      break;
    default:
      check_written(input, head);
      break;
  }
  return 0;
}

// Any bytes as a mail template: it is refused with name and line, or it can be rendered whatever its values are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wazoauth/http/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using wazoauth::Template;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const Template parsed(text, "fuzz.jinja");
    parsed.render({});
    parsed.render({{"username", std::nullopt}, {"token", "a<b>\"c\""}, {"port", ""}, {"prefix", "/api"}});
  } catch (const wazoauth::TemplateError& error) {
    if (!std::string_view(error.what()).starts_with("fuzz.jinja:")) std::abort();
  }
  return 0;
}

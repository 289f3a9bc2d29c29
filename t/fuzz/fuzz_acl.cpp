// Access lists over arbitrary input: patterns and required accesses, and blocks that nobody compiled.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"

namespace {

using wazoauth::acl::AccessList;
using wazoauth::acl::Holder;

constexpr Holder holder{"6fa459ea-ee8a-4ca4-894e-db77e160355e", "16fd2706-8baf-433b-82eb-8c7fada847da"};

// The first line is required, each other one is an access. (Newlines inside texts are the unit test's business.)
void compile_and_match(std::string_view input) {
  const auto take_line = [&input] {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return line;
  };
  const std::string required(take_line());
  std::vector<std::string> accesses;
  while (!input.empty()) accesses.emplace_back(take_line());
  const std::string block = wazoauth::acl::compile(accesses);
  const AccessList list(block);
  if (!list.valid()) std::abort();
  list.grants(required, holder);
  for (const std::string& access : accesses) {
    wazoauth::acl::may_add(list, access, holder);
    wazoauth::acl::may_remove(list, access, holder);
  }
}

// A real block with bytes replaced: two bytes of place and one of value each.
void match_damaged(std::string_view input) {
  std::string block = wazoauth::acl::compile({"a.b.c", "a.*.c", "!a.#.d", "me.#", "x.edit", "#.y", "a.my_session"});
  for (; input.size() >= 3; input.remove_prefix(3)) {
    const std::size_t at = static_cast<unsigned char>(input[0]) | static_cast<unsigned char>(input[1]) << 8;
    block[at % block.size()] = input[2];
  }
  const AccessList list(block);
  list.grants("a.b.c", holder);
  list.grants("6fa459ea-ee8a-4ca4-894e-db77e160355e.y", holder);
  list.json();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      compile_and_match(input);
      break;
    case 1:
      match_damaged(input);
      break;
    default:
      AccessList(input).grants("a.b.c", holder);
      break;
  }
  return 0;
}

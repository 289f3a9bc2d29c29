// Any bytes as an API document, an overlay, a description, and as templates with a path: what is found is sound.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/openapi/document.h"
#include "wazoauth/openapi/route_table.h"

namespace {

using namespace wazoauth::openapi;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Statement& statement) {
  require((statement.need == Need::acl) == !statement.accesses.empty());
  require((statement.need == Need::closed) == !statement.trouble.empty());
  for (const std::string& access : statement.accesses)
    require(!access.empty() && access.find_first_of("#* \n`") == std::string::npos);
}

void check_document(const std::string& text, Role role) {
  std::vector<Finding> findings;
  const FileContents contents = read_contents(text, "fuzz.yml", role, findings);
  for (const Draft& draft : contents.operations) {
    if (draft.statement) check(*draft.statement);
  }
}

// The path that a match says it is, put together again.
std::string path_of(const std::vector<Segment>& segments, const Match& match) {
  std::string path;
  std::size_t value = 0;
  for (const Segment& segment : segments) {
    path += '/' + segment.prefix;
    if (segment.is_fixed()) continue;
    const std::string_view text = match.values[value++];
    require(!text.empty() && (segment.spans || text.find('/') == std::string_view::npos));
    (path += text) += segment.suffix;
  }
  return path;
}

// Templates, one a line, then an empty line and a path. The first parameter of a line that ends with '*' spans.
void check_match(std::string_view input) {
  RouteTable table;
  std::vector<std::vector<Segment>> added;
  while (!input.empty() && added.size() < 64) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(line.size() < input.size() ? line.size() + 1 : line.size());
    if (line.empty()) break;
    try {
      auto segments = parse_path(line.ends_with('*') ? line.substr(0, line.size() - 1) : line);
      for (Segment& segment : segments) {
        if (segment.is_fixed() || !segment.prefix.empty() || !segment.suffix.empty()) continue;
        segment.spans = line.ends_with('*');
        break;
      }
      Operation operation{};
      operation.method = line.size() % 2 ? "GET" : "PUT";
      if (!table.add(std::move(operation), segments)) added.push_back(std::move(segments));
    } catch (const BadTemplate&) {
    }
  }
  std::string wanted(input);
  for (const char* method : {"GET", "PUT", "HEAD", "OPTIONS", "x"}) {
    const Match match = table.match(method, input);
    require((match.outcome == Match::Outcome::matched) == (match.operation != nullptr));
    if (!match.operation) continue;
    if (wanted.ends_with('/')) wanted.pop_back();
    require(path_of(added[match.operation->number], match) == wanted);
    const Match again = table.match(method, wanted + "/");
    require(again.operation == match.operation);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      check_document(text, Role::document);
      break;
    case 1:
      check_document(text, Role::overlay);
      break;
    case 2:
      if (const auto statement = stated_in_text(text)) check(*statement);
      if (const auto statement = stated_in_text("Required ACL: " + text)) check(*statement);
      break;
    default:
      check_match(text);
  }
  return 0;
}

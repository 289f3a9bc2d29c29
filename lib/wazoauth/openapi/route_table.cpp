#include "wazoauth/openapi/route_table.h"

#include <algorithm>
#include <utility>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/gate/target.h"

namespace wazoauth::openapi {

namespace {

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

Match RouteTable::match(std::string_view method, std::string_view path) const noexcept {
  Match match;
  if (!path.starts_with('/')) return match;
  const RouteTree::Found found = tree_.find(method, path, match.values);
  if (found.number != RouteTree::nothing) {
    match.outcome = Match::Outcome::matched;
    match.operation = &operations_[found.number];
  } else if (found.allowed) {
    match.outcome = found.path ? Match::Outcome::options : Match::Outcome::wrong_method;
    match.allowed = found.allowed;
  }
  return match;
}

const Document* RouteTable::document_of(std::string_view path) const noexcept {
  const Document* best = nullptr;
  std::size_t longest = 0;
  for (const Document& document : documents_) {
    for (const std::string& root : document.roots) {
      if (!is_below(path, root) || (best && root.size() <= longest)) continue;
      best = &document;
      longest = root.size();
    }
  }
  return best;
}

std::size_t RouteTable::add(Document document) {
  documents_.push_back(std::move(document));
  return documents_.size() - 1;
}

const Operation* RouteTable::add(Operation operation, const std::vector<Segment>& path) {
  const auto next = static_cast<std::uint32_t>(operations_.size());
  const std::uint32_t number = tree_.add(operation.method, path, next);
  if (number != next) return &operations_[number];
  operation.number = next;
  operations_.push_back(std::move(operation));
  return nullptr;
}

std::string allow_header(unsigned allowed) {
  std::string header;
  for (std::size_t i = 0; i < methods.size(); ++i) {
    if ((allowed >> i & 1) == 0) continue;
    if (!header.empty()) header += ", ";
    header += methods[i];
  }
  return header;
}

namespace {

bool is_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool append(std::string& access, std::string_view value, const Parameter& parameter) {
  if (is_uuid(value)) return gate::append_value(access, ascii::lower(value));
  if (parameter.integer && is_digits(value)) {
    const auto first = value.find_first_not_of('0');
    value.remove_prefix(std::min(first, value.size() - 1));
  }
  // Digits of other scripts are numbers for Python, too.
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (parameter.integer && !std::all_of(value.begin(), value.end(), is_ascii)) return false;
  return gate::append_value(access, value);
}

}  // namespace

bool append_access(const Match& match, std::size_t alternative, std::string& access) {
  const Operation& operation = *match.operation;
  for (const AccessTemplate::Part& part : operation.accesses[alternative].parts) {
    access += part.literal;
    if (part.parameter < 0) continue;
    const auto number = static_cast<std::size_t>(part.parameter);
    if (match.values[number].empty() || !append(access, match.values[number], operation.parameters[number]))
      return false;
  }
  return true;
}

}  // namespace wazoauth::openapi

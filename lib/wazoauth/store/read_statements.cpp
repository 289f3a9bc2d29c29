#include "wazoauth/store/read_statements.h"

#include <map>
#include <stdexcept>

#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

constexpr std::string_view marker = "-- name: ";
constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz_.";

struct Declaration {
  std::string_view file;
  std::vector<std::string> arguments;
  std::string text;
};
using Declarations = std::map<std::string, Declaration, std::less<>>;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n;") - first + 1));
}

// Where the parenthesis at `open` ends.
std::size_t closing(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    depth += text[at] == '(' ? 1 : text[at] == ')' ? -1 : 0;
    if (depth == 0) return at;
  }
  throw std::logic_error("a parenthesis isn't closed: " + std::string(text.substr(open, 80)));
}

// "u.uuid, coalesce($1, '')" is two.
std::vector<std::string> split_arguments(std::string_view text) {
  std::vector<std::string> arguments(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0)
      arguments.emplace_back();
    else
      arguments.back() += c;
  }
  for (std::string& argument : arguments) argument = trimmed(argument);
  return arguments;
}

void declare(std::string_view file, const std::string& head, std::string_view text, Declarations& all) {
  const std::size_t open = head.find('(');
  const std::string name = head.substr(0, open);
  Declaration made{file, {}, trimmed(text)};
  if (open != std::string::npos)
    made.arguments = split_arguments(head.substr(open + 1, closing(head, open) - open - 1));
  if (!all.emplace(name, std::move(made)).second) throw std::logic_error("statement " + name + " is declared twice");
}

void read_file(const SqlFile& file, Declarations& all) {
  const std::string_view text = file.text;
  for (std::size_t at = text.find(marker); at != std::string_view::npos;) {
    const std::size_t line_end = text.find('\n', at);
    const std::string head = trimmed(text.substr(at + marker.size(), line_end - at - marker.size()));
    const std::size_t next = text.find(marker, line_end);
    const std::size_t length = next == std::string_view::npos ? next : next - line_end;
    declare(file.name, head, text.substr(line_end, length), all);
    at = next;
  }
}

std::string part_text(const Declarations& all, const std::string& name, const std::vector<std::string>& arguments) {
  const auto found = all.find(name);
  if (found == all.end()) throw std::logic_error("no part " + name);
  const Declaration& part = found->second;
  if (part.arguments.size() != arguments.size()) throw std::logic_error("part " + name + " has other arguments");
  std::string text = part.text;
  while (text.starts_with("--")) text.erase(0, text.find('\n') + 1);  // a comment is for those who read the file
  for (std::size_t i = 0; i < arguments.size(); ++i) replace_all(text, "{" + part.arguments[i] + "}", arguments[i]);
  return text;
}

std::string with_parts(const Declarations& all, std::string text) {
  constexpr int most = 50;
  int included = 0;
  for (std::size_t at = text.find('{'); at != std::string::npos; at = text.find('{', at)) {
    const std::size_t end = text.find_first_not_of(letters, at + 1);
    const std::string name = text.substr(at + 1, end - at - 1);
    if (name.find('.') == std::string::npos) {
      ++at;
      continue;
    }
    if (++included > most) throw std::logic_error("part " + name + " includes itself");
    if (end == std::string::npos || text[end] != '(') throw std::logic_error("part " + name + " wants arguments");
    const std::size_t close = closing(text, end);
    if (text.compare(close + 1, 1, "}") != 0) throw std::logic_error("part " + name + " doesn't end with )}");
    text.replace(at, close + 2 - at, part_text(all, name, split_arguments(text.substr(end + 1, close - end - 1))));
  }
  return text;
}

}  // namespace

std::vector<NamedStatement> read_statements(const std::vector<SqlFile>& files) {
  Declarations all;
  for (const SqlFile& file : files) read_file(file, all);
  std::vector<NamedStatement> statements;
  for (const auto& [name, declared] : all) {
    if (!declared.arguments.empty()) continue;
    try {
      statements.push_back({declared.file, name, with_parts(all, declared.text)});
    } catch (const std::logic_error& e) {
      throw std::logic_error("statement " + name + ": " + e.what());
    }
  }
  return statements;
}

}  // namespace wazoauth

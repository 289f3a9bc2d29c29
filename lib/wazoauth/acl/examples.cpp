#include "wazoauth/acl/examples.h"

#include <algorithm>
#include <set>

#include "wazoauth/acl/compile.h"
#include "wazoauth/acl/explain.h"

namespace wazoauth::acl {

namespace {

constexpr std::size_t most_words = 100;
const std::string something = "\x01";  // what nobody writes into an access

std::string filled(std::string_view pattern, const std::string& for_hash) {
  std::string text;
  for (const char c : pattern) text += c == '*' ? something : c == '#' ? for_hash : std::string(1, c);
  return text;
}

bool is_wild(std::string_view word) {
  return word.find_first_of("*#") != std::string_view::npos;
}

// Two patterns, walked side by side. Each pair of places is tried once, so time is the product of their lengths.
class Pair {
 public:
  Pair(std::string_view a, std::string_view b) : a_(split_words(a)), b_(split_words(b)) {}

  std::optional<std::string> common() {
    if (std::max(a_.size(), b_.size()) > most_words || !walk(0, 0)) return std::nullopt;
    std::string text;
    for (const std::string& word : words_) text += (&word == &words_.front() ? "" : ".") + word;
    return text;
  }

 private:
  static std::optional<std::string> word(std::string_view a, std::string_view b) {
    if (a == "*" || a == "#") return filled(b, something);
    if (b == "*" || b == "#" || a == b) return filled(a, something);
    if ((a == "edit" && b == "update") || (a == "update" && b == "edit")) return "update";
    if (is_wild(a)) return filled(is_wild(b) ? a : b, something);  // whether they meet is seen at the end
    if (is_wild(b)) return std::string(a);
    return std::nullopt;
  }

  bool walk(std::size_t i, std::size_t j) {
    if (i == a_.size() || j == b_.size()) return i == a_.size() && j == b_.size();
    const auto both = word(a_[i], b_[j]);
    if (!both || !tried_.insert({i, j}).second) return false;
    words_.push_back(*both);
    if (walk(i + 1, j + 1) || (a_[i] == "#" && walk(i, j + 1)) || (b_[j] == "#" && walk(i + 1, j))) return true;
    words_.pop_back();
    return false;
  }

  const std::vector<std::string_view> a_, b_;
  std::vector<std::string> words_;
  std::set<std::pair<std::size_t, std::size_t>> tried_;
};

bool matches(std::string_view pattern, std::string_view required) {
  const Holder holder{"me", "my_session"};
  Text text(required, holder);
  // A '!' at its beginning is a character like any other here.
  return pattern.starts_with('!') ? Pattern("!" + std::string(pattern)).matches(text) : Pattern(pattern).matches(text);
}

}  // namespace

std::vector<std::string> examples(std::string_view pattern) {
  std::vector<std::string> all = {filled(pattern, something)};
  if (pattern.find('#') != std::string_view::npos) {
    all.push_back(filled(pattern, something + "." + something));
    all.push_back(filled(pattern, something + "." + something + "." + something));
  }
  return all;
}

std::optional<std::string> example_of_both(std::string_view a, std::string_view b) {
  auto text = Pair(a, b).common();
  if (text && matches(a, *text) && matches(b, *text)) return text;
  return std::nullopt;
}

}  // namespace wazoauth::acl

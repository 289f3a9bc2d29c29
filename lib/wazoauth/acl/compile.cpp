#include "wazoauth/acl/compile.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "wazoauth/acl/block.h"
#include "wazoauth/acl/text.h"
#include "wazoauth/base/json_text.h"

namespace wazoauth::acl {

std::vector<std::string_view> split_words(std::string_view pattern) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0;;) {
    const std::size_t dot = pattern.find('.', begin);
    words.push_back(pattern.substr(begin, dot - begin));
    if (dot == std::string_view::npos) return words;
    begin = dot + 1;
  }
}

namespace {

std::optional<Op> reserved_word(std::string_view word) {
  if (word == "me") return Op::me;
  if (word == "my_session") return Op::my_session;
  if (word == "edit") return Op::edit;
  return std::nullopt;
}

bool is_plain(std::string_view word) {
  return !reserved_word(word) && word.find_first_of("*#") == std::string_view::npos;
}

block::Tail tail_of(std::string_view literal) {
  const std::size_t size = std::min<std::size_t>(8, literal.size());
  block::Tail tail = {};
  std::memcpy(reinterpret_cast<char*>(&tail.bytes) + 8 - size, literal.data() + literal.size() - size, size);
  std::memset(reinterpret_cast<char*>(&tail.mask) + 8 - size, 0xff, size);
  return tail;
}

// Builds the program for the rest of a pattern, and what is known of the texts that it matches.
class Rest {
 public:
  explicit Rest(std::span<const std::string_view> words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i != 0) add('.');
      if (const auto op = reserved_word(words[i])) {
        add(*op);
      } else {
        for (const char c : words[i]) add(c);
      }
    }
    flush();
    if (last_ == Op::literal) pattern_.tail = tail_of(last_literal_);
  }

  const std::string& program() const { return program_; }
  const block::Pattern& pattern() const { return pattern_; }

 private:
  void add(char c) {
    if (c == '*') return add(Op::star);
    if (c == '#') return add(Op::hash);
    literal_ += c;
    if (c == '.') ++pattern_.dots;
    if (literal_.size() == std::numeric_limits<std::uint16_t>::max()) flush();
  }

  void add(Op op) {
    flush();
    const bool wildcard = op == Op::star || op == Op::hash;
    if (wildcard && last_ == op) return;
    program_ += static_cast<char>(op);
    last_ = op;
    if (op == Op::hash) pattern_.any_dots = 1;
    if (op == Op::edit) pattern_.min_size += 4;
  }

  void flush() {
    if (literal_.empty()) return;
    const auto size = static_cast<std::uint16_t>(literal_.size());
    program_ += static_cast<char>(Op::literal);
    program_.append(reinterpret_cast<const char*>(&size), sizeof size);
    program_ += literal_;
    pattern_.min_size += size;
    last_ = Op::literal;
    last_literal_ = std::exchange(literal_, {});
  }

  std::string program_, literal_, last_literal_;
  std::optional<Op> last_;
  block::Pattern pattern_ = {};
};

struct Group {
  std::string prefix;
  std::size_t words = 0;
  std::uint64_t hash = 0;
  std::uint32_t whole = 0;
  std::array<std::vector<Rest>, 2> rests;            // positive, negative
  std::array<std::set<std::string>, 2> known_rests;  // a pattern that comes twice is kept once
};

class Compiler {
 public:
  Compiler() : groups_(1) {}

  void add(std::string_view access) {
    const bool negative = access.starts_with('!');
    if (negative) access.remove_prefix(1);
    const auto words = split_words(access);
    if (negative) features_ |= block::negatives;
    if (std::any_of(words.begin(), words.end(), reserved_word)) features_ |= block::reserved_words;
    const auto plain = std::find_if_not(words.begin(), words.end(), is_plain) - words.begin();
    Group& group = groups_[group_of(std::span(words).first(plain))];
    if (plain == std::ssize(words)) {
      group.whole |= negative ? block::whole_negative : block::whole_positive;
      return;
    }
    Rest rest{std::span(words).subspan(plain)};
    if (group.known_rests[negative].insert(rest.program()).second) group.rests[negative].push_back(std::move(rest));
  }

  std::string block(std::string_view json) {
    for (Group& group : groups_) lay_out(group);
    const std::size_t buckets = std::bit_ceil(group_records_.size() * 2);
    std::vector<block::Bucket> table(buckets);
    for (block::Bucket i = 1; i < group_records_.size(); ++i) {
      std::size_t at = group_records_[i].hash & (buckets - 1);
      while (table[at] != 0) at = (at + 1) & (buckets - 1);
      table[at] = i;
    }
    std::string content;
    append(content, table);
    content.resize((content.size() + 7) / 8 * 8);
    append(content, group_records_);
    append(content, pattern_records_);
    content += pool_;
    content += json;
    if (content.size() > std::numeric_limits<std::uint32_t>::max() / 2) throw std::length_error("access list too long");

    block::Hash hash;
    hash.add(content);
    const block::Header header = {.magic = block::magic,
                                  .content_hash = hash.value(),
                                  .size = number(sizeof(block::Header) + content.size()),
                                  .buckets = number(buckets),
                                  .groups = number(group_records_.size()),
                                  .patterns = number(pattern_records_.size()),
                                  .pool = number(pool_.size()),
                                  .json = number(json.size()),
                                  .longest = number(longest_),
                                  .features = features_};
    std::string result(reinterpret_cast<const char*>(&header), sizeof header);
    return result += content;
  }

 private:
  static std::uint32_t number(std::size_t n) { return static_cast<std::uint32_t>(n); }

  template <class T>
  static void append(std::string& to, const std::vector<T>& items) {
    to.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
  }

  std::size_t group_of(std::span<const std::string_view> prefix_words) {
    if (prefix_words.empty()) return 0;
    Group group;
    block::Hash hash;
    for (const auto& word : prefix_words) {
      if (&word != &prefix_words.front()) group.prefix += '.';
      group.prefix += word;
      hash.add(word);
    }
    const auto [at, is_new] = group_numbers_.try_emplace(group.prefix, groups_.size());
    if (is_new) {
      group.hash = hash.value();
      longest_ = std::max(longest_, prefix_words.size());
      groups_.push_back(std::move(group));
    }
    return at->second;
  }

  std::uint32_t in_pool(std::string_view text) {
    pool_ += text;
    return number(pool_.size() - text.size());
  }

  void lay_out(const Group& group) {
    const auto first = number(pattern_records_.size());
    for (const bool negative : {true, false}) {
      for (const Rest& rest : group.rests[negative]) {
        auto pattern = rest.pattern();
        pattern.program_size = number(rest.program().size());
        pattern.program = in_pool(rest.program());
        pattern_records_.push_back(pattern);
      }
    }
    group_records_.push_back({.hash = group.hash,
                              .prefix = in_pool(group.prefix),
                              .prefix_size = number(group.prefix.size()),
                              .first = first,
                              .negatives = number(group.rests[true].size()),
                              .positives = number(group.rests[false].size()),
                              .whole = group.whole});
  }

  std::vector<Group> groups_;
  std::unordered_map<std::string, std::size_t> group_numbers_;
  std::vector<block::Group> group_records_;
  std::vector<block::Pattern> pattern_records_;
  std::string pool_;
  std::size_t longest_ = 0;
  std::uint32_t features_ = 0;
};

std::string list_json(const std::vector<std::string>& accesses) {
  std::string json = "[";
  for (const std::string& access : accesses) {
    if (json.size() > 1) json += ", ";
    append_json(json, access);
  }
  return json += ']';
}

}  // namespace

std::string compile(const std::vector<std::string>& accesses) {
  Compiler compiler;
  for (const std::string& access : accesses) compiler.add(access);
  return compiler.block(list_json(accesses));
}

std::string compile_pattern(std::string_view pattern) {
  return Rest(split_words(pattern)).program();
}

}  // namespace wazoauth::acl

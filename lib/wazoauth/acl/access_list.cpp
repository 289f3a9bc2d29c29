#include "wazoauth/acl/access_list.h"

#include <algorithm>
#include <cstring>

#include "wazoauth/acl/block.h"
#include "wazoauth/acl/text.h"

namespace wazoauth::acl {
namespace {

// The areas of a block whose header has been checked. What lies in the areas is checked when it is read.
struct Areas {
  block::Header header;
  const char *buckets, *groups, *patterns;
  std::string_view pool, json;

  static std::optional<Areas> of(std::string_view bytes) {
    if (bytes.size() < sizeof(block::Header)) return std::nullopt;
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % block::alignment != 0) return std::nullopt;
    Areas areas;
    areas.header = block::read<block::Header>(bytes.data());
    const block::Header& header = areas.header;
    if (header.magic != block::magic || header.size != bytes.size()) return std::nullopt;
    if (header.buckets == 0 || (header.buckets & (header.buckets - 1)) != 0 || header.groups == 0) return std::nullopt;
    const std::uint64_t buckets = sizeof(block::Header);
    const std::uint64_t groups = buckets + (std::uint64_t{header.buckets} * sizeof(block::Bucket) + 7) / 8 * 8;
    const std::uint64_t patterns = groups + std::uint64_t{header.groups} * sizeof(block::Group);
    const std::uint64_t pool = patterns + std::uint64_t{header.patterns} * sizeof(block::Pattern);
    if (pool + header.pool + header.json != bytes.size()) return std::nullopt;
    areas.buckets = bytes.data() + buckets;
    areas.groups = bytes.data() + groups;
    areas.patterns = bytes.data() + patterns;
    areas.pool = bytes.substr(pool, header.pool);
    areas.json = bytes.substr(pool + header.pool);
    return areas;
  }

  block::Group group(std::uint32_t number) const {
    return block::read<block::Group>(groups + std::size_t{number} * sizeof(block::Group));
  }
  block::Pattern pattern(std::uint32_t number) const { return block::read<block::Pattern>(pattern_at(number)); }
  block::Tail tail(std::uint32_t number) const { return block::read<block::Tail>(pattern_at(number)); }
  // "" for what isn't in the pool.
  std::string_view pooled(std::uint32_t offset, std::uint32_t size) const {
    return offset <= pool.size() && size <= pool.size() - offset ? pool.substr(offset, size) : std::string_view();
  }

  bool has(std::uint32_t feature) const { return (header.features & feature) != 0; }

  const char* pattern_at(std::uint32_t number) const { return patterns + std::size_t{number} * sizeof(block::Pattern); }

  std::optional<block::Group> find(std::string_view prefix, std::uint64_t hash) const {
    const std::uint32_t mask = header.buckets - 1;
    for (std::uint32_t i = 0; i < header.buckets; ++i) {
      const std::uint32_t at = (static_cast<std::uint32_t>(hash) + i) & mask;
      const auto number = block::read<block::Bucket>(buckets + std::size_t{at} * sizeof(block::Bucket));
      if (number == 0 || number >= header.groups) return std::nullopt;
      if (block::read<std::uint64_t>(groups + std::size_t{number} * sizeof(block::Group)) != hash) continue;
      const auto found = group(number);
      if (found.prefix_size == prefix.size() && pooled(found.prefix, found.prefix_size) == prefix) return found;
    }
    return std::nullopt;
  }
};

// Of nearly all patterns the rest is `*` and a literal, or one wildcard. nullopt: this one is another. `text` doesn't
// end with a newline.
std::optional<bool> matches_simply(std::string_view program, std::string_view text) {
  if (program.empty()) return std::nullopt;
  const auto op = static_cast<Op>(block::read<unsigned char>(program.data()));
  if (op == Op::hash && program.size() == 1) return text.find('\n') == std::string_view::npos;
  if (op != Op::star) return std::nullopt;
  program.remove_prefix(1);
  constexpr std::size_t head = 1 + sizeof(std::uint16_t);
  if (program.size() >= head && static_cast<Op>(block::read<unsigned char>(program.data())) == Op::literal) {
    const auto size = block::read<std::uint16_t>(program.data() + 1);
    program.remove_prefix(head);
    if (program.size() != size) return std::nullopt;
    if (!text.ends_with(program)) return false;
    text.remove_suffix(size);
  } else if (!program.empty()) {
    return std::nullopt;
  }
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '.' || c == '#'; });
}

// The search for the patterns that match one required access.
class Search {
 public:
  Search(const Areas& areas, const Required& required, const Holder& holder)
      : areas_(areas), required_(required), holder_(holder), tail_counts_(!required.ends_with_newline()) {}

  bool granted() {
    if (visit(areas_.group(0), 0, 0)) return !denied_;
    const std::size_t longest = areas_.header.longest, dots = required_.dots();
    for (std::size_t words = 1; words <= std::min(longest, dots); ++words) {
      const auto [size, hash] = required_.prefix(words);
      const auto group = areas_.find(required_.text().substr(0, size), hash);
      if (group && visit(*group, size + 1, words)) return !denied_;
    }
    if (longest > dots) visit_whole();
    return found_ && !denied_;
  }

 private:
  // Patterns without wildcards and reserved words: the required access, or all but the newline that ends it.
  void visit_whole() {
    visit_whole(required_.text(), required_.hash());
    if (tail_counts_) return;
    const Required without_newline(required_.text().substr(0, required_.text().size() - 1));
    visit_whole(without_newline.text(), without_newline.hash());
  }

  void visit_whole(std::string_view text, std::uint64_t hash) {
    const auto group = areas_.find(text, hash);
    if (!group) return;
    denied_ |= (group->whole & block::whole_negative) != 0;
    found_ |= (group->whole & block::whole_positive) != 0;
  }

  // True when the verdict is certain.
  bool visit(const block::Group& group, std::size_t begin, std::size_t words) {
    const std::uint64_t end = std::uint64_t{group.first} + group.negatives + group.positives;
    if (end > areas_.header.patterns) return false;
    const std::uint32_t first_positive = group.first + group.negatives;
    if (any_matches(group.first, first_positive, begin, words)) return denied_ = true;
    found_ = found_ || any_matches(first_positive, static_cast<std::uint32_t>(end), begin, words);
    return found_ && !areas_.has(block::negatives);
  }

  bool any_matches(std::uint32_t number, std::uint32_t end, std::size_t begin, std::size_t words) {
    for (; number < end; ++number) {
      const block::Tail tail = areas_.tail(number);
      if (tail_counts_ && ((required_.tail() ^ tail.bytes) & tail.mask) != 0) continue;
      if (matches(areas_.pattern(number), begin, words)) return true;
    }
    return false;
  }

  bool matches(const block::Pattern& pattern, std::size_t begin, std::size_t words) {
    const std::string_view text = required_.text();
    if (text.size() - begin < pattern.min_size) return false;
    const std::size_t dots = required_.dots() - words;
    if (dots < pattern.dots) return false;
    if (dots > pattern.dots && pattern.any_dots == 0 && !reserved_may_have_dots()) return false;
    const std::string_view program = areas_.pooled(pattern.program, pattern.program_size);
    if (tail_counts_) {
      if (const auto known = matches_simply(program, text.substr(begin))) return *known;
    }
    if (!text_) text_.emplace(text, holder_);
    return text_->matches(program, begin);
  }

  bool reserved_may_have_dots() const {
    return areas_.has(block::reserved_words) && (holder_.auth_id.find('.') != std::string_view::npos ||
                                                 holder_.session_uuid.find('.') != std::string_view::npos);
  }

  const Areas& areas_;
  const Required& required_;
  const Holder& holder_;
  const bool tail_counts_;
  std::optional<Text> text_;
  bool found_ = false, denied_ = false;
};

std::string_view without_negation(std::string_view access) {
  return access.starts_with('!') ? access.substr(1) : access;
}

}  // namespace

bool AccessList::valid() const {
  return Areas::of(block_).has_value();
}

bool AccessList::grants(std::optional<std::string_view> required, const Holder& holder) const {
  return !required || grants(Required(*required), holder);
}

bool AccessList::grants(const Required& required, const Holder& holder) const {
  const auto areas = Areas::of(block_);
  return areas && Search(*areas, required, holder).granted();
}

bool AccessList::asks_for_holder() const {
  if (block_.size() < sizeof(block::Header)) return false;
  const char* const features = block_.data() + offsetof(block::Header, features);
  return (block::read<std::uint32_t>(features) & block::reserved_words) != 0;
}

std::string_view AccessList::json() const {
  const auto areas = Areas::of(block_);
  return areas ? areas->json : "[]";
}

bool may_add(const AccessList& holder_list, std::string_view access, const Holder& holder) {
  return access.starts_with('!') || holder_list.grants(access, holder);
}

bool may_remove(const AccessList& holder_list, std::string_view access, const Holder& holder) {
  return holder_list.grants(without_negation(access), holder);
}

namespace {
std::string escape_parameter(std::string_view value) {
  std::string escaped(value);
  std::replace(escaped.begin(), escaped.end(), '.', '_');
  return escaped;
}
}  // namespace

std::string fill_template(std::string_view access_template,
                          std::span<const std::pair<std::string, std::string>> path_parameters) {
  std::string access;
  while (!access_template.empty()) {
    const std::size_t open = access_template.find('{');
    const std::size_t close = open == std::string_view::npos ? open : access_template.find('}', open);
    if (close == std::string_view::npos) break;
    access += access_template.substr(0, open);
    const auto name = access_template.substr(open + 1, close - open - 1);
    const auto found = std::find_if(path_parameters.begin(), path_parameters.end(),
                                    [&](const auto& parameter) { return parameter.first == name; });
    if (found != path_parameters.end()) {
      access += escape_parameter(found->second);
    } else {
      access += access_template.substr(open, close + 1 - open);
    }
    access_template.remove_prefix(close + 1);
  }
  return access += access_template;
}

}  // namespace wazoauth::acl

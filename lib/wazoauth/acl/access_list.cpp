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

  const char* pattern_at(std::uint32_t number) const { return patterns + std::size_t{number} * sizeof(block::Pattern); }

  std::optional<block::Group> find(std::string_view prefix, std::uint64_t hash) const {
    const std::uint32_t mask = header.buckets - 1;
    for (std::uint32_t i = 0; i < header.buckets; ++i) {
      const std::uint32_t at = (static_cast<std::uint32_t>(hash) + i) & mask;
      const auto number = block::read<block::Bucket>(buckets + std::size_t{at} * sizeof(block::Bucket));
      if (number == 0 || number >= header.groups) return std::nullopt;
      const auto found = group(number);
      if (found.hash == hash && found.prefix_size == prefix.size() && pooled(found.prefix, found.prefix_size) == prefix)
        return found;
    }
    return std::nullopt;
  }
};

// The search for the patterns that match one required access.
class Search {
 public:
  Search(const Areas& areas, std::string_view required, const Holder& holder)
      : areas_(areas),
        required_(required),
        without_newline_(required.ends_with('\n') ? required.substr(0, required.size() - 1) : required),
        dots_(std::count(required.begin(), required.end(), '.')),
        reserved_may_have_dots_(holder.auth_id.find('.') != std::string_view::npos ||
                                holder.session_uuid.find('.') != std::string_view::npos),
        tail_(last_bytes(required)),
        text_(required, holder) {}

  bool granted() {
    if (visit(areas_.group(0), 0, 0)) return !denied_;
    block::Hash hash;
    std::size_t begin = 0;
    for (std::size_t words = 1; words <= areas_.header.longest; ++words) {
      const std::size_t dot = required_.find('.', begin);
      if (dot == std::string_view::npos) break;
      hash.add(required_.substr(begin, dot - begin));
      begin = dot + 1;
      const auto group = areas_.find(required_.substr(0, dot), hash.value());
      if (group && visit(*group, begin, words)) return !denied_;
      if (words == areas_.header.longest) return found_;
    }
    if (areas_.header.longest != 0) visit_whole(hash, begin);
    return found_ && !denied_;
  }

 private:
  static std::uint64_t last_bytes(std::string_view text) {
    const std::size_t size = std::min<std::size_t>(8, text.size());
    std::uint64_t bytes = 0;
    std::memcpy(reinterpret_cast<char*>(&bytes) + 8 - size, text.data() + text.size() - size, size);
    return bytes;
  }

  // Patterns without wildcards and reserved words: the required access, or all but the newline that ends it.
  void visit_whole(const block::Hash& leading, std::size_t begin) {
    for (const std::string_view text : {required_, without_newline_}) {
      block::Hash hash = leading;
      hash.add(text.substr(begin));
      const auto group = areas_.find(text, hash.value());
      if (group) {
        denied_ |= (group->whole & block::whole_negative) != 0;
        found_ |= (group->whole & block::whole_positive) != 0;
      }
      if (required_.size() == without_newline_.size()) return;
    }
  }

  // True when the verdict is certain.
  bool visit(const block::Group& group, std::size_t begin, std::size_t words) {
    const std::uint64_t end = std::uint64_t{group.first} + group.negatives + group.positives;
    if (end > areas_.header.patterns) return false;
    const std::uint32_t first_positive = group.first + group.negatives;
    if (any_matches(group.first, first_positive, begin, words)) return denied_ = true;
    found_ = found_ || any_matches(first_positive, static_cast<std::uint32_t>(end), begin, words);
    return found_ && areas_.header.has_negatives == 0;
  }

  bool any_matches(std::uint32_t number, std::uint32_t end, std::size_t begin, std::size_t words) {
    const bool tail_counts = required_.size() == without_newline_.size();
    for (; number < end; ++number) {
      const block::Tail tail = areas_.tail(number);
      if (tail_counts && ((tail_ ^ tail.bytes) & tail.mask) != 0) continue;
      if (matches(areas_.pattern(number), begin, words)) return true;
    }
    return false;
  }

  bool matches(const block::Pattern& pattern, std::size_t begin, std::size_t words) {
    if (required_.size() - begin < pattern.min_size) return false;
    const std::size_t dots = dots_ - words;
    if (dots < pattern.dots) return false;
    if (dots > pattern.dots && pattern.any_dots == 0 && !reserved_may_have_dots_) return false;
    return text_.matches(areas_.pooled(pattern.program, pattern.program_size), begin);
  }

  const Areas& areas_;
  std::string_view required_, without_newline_;
  std::size_t dots_;
  bool reserved_may_have_dots_;
  std::uint64_t tail_;
  Text text_;
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
  if (!required) return true;
  const auto areas = Areas::of(block_);
  return areas && Search(*areas, *required, holder).granted();
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

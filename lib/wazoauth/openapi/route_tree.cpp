#include "wazoauth/openapi/route_tree.h"

#include <algorithm>

namespace wazoauth::openapi {

namespace {

constexpr std::size_t get = 1, head = 2, options = 3;

std::size_t index_of(std::string_view method) {
  return static_cast<std::size_t>(std::find(methods.begin(), methods.end(), method) - methods.begin());
}

constexpr unsigned bit(std::size_t method) {
  return 1U << method;
}

}  // namespace

struct RouteTree::Search {
  const std::vector<Node>& nodes;
  const std::size_t method;  // beyond the end of `methods` for one that no path has
  Values& values;
  Found found;

  // `rest` is empty, or goes on with '/'. `count`: of the values so far.
  bool at(std::uint32_t number, std::string_view rest, std::size_t count) {
    const Node& node = nodes[number];
    if (rest.empty()) return end_at(node);
    const auto end = std::min(rest.find('/', 1), rest.size());
    const std::string_view segment = rest.substr(1, end - 1), behind = rest.substr(end);
    const auto fixed = std::lower_bound(node.fixed.begin(), node.fixed.end(), segment,
                                        [](const Node::Fixed& f, std::string_view text) { return f.text < text; });
    if (fixed != node.fixed.end() && fixed->text == segment && at(fixed->node, behind, count)) return true;
    if (segment.empty()) return false;
    // As in the daemons' router: with something behind it one that spans slashes is more literal than one that doesn't.
    if (span(node, rest, count, false)) return true;
    for (const Node::Variable& variable : node.variables) {
      const std::size_t around = variable.prefix.size() + variable.suffix.size();
      if (segment.size() <= around || !segment.starts_with(variable.prefix) || !segment.ends_with(variable.suffix))
        continue;
      values[count] = segment.substr(variable.prefix.size(), segment.size() - around);
      if (at(variable.node, behind, count + 1)) return true;
    }
    return span(node, rest, count, true);
  }

  // `last`: those that take all of it, else those with something behind.
  bool span(const Node& node, std::string_view rest, std::size_t count, bool last) {
    for (const Node::Spanning& spanning : node.spanning) {
      if ((spanning.tail == 0) != last) continue;
      std::size_t end = rest.size();
      for (std::size_t i = 0; i < spanning.tail && end > 0; ++i) end = rest.rfind('/', end - 1);
      if (end < 2) continue;
      values[count] = rest.substr(1, end - 1);
      if (at(spanning.node, rest.substr(end), count + 1)) return true;
    }
    return false;
  }

  bool end_at(const Node& node) {
    if (node.allowed == 0) return false;
    if (method < methods.size()) found.number = node.numbers[method];
    if (found.number == nothing && method == head) found.number = node.numbers[get];
    if (found.number == nothing && method != options) {
      found.allowed |= node.allowed;
      return false;
    }
    found.allowed = node.allowed;
    return true;
  }
};

RouteTree::Found RouteTree::find(std::string_view method, std::string_view path, Values& values) const noexcept {
  if (path.ends_with('/')) path.remove_suffix(1);
  Search search{nodes_, index_of(method), values, {}};
  search.found.path = search.at(0, path, 0);
  return search.found;
}

std::uint32_t RouteTree::step(std::uint32_t from, const Segment& segment, std::size_t tail) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  Node& node = nodes_[from];
  if (segment.is_fixed()) {
    const auto place = std::lower_bound(node.fixed.begin(), node.fixed.end(), segment.prefix,
                                        [](const Node::Fixed& f, const std::string& text) { return f.text < text; });
    if (place != node.fixed.end() && place->text == segment.prefix) return place->node;
    node.fixed.insert(place, {segment.prefix, next});
  } else if (segment.spans) {
    const auto place = std::find_if(node.spanning.begin(), node.spanning.end(),
                                    [&](const Node::Spanning& other) { return other.tail <= tail; });
    if (place != node.spanning.end() && place->tail == tail) return place->node;
    node.spanning.insert(place, {tail, next});
  } else {
    const std::size_t around = segment.prefix.size() + segment.suffix.size();
    auto place = node.variables.begin();
    for (; place != node.variables.end() && place->prefix.size() + place->suffix.size() >= around; ++place) {
      if (place->prefix == segment.prefix && place->suffix == segment.suffix) return place->node;
    }
    node.variables.insert(place, {segment.prefix, segment.suffix, next});
  }
  nodes_.emplace_back();
  return next;
}

std::uint32_t RouteTree::add(std::string_view method, const std::vector<Segment>& path, std::uint32_t number) {
  std::uint32_t end = 0;
  for (std::size_t i = 0; i < path.size(); ++i) end = step(end, path[i], path.size() - i - 1);
  Node& node = nodes_[end];
  const std::size_t index = index_of(method);
  if (node.numbers[index] == nothing) node.numbers[index] = number;
  node.allowed |= bit(index) | bit(options) | (index == get ? bit(head) : 0);
  return node.numbers[index];
}

}  // namespace wazoauth::openapi

#include "wazoauth/openapi/template.h"

#include <algorithm>

namespace wazoauth::openapi {

namespace {

Segment parse_segment(std::string_view text) {
  if (text.empty()) throw BadTemplate("two slashes follow each other");
  if (text == "." || text == "..")
    throw BadTemplate("a segment that is \"" + std::string(text) + "\" is never asked for");
  const auto open = text.find('{');
  const std::string_view fixed = text.substr(0, open);
  if (fixed.find('}') != std::string_view::npos) throw BadTemplate("a brace is closed that isn't open");
  if (open == std::string_view::npos) return {std::string(text)};
  const auto close = text.find('}', open);
  if (close == std::string_view::npos) throw BadTemplate("a brace isn't closed");
  const std::string_view name = text.substr(open + 1, close - open - 1), rest = text.substr(close + 1);
  if (name.empty() || name.find('{') != std::string_view::npos) throw BadTemplate("a parameter has no proper name");
  if (rest.find_first_of("{}") != std::string_view::npos)
    throw BadTemplate("a segment may hold one parameter, \"" + std::string(text) + "\" holds more");
  return {std::string(fixed), std::string(name), std::string(rest)};
}

}  // namespace

std::vector<Segment> parse_path(std::string_view path) {
  if (!path.starts_with('/')) throw BadTemplate("a path begins with '/'");
  if (path.find_first_of("?#") != std::string_view::npos) throw BadTemplate("a path holds neither '?' nor '#'");
  if (path.ends_with('/')) path.remove_suffix(1);
  std::vector<Segment> segments;
  std::size_t parameters = 0;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto slash = path.find('/');
    Segment segment = parse_segment(path.substr(0, slash));
    const bool again = std::any_of(segments.begin(), segments.end(), [&](const Segment& earlier) {
      return !segment.is_fixed() && earlier.parameter == segment.parameter;
    });
    if (again) throw BadTemplate("the parameter \"" + segment.parameter + "\" occurs twice");
    if (!segment.is_fixed() && ++parameters > max_parameters)
      throw BadTemplate("more than " + std::to_string(max_parameters) + " parameters");
    segments.push_back(std::move(segment));
    if (segments.size() > 100) throw BadTemplate("more than 100 segments");
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  }
  return segments;
}

std::string shape_of(const std::vector<Segment>& path) {
  std::string shape;
  for (const Segment& segment : path) {
    shape += '/' + segment.prefix;
    if (!segment.is_fixed()) shape += "{}" + segment.suffix;
  }
  return shape;
}

AccessTemplate parse_access(const std::string& access, const std::vector<Parameter>& parameters,
                            std::vector<std::string>& unknown) {
  AccessTemplate result{access, {}};
  std::string_view rest = access;
  while (!rest.empty()) {
    const auto open = rest.find('{'), close = rest.find('}', std::min(open, rest.size()));
    AccessTemplate::Part part{std::string(rest.substr(0, open)), -1};
    if (close == std::string_view::npos) {
      part.literal = rest;
      rest = {};
    } else {
      const std::string_view name = rest.substr(open + 1, close - open - 1);
      const auto found =
          std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& p) { return p.name == name; });
      if (found == parameters.end()) unknown.emplace_back(name);
      part.parameter = static_cast<int>(found - parameters.begin());
      rest.remove_prefix(close + 1);
    }
    result.parts.push_back(std::move(part));
  }
  return result;
}

}  // namespace wazoauth::openapi

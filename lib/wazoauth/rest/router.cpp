#include "wazoauth/rest/router.h"

#include <algorithm>
#include <deque>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/rest/endpoint_names.h"

namespace wazoauth {

namespace {

constexpr std::string_view base = "/0.1";

enum class Kind { text, uuid, fixed };  // ascending precedence

struct Segment {
  Kind kind;
  std::string text;  // the fixed text, or the parameter's name
};

// All methods of one path template.
struct Resource {
  std::vector<Segment> segments;
  std::vector<const Route*> routes;
};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const auto slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  }
  return parts;
}

std::vector<Segment> parse_template(const std::string& path) {
  std::vector<Segment> segments;
  for (const std::string_view part : split(path)) {
    if (part.empty() || part.front() != '<') {
      segments.push_back({Kind::fixed, std::string(part)});
      continue;
    }
    const std::string name(part.substr(1, part.size() - 2));
    segments.push_back({name.ends_with("_uuid") ? Kind::uuid : Kind::text, name});
  }
  return segments;
}

bool same_shape(const std::vector<Segment>& a, const std::vector<Segment>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Segment& x, const Segment& y) { return x.kind == y.kind && x.text == y.text; });
}

bool fits(const std::vector<Segment>& segments, const std::vector<std::string>& parts) {
  return std::equal(segments.begin(), segments.end(), parts.begin(), parts.end(),
                    [](const Segment& segment, const std::string& part) {
                      if (segment.kind == Kind::fixed) return segment.text == part;
                      if (segment.kind == Kind::uuid) return is_uuid(part);
                      return !part.empty();
                    });
}

// The first segment in which they differ in kind decides.
bool more_specific(const Resource& a, const Resource& b) {
  for (std::size_t i = 0; i < a.segments.size(); ++i) {
    if (a.segments[i].kind != b.segments[i].kind) return a.segments[i].kind > b.segments[i].kind;
  }
  return false;
}

std::string merge_slashes(std::string_view path) {
  std::string merged;
  for (const char c : path) {
    if (c != '/' || merged.empty() || merged.back() != '/') merged += c;
  }
  return merged;
}

}  // namespace

std::shared_ptr<const BodySpec> takes(Schema schema, Report report, std::string resource) {
  return std::make_shared<const BodySpec>(BodySpec{std::move(schema), report, std::move(resource)});
}

std::shared_ptr<const BodySpec> takes_form(Schema schema, Report report, std::string resource,
                                           std::vector<std::string> files) {
  BodySpec spec{std::move(schema), report, std::move(resource)};
  spec.form = true;
  spec.files = std::move(files);
  return std::make_shared<const BodySpec>(std::move(spec));
}

std::shared_ptr<const BodySpec> takes_any() {
  return std::make_shared<const BodySpec>(BodySpec{.any = true});
}

std::shared_ptr<const ListSpec> listed(ListSpec spec) {
  return std::make_shared<const ListSpec>(std::move(spec));
}

Field list_answer(const std::shared_ptr<const Schema>& item) {
  return object_of(shape(item->name + "Page", {{.name = "filtered", .type = Type::integer},
                                               {.name = "total", .type = Type::integer},
                                               list_of(object_of(item), "items")}));
}

struct Router::Table {
  std::deque<Route> storage;  // stable addresses
  std::vector<Route> copies;
  std::vector<Resource> resources;

  const Resource* find(std::string_view path, std::vector<std::string>& parts) const {
    if (path.substr(0, base.size()) != base || path.size() == base.size() || path[base.size()] != '/') return nullptr;
    parts.clear();
    for (const std::string_view part : split(path.substr(base.size()))) parts.push_back(decode_segment(part));
    const Resource* best = nullptr;
    for (const Resource& resource : resources) {
      if (fits(resource.segments, parts) && (!best || more_specific(resource, *best))) best = &resource;
    }
    return best;
  }
};

Router::Router() : table_(std::make_unique<Table>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;

void Router::add(Route route) {
  if (route.list) route.list_schema = list_schema(*route.list);
  route.endpoint = endpoint_name(route.path);
  table_->copies.push_back(route);
  table_->storage.push_back(std::move(route));
  const Route& stored = table_->storage.back();
  const auto segments = parse_template(stored.path);
  for (Resource& resource : table_->resources) {
    if (same_shape(resource.segments, segments)) {
      resource.routes.push_back(&stored);
      return;
    }
  }
  table_->resources.push_back({segments, {&stored}});
}

void RouteFamily::add(Route route) {
  route.plugin = shared_.plugin;
  if (route.tenancy == Tenancy::none) route.tenancy = shared_.tenancy;
  router_.add(std::move(route));
}

const std::vector<Route>& Router::routes() const {
  return table_->copies;
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match match;
  std::vector<std::string> parts;
  const Resource* resource = table_->find(path, parts);
  if (!resource) {
    if (path.find("//") != std::string_view::npos) {
      const std::string merged = merge_slashes(path);
      if (table_->find(merged, parts)) match.redirect_to = merged;
    }
    return match;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Segment& segment = resource->segments[i];
    if (segment.kind == Kind::uuid) match.parameters.emplace_back(segment.text, ascii::lower(parts[i]));
    if (segment.kind == Kind::text) match.parameters.emplace_back(segment.text, parts[i]);
  }
  bool has_head = false;
  const Route* get = nullptr;
  for (const Route* route : resource->routes) {
    if (route->method == method) match.route = route;
    if (route->method == "GET") get = route;
    has_head = has_head || route->method == "HEAD";
    match.allowed.push_back(route->method);
  }
  if (get && !has_head) {
    match.allowed.emplace_back("HEAD");
    if (method == "HEAD") match.route = get;
  }
  match.allowed.emplace_back("OPTIONS");
  return match;
}

}  // namespace wazoauth

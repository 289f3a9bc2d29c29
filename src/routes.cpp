#include "routes.h"

#include <fnmatch.h>

#include <algorithm>
#include <memory>
#include <new>

#include "wazoauth/base/ascii.h"

namespace wazoauth::nginx {

namespace {

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

bool is_below_in_any_case(std::string_view path, std::string_view root) {
  return path.size() >= root.size() && (path.size() == root.size() || path[root.size()] == '/') &&
         ascii::same(path.substr(0, root.size()), root);
}

}  // namespace

Routes* make_routes(ngx_conf_t* cf) {
  ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(cf->pool, sizeof(Routes));
  if (!cleanup) return nullptr;
  auto* routes = new (cleanup->data) Routes;
  cleanup->handler = [](void* data) { std::destroy_at(static_cast<Routes*>(data)); };
  return routes;
}

bool Routes::read(ngx_conf_t* cf, Shadow* shadow) {
  read_ = true;
  try {
    std::vector<openapi::Source> sources;
    for (const Line& line : lines_) sources.push_back(line.source);
    openapi::Reading reading = openapi::read_routes(sources);
    if (!report(cf, reading.findings)) return false;
    table_ = std::move(reading.table);
    for (const openapi::Operation& operation : table_.operations())
      tokens_in_query_ = tokens_in_query_ || operation.token_in_query;
    find_areas();
    if (shadow) add_to(*shadow);
    return true;
  } catch (const std::exception& e) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "API documents: %s", e.what());
    return false;
  }
}

// The last line that names its file.
const Place& Routes::place_of(const openapi::Finding& finding) const {
  const auto names = [&](const std::string& name) {
    return fnmatch(name.c_str(), finding.file.c_str(), 0) == 0 || finding.file == name ||
           finding.file.starts_with(name + "/");
  };
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line) {
    const openapi::Source& source = line->source;
    if (std::any_of(source.files.begin(), source.files.end(), names) ||
        std::any_of(source.overlays.begin(), source.overlays.end(), names))
      return line->place;
  }
  return lines_.front().place;
}

bool Routes::report(ngx_conf_t* cf, const std::vector<openapi::Finding>& findings) const {
  for (const openapi::Finding& finding : findings) {
    const Place& place = place_of(finding);
    const ngx_uint_t level = finding.severity == openapi::Finding::Severity::error ? NGX_LOG_EMERG : NGX_LOG_WARN;
    ngx_log_error(level, cf->log, 0, "%s, by \"%V\" in %V:%ui", finding.str().c_str(), &place.directive, &place.file,
                  place.line);
  }
  return !openapi::has_errors(findings);
}

void Routes::find_areas() {
  for (const openapi::Operation& operation : table_.operations()) {
    const openapi::Document& document = table_.documents()[operation.document];
    for (const std::string& root : document.roots) {
      const auto named = std::find_if(lines_.begin(), lines_.end(), [&](const Line& line) {
        return !line.source.prefix.empty() && is_below(root, line.source.prefix);
      });
      if (named != lines_.end()) {
        add_area(named->source.prefix, *named);
        continue;
      }
      for (const Line& line : lines_) {
        if (line.source.prefix.empty()) add_area(root, line);
      }
    }
  }
  std::stable_sort(areas_.begin(), areas_.end(),
                   [](const Area& a, const Area& b) { return a.root.size() > b.root.size(); });
}

// Of several lines about the same paths the strictest one counts.
void Routes::add_area(const std::string& root, const Line& line) {
  for (Area& area : areas_) {
    if (area.root != root) continue;
    area.deny = area.deny || line.deny;
    if (line.enforce != false) area.enforce = area.enforce == true ? true : line.enforce;
    return;
  }
  areas_.push_back({root, line.deny, line.enforce, 0});
}

void Routes::add_to(Shadow& shadow) {
  first_slot_ = shadow.size();
  for (const openapi::Operation& operation : table_.operations()) {
    std::string need(openapi::name_of(operation.need));
    for (const openapi::AccessTemplate& access : operation.accesses) need += " " + access.text;
    shadow.add(table_.documents()[operation.document].name, operation.method + " " + operation.path, need);
  }
  for (Area& area : areas_) {
    std::string name = "other";
    for (const openapi::Document& document : table_.documents()) {
      const auto below = [&](const std::string& root) { return is_below(root, area.root); };
      if (std::any_of(document.roots.begin(), document.roots.end(), below)) name = document.name;
    }
    area.slot = shadow.add(name, "any other path of " + area.root + "/", area.deny ? "deny" : "pass");
  }
}

const Area* Routes::area_of(std::string_view path) const noexcept {
  for (const Area& area : areas_) {
    if (is_below(path, area.root)) return &area;
  }
  for (const Area& area : areas_) {
    if (is_below_in_any_case(path, area.root)) return &area;
  }
  return nullptr;
}

}  // namespace wazoauth::nginx

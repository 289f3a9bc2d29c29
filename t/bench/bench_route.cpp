// Nanoseconds to find the operation of a request among 1,000, and to fill its access.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "wazoauth/openapi/route_table.h"

namespace {

using namespace wazoauth::openapi;

void add(RouteTable& table, const std::string& method, const std::string& path, const std::string& access) {
  Operation operation{};
  operation.method = method;
  operation.path = path;
  operation.need = Need::acl;
  const std::vector<Segment> segments = parse_path(path);
  for (const Segment& segment : segments) {
    if (!segment.is_fixed()) operation.parameters.push_back({segment.parameter, false, false});
  }
  std::vector<std::string> unknown;
  operation.accesses.push_back(parse_access(access, operation.parameters, unknown));
  if (!unknown.empty() || table.add(std::move(operation), segments)) std::abort();
}

// As on a Wazo platform: ten daemons, resources with an item each, and what belongs to an item.
RouteTable make_table() {
  RouteTable table;
  for (int daemon = 0; daemon < 10; ++daemon) {
    const std::string name = "daemon" + std::to_string(daemon), root = "/api/" + name + "/1.0";
    for (int i = 0; i < 20; ++i) {
      const std::string resource = "resource" + std::to_string(i), path = root + "/" + resource;
      add(table, "GET", path, name + "." + resource + ".read");
      add(table, "GET", path + "/{id}", name + "." + resource + ".{id}.read");
      add(table, "PUT", path + "/{id}", name + "." + resource + ".{id}.update");
      add(table, "PUT", path + "/{id}/parts/{part_id}", name + "." + resource + ".{id}.parts.{part_id}.update");
      add(table, "GET", path + "/me/parts", name + "." + resource + ".me.parts.read");
    }
  }
  return table;
}

double nanoseconds(const RouteTable& table, const char* method, const std::vector<std::string>& paths,
                   Match::Outcome expected) {
  constexpr int rounds = 100000;
  double best = 1e9;
  std::string access;
  for (int repeat = 0; repeat < 7; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
      for (const std::string& path : paths) {
        const Match match = table.match(method, path);
        access.clear();
        if (match.outcome != expected || (match.operation && !append_access(match, 0, access))) {
          std::printf("wrong for %s %s\n", method, path.c_str());
          std::exit(1);
        }
      }
    }
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / (rounds * static_cast<double>(paths.size())));
  }
  return best;
}

}  // namespace

int main() {
  const RouteTable table = make_table();
  const std::string id = "6fa459ea-ee8a-4ca4-894e-db77e160355e";
  const auto line = [&](const char* name, const char* method, const std::vector<std::string>& paths,
                        Match::Outcome expected) {
    const double time = nanoseconds(table, method, paths, expected);
    std::printf("%s %.0f%s\n", name, time, time > 1000 ? " missed: more than 1000" : "");
    return time <= 1000;
  };
  std::printf("operations %zu\n", table.operations().size());
  using Outcome = Match::Outcome;
  bool good = line("route_match_list", "GET", {"/api/daemon7/1.0/resource13"}, Outcome::matched);
  good &= line("route_match_item", "GET", {"/api/daemon2/1.0/resource5/" + id}, Outcome::matched);
  good &= line("route_match_parts", "PUT", {"/api/daemon9/1.0/resource19/" + id + "/parts/" + id}, Outcome::matched);
  good &= line("route_match_back", "PUT", {"/api/daemon9/1.0/resource19/me/parts/12"}, Outcome::matched);
  good &= line("route_wrong_method", "DELETE", {"/api/daemon0/1.0/resource0/12"}, Outcome::wrong_method);
  good &= line("route_unmatched", "GET", {"/api/daemon4/1.0/resource4/12/parts/5/6"}, Outcome::unmatched);
  return good ? 0 : 1;
}

// Finds the route of a request.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/rest/route.h"

namespace wazoauth {

class Router {
 public:
  Router();
  ~Router();
  Router(Router&&) noexcept;
  void add(Route route);
  struct Match {
    const Route* route = nullptr;  // null: see below
    PathParameters parameters;
    std::vector<std::string> allowed;        // methods of the path; empty: unknown path
    std::optional<std::string> redirect_to;  // the path with slashes merged, when it has repeated ones and exists
  };
  // `path` is raw and begins with "/0.1".
  Match match(std::string_view method, std::string_view path) const;
  const std::vector<Route>& routes() const;

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

// Adds routes that share a plug-in and, as a rule, a tenancy.
class RouteFamily {
 public:
  struct Shared {
    std::string plugin;
    Tenancy tenancy = Tenancy::none;
  };
  RouteFamily(Router& router, Shared shared) : router_(router), shared_(std::move(shared)) {}
  void add(Route route);  // a route without a tenancy of its own gets the family's

 private:
  Router& router_;
  const Shared shared_;
};

}  // namespace wazoauth

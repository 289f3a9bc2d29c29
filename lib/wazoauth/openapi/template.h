// Templates of paths and accesses: "/calls/{call_id}", "calld.calls.{call_id}.read".
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/openapi/operation.h"

namespace wazoauth::openapi {

struct BadTemplate : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A segment that holds a parameter may have fixed text around it, as "{name}.csv".
struct Segment {
  std::string prefix;  // the whole text of a segment without a parameter
  std::string parameter;
  std::string suffix;
  bool spans = false;  // the parameter may hold slashes

  bool is_fixed() const { return parameter.empty(); }
};

// From '/', and one '/' at the end doesn't count. Throws BadTemplate.
std::vector<Segment> parse_path(std::string_view path);

// Equal for templates that match the same requests: the path with its parameters' names left out.
std::string shape_of(const std::vector<Segment>& path);

// Parameters that the path doesn't have become part of `unknown`.
AccessTemplate parse_access(const std::string& access, const std::vector<Parameter>& parameters,
                            std::vector<std::string>& unknown);

}  // namespace wazoauth::openapi

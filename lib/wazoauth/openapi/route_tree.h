// Paths, segment by segment, and the methods that each has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/openapi/operation.h"
#include "wazoauth/openapi/template.h"

namespace wazoauth::openapi {

inline constexpr std::array<std::string_view, 8> methods = {"DELETE", "GET",  "HEAD", "OPTIONS",
                                                            "PATCH",  "POST", "PUT",  "TRACE"};

using Values = std::array<std::string_view, max_parameters>;  // of a path's parameters, from left to right

class RouteTree {
 public:
  static constexpr std::uint32_t nothing = ~std::uint32_t{0};

  struct Found {
    bool path = false;               // it is known with this method, or the method is OPTIONS
    std::uint32_t number = nothing;  // of what was added for it; nothing for an OPTIONS that nobody declared
    unsigned allowed = 0;            // a bit for each of `methods` that the path is known with
  };

  // RouteTable::match() has the rules. `path` begins with '/'.
  Found find(std::string_view method, std::string_view path, Values& values) const noexcept;

  // The number for this path and method: `number`, or the one that is there already. The method is one of `methods`.
  std::uint32_t add(std::string_view method, const std::vector<Segment>& path, std::uint32_t number);

 private:
  // What can follow in a path. Templates with the same beginning share their nodes, so a request looks at each at most
  // once.
  struct Node {
    struct Fixed {
      std::string text;
      std::uint32_t node;
    };
    struct Variable {
      std::string prefix, suffix;
      std::uint32_t node;
    };
    struct Spanning {
      std::size_t tail;  // how many segments follow it
      std::uint32_t node;
    };
    std::vector<Fixed> fixed;         // by text
    std::vector<Variable> variables;  // most fixed text first
    std::vector<Spanning> spanning;   // longest tail first
    std::array<std::uint32_t, methods.size()> numbers = {nothing, nothing, nothing, nothing,
                                                         nothing, nothing, nothing, nothing};
    unsigned allowed = 0;  // 0: no path ends here
  };
  struct Search;

  std::uint32_t step(std::uint32_t from, const Segment& segment, std::size_t tail);

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

}  // namespace wazoauth::openapi

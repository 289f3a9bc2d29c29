// An operation of an API document, and what it needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::openapi {

inline constexpr std::size_t max_parameters = 16;  // of one path

enum class Need {
  open,    // no token
  token,   // any live token
  acl,     // a live token with one of the operation's accesses
  closed,  // the document can't be understood here (a warning says so): nobody passes
};

std::string_view name_of(Need need);  // "open", "token", "acl", "closed"

// An access with {parameters}, cut into parts.
struct AccessTemplate {
  struct Part {
    std::string literal;
    int parameter = -1;  // which of the path's parameters follows the literal; -1: none
  };
  std::string text;  // as written: "calld.calls.{call_id}.read"
  std::vector<Part> parts;
};

struct Parameter {
  std::string name;
  bool integer = false;  // declared so: zeros in front don't count
  bool spans = false;    // may hold slashes
};

struct Operation {
  std::size_t number;                 // its index in RouteTable::operations()
  std::size_t document;               // index in RouteTable::documents()
  std::string method;                 // "GET"
  std::string path;                   // public, with its parameters: "/api/calld/1.0/calls/{call_id}"
  std::vector<Parameter> parameters;  // of the path, from left to right
  Need need = Need::token;
  std::vector<AccessTemplate> accesses;  // of Need::acl: one of them is enough, never none
  bool token_in_query = false;           // the token may come as ?token=..., too
  std::string file;                      // where the operation, or its overlay, is written
  int line = 0;
  std::string stated_by;   // what says the need: "description", "x-required-acl", "security"; "" for nothing
  bool corrected = false;  // by an overlay
};

struct Document {
  std::string name;                // "calld": its title without "wazo-", or as the configuration names it
  std::vector<std::string> roots;  // prefix + base, "/api/calld/1.0": the public paths that it is about lie below
};

}  // namespace wazoauth::openapi

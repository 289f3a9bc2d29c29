// The operations of API documents, and which one a request is for.
//
// A table is made once, at configuration time, and is const from then on: any thread may use it. match() and
// append_access() allocate nothing beyond what the caller's text already has room for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wazoauth::openapi {

inline constexpr std::size_t max_parameters = 16;  // of one path

enum class Need {
  open,   // no token
  token,  // any live token
  acl,    // a live token with one of the operation's accesses
};

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
  std::string
      stated_by;  // what says the need: "description", "x-required-acl", "security", "nothing"; "(overlay)" behind
};

struct Document {
  std::string name;                // "calld": its title without "wazo-", or as the configuration names it
  std::vector<std::string> roots;  // prefix + base, "/api/calld/1.0": the public paths that it is about lie below
};

struct Match {
  enum class Outcome {
    matched,       // `operation` says what is needed
    options,       // OPTIONS of a known path: the daemons answer it themselves, without a token
    wrong_method,  // the path is known with other methods: the daemons answer 405, without a token
    unmatched,     // nobody knows the path
  };

  Outcome outcome = Outcome::unmatched;
  const Operation* operation = nullptr;                   // of Outcome::matched
  std::array<std::string_view, max_parameters> values{};  // of its path's parameters: views into the path
  unsigned allowed = 0;                                   // of Outcome::wrong_method and options: see allow_header()
};

// "GET, HEAD, OPTIONS, PUT" for Match::allowed.
std::string allow_header(unsigned allowed);

class RouteTable {
 public:
  RouteTable();  // without operations: nothing matches
  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  // `path`: the request's, decoded and without query, as nginx's r->uri. A slash at its end doesn't count. The segment
  // that is more literal wins, from left to right, as in the daemons' own routers; a template that leads nowhere, or
  // that doesn't have the method, doesn't hide another one. HEAD is GET where there is no HEAD.
  Match match(std::string_view method, std::string_view path) const noexcept;

  // The document whose root is the longest that the path lies below; nullptr for none. Also for unmatched ones.
  const Document* document_of(std::string_view path) const noexcept;

  std::span<const Operation> operations() const;  // by document, path, method
  std::span<const Document> documents() const;

 private:
  friend class TableBuilder;
  struct Data;
  std::unique_ptr<const Data> data_;
};

// Appends the operation's access number `alternative`, with the values that the request's path has. False: a value is
// refused, as wazo_auth_acl refuses it (gate/target.h), since it could widen the access; then the request is, too. Dots
// become underscores. UUIDs are written in lower case and numbers without zeros in front, as the daemons' converters
// do: a negative access would miss them otherwise.
bool append_access(const Match& match, std::size_t alternative, std::string& access);

}  // namespace wazoauth::openapi

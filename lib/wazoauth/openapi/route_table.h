// The operations of API documents, and which one a request is for.
//
// A table is made once, at configuration time, and only read from then on: any thread may. match() allocates nothing,
// and append_access() nothing beyond what the text has no room for.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/openapi/operation.h"
#include "wazoauth/openapi/route_tree.h"
#include "wazoauth/openapi/template.h"

namespace wazoauth::openapi {

struct Match {
  enum class Outcome {
    matched,       // `operation` says what is needed
    options,       // OPTIONS of a known path: the daemons answer it themselves, without a token
    wrong_method,  // the path is known with other methods: the daemons answer 405, without a token
    unmatched,     // nobody knows the path
  };

  Outcome outcome = Outcome::unmatched;
  const Operation* operation = nullptr;  // of Outcome::matched
  Values values{};                       // of its path's parameters: views into the path
  unsigned allowed = 0;                  // of Outcome::wrong_method and options: see allow_header()
};

// "GET, HEAD, OPTIONS, PUT" for Match::allowed.
std::string allow_header(unsigned allowed);

class RouteTable {
 public:
  // `path`: the request's, decoded and without query, as nginx's r->uri. A slash at its end doesn't count. The segment
  // that is more literal wins, from left to right, as in the daemons' own routers; a template that leads nowhere, or
  // that doesn't have the method, doesn't hide another one. HEAD is GET where there is no HEAD.
  Match match(std::string_view method, std::string_view path) const noexcept;

  // The document whose root is the longest that the path lies below; nullptr for none. Also for unmatched ones.
  const Document* document_of(std::string_view path) const noexcept;

  std::span<const Operation> operations() const { return operations_; }  // by document, path, method
  std::span<const Document> documents() const { return documents_; }

  // While the table is made.
  std::size_t add(Document document);  // its index
  // Takes the operation, whose number is set here, unless there is one for the same requests: then that one is
  // returned, valid until the next call, and nothing changes.
  const Operation* add(Operation operation, const std::vector<Segment>& path);

 private:
  std::vector<Document> documents_;
  std::vector<Operation> operations_;
  RouteTree tree_;
};

// Appends the operation's access number `alternative`, with the values that the request's path has. False: a value is
// refused, as wazo_auth_acl refuses it (gate/target.h), since it could widen the access; then the request is, too. Dots
// become underscores. UUIDs are written in lower case and numbers without zeros in front, as the daemons' converters
// do: a negative access would miss them otherwise.
bool append_access(const Match& match, std::size_t alternative, std::string& access);

}  // namespace wazoauth::openapi

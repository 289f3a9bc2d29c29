// The effects of nginx's rewrite module in front of the gate, read from its compiled code: nginx has no interface for
// it.
#pragma once

#include <vector>

#include "ngx.h"

namespace wazoauth::nginx {

// `set $target value;`
struct Assignment {
  ngx_int_t target;                // index of the variable
  bool positional;                 // its value has $1 to $9
  std::vector<ngx_int_t> sources;  // indexes of the variables in its value
};

struct Rewrites {
  const char* answers = nullptr;  // the directive by which the block itself answers; null: none that matters
  std::vector<Assignment> assignments;
};

// Of the block that is being merged; of one that is a part of another (`if`) nothing. Stops where another module has
// put in what nginx's own doesn't know.
Rewrites read_rewrites(ngx_conf_t* cf);

// Variables whose value comes from a positional capture, of each server. Such a value is that of the regular expression
// that ran last, which may be a map's over a header: the client's to choose.
class PositionalCaptures {
 public:
  void add(const void* server, std::vector<Assignment> assignments);
  // After all were added: also those that are made of others.
  bool taint(const void* server, ngx_int_t variable) const;

 private:
  struct Of {
    const void* server;
    Assignment assignment;
  };
  std::vector<Of> all_;
};

}  // namespace wazoauth::nginx

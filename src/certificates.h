// The certificates of nginx's own servers and of SAML, as the configuration was read, for those who want to know until
// when they hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ngx.h"

namespace wazoauth::nginx {

struct Certificate {
  std::string file;
  std::int64_t not_after;  // Unix seconds
};

// After nginx has read them. Those that a variable names, or that lie elsewhere than in a file, aren't among them.
// `further`: a file beside them; "" for none.
std::vector<Certificate> read_certificates(ngx_conf_t* cf, const std::string& further);

}  // namespace wazoauth::nginx

// The whole API over a real database, without nginx: a test runs each request step by step, in the order that it wants.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/app.h"
#include "wazoauth/rest/call.h"
#include "wazoauth/store/direct_connection.h"

namespace wazoauth {

// An answer, and the lanes that its steps ran on.
struct Answer {
  int status;
  std::vector<std::pair<std::string, std::string>> headers;
  Json body;                // null when there is none
  std::vector<Lane> lanes;  // one entry for consecutive steps on a lane
};

class Platform {
 public:
  // conninfo: of a database of our own schema. `zone` may be null.
  Platform(const std::string& conninfo, Zone* zone);

  // Nothing of it has run yet. `token` "": none.
  Call begin(const std::string& method, const std::string& path, const std::string& token = "",
             const Json& body = Json());
  Answer send(const std::string& method, const std::string& path, const std::string& token = "",
              const Json& body = Json());
  // POST /token with Basic.
  Call begin_login(const std::string& username, const std::string& password);
  std::string log_in(const std::string& username, const std::string& password);  // the token

  const Services& services() const { return app_.services(); }

 private:
  App app_;
};

// Runs what is left of a request, with its pauses.
Answer finish(Call& call);

}  // namespace wazoauth

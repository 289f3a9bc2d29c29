// One tenant's service provider against its identity provider: lasso, and what lasso doesn't check.
//
// Making one takes some 80 ms of CPU. It never changes afterwards: any number of threads may use it at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "wazoauth/saml/binding.h"
#include "wazoauth/saml/idp_metadata.h"
#include "wazoauth/saml/response.h"

namespace wazoauth::saml {

// Once in a process, before any of its other threads runs. LASSO_FLAG of the environment, which could switch the
// verification of signatures off, is taken out of it.
void start_library();

struct Keys {
  std::string key, certificate;  // PEM
};

// Why the two can't sign anything; nullopt when all is well.
std::optional<std::string> complaint_about(const Keys& keys);

// A tenant's configuration.
struct Profile {
  std::string entity_id, acs_url;  // ours
  std::string idp_metadata;
};

// Our metadata, for an identity provider's administrator. Logouts end beside the assertion consumer, where that
// has the path that this server gives it.
std::string own_metadata(const Profile& profile, const std::string& certificate);

// A profile that no service provider can be made of, or a request that can't be made. what() says why.
struct Unusable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OutgoingRequest {
  std::string id;
  std::string location;  // where the browser takes it
};

class ServiceProvider {
 public:
  ServiceProvider(const Keys& keys, Profile profile, Rules rules);  // throws Unusable
  ~ServiceProvider();
  ServiceProvider(const ServiceProvider&) = delete;
  ServiceProvider& operator=(const ServiceProvider&) = delete;

  const IdpMetadata& idp() const;

  // An AuthnRequest, signed. Throws Unusable.
  OutgoingRequest login_request(const std::string& relay_state, std::int64_t now) const;

  // `message`: the form's SAMLResponse. Throws Refused.
  Assertion accept(std::string_view message, const std::string& request_id, const std::string& remote_addr,
                   std::int64_t now) const;

  // A LogoutRequest, signed; nullopt when the identity provider takes none by redirect. `relay_state` begins with its
  // id.
  struct Logout {
    OutgoingRequest request;
    std::string relay_state;
  };
  std::optional<Logout> logout_request(const NameId& name_id, const std::string& session_index, std::int64_t now) const;

  // The answer to a request of ours. A signature is checked where there is one. Throws Refused.
  void check_logout(const Carried& answer, std::int64_t now) const;

  // The identity provider's own request, which must be signed. Throws Refused.
  LogoutRequest accept_logout(const Carried& request, std::int64_t now) const;

  // The answer to that, signed; nullopt when the identity provider takes none from a browser.
  struct LogoutAnswer {
    std::string location;
    std::string posted;  // the message, when the browser has to post it there; else it is in the location
  };
  enum class Outcome { ended, unknown_principal };
  std::optional<LogoutAnswer> logout_answer(const std::string& request_id, const std::string& relay_state,
                                            Outcome outcome, std::int64_t now) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace wazoauth::saml

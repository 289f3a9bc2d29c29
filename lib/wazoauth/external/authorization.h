// An authorization that a person is asked for at an external service: from the address where he is asked to the data
// that is stored for a user of ours.
//
// Its state is random, works once, and stands for one user. Who takes it uses it up, whatever comes then. It ends with
// what becomes of it, in one transaction; until then the answer is in its row, for others to go on with when the
// taker's process has died.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/config/settings.h"
#include "wazoauth/external/provider.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::external {

struct Authorization {
  std::string state, type, user, tenant;  // the tenant's configuration of the service counts
  Json scope;                             // a list
  std::string redirect_uri;
  std::optional<std::string> verifier;   // of PKCE: when the answer comes to nginx itself
  std::optional<std::string> websocket;  // where a broker tells the answer
};

Authorization new_authorization(const OAuth2Service& service, const std::string& user, const std::string& tenant,
                                const Json& scope);
Authorization new_authorization(const StoredService& service, const std::string& user, const std::string& tenant);
std::string consent_address(const OAuth2Service& service, const Client& client, const Authorization& authorization);

// `holder`: the process that listens at the broker, "" for none.
void ask(UnitOfWork& unit, const Authorization& authorization, const std::string& holder);
Client client_of(UnitOfWork& unit, const Authorization& authorization);  // throws std::runtime_error

// A broker's message about the authorization of this state: an object. Throws std::runtime_error for anything else.
Json parse_told(std::string_view message, const std::string& state);

// `told`: what came for it, {"code": ...} say. None: it is unknown, used, too old, or waits for somebody else.
enum class Told { by_browser, by_broker };
std::optional<Authorization> take(UnitOfWork& unit, const Settings& settings, const std::string& state,
                                  const Json& told, Told who);

// Takes those, of these types, that were taken by a process that has died.
struct Unfinished {
  Authorization authorization;
  Json told;
};
std::vector<Unfinished> go_on(UnitOfWork& unit, const Settings& settings, const std::vector<std::string>& types);

bool end(UnitOfWork& unit, const Authorization& authorization);  // false: it has ended already

// Ends it with what the service gave: stores that, and tells the bus. False: the user is gone, or somebody else was
// faster.
bool store(UnitOfWork& unit, const Authorization& authorization, const Json& data);

// Ends it: adds what a broker told to the user's data, and tells the bus. False: there is none any more, or somebody
// else was faster.
bool add_awaited(UnitOfWork& unit, const StoredService& service, const Authorization& authorization,
                 const Json& message);

const OAuth2Service* oauth2_service(const Settings& settings, const std::string& type);  // null: it isn't one
const StoredService* stored_service(const Settings& settings, const std::string& type);

}  // namespace wazoauth::external

// A pending authorization: a user is asked for consent at an external service, and the service's answer leads to the
// data that is stored for the user.
//
// Its state is random, works once and stands for one user. The process that claims it uses it up, whatever happens
// next. The row remains, with the answer in it, until the outcome is stored in one transaction: when the claiming
// process dies, another one resumes there.
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
  std::optional<std::string> websocket;  // the broker's address, when the answer comes from one
};

Authorization new_authorization(const OAuth2Service& service, const std::string& user, const std::string& tenant,
                                const Json& scope);
Authorization new_authorization(const StoredService& service, const std::string& user, const std::string& tenant);
std::string consent_address(const OAuth2Service& service, const Client& client, const Authorization& authorization);

// Writes the row. `holder`: the process that listens at the broker, "" for none.
void ask(UnitOfWork& unit, const Authorization& authorization, const std::string& holder);
Client client_of(UnitOfWork& unit, const Authorization& authorization);  // throws std::runtime_error

// A broker's message about the authorization of this state: an object. Throws std::runtime_error for anything else.
Json parse_answer(std::string_view message, const std::string& state);

// `answer`: {"code": ...} say. nullopt: the state is unknown, used, too old, or is answered the other way.
enum class AnsweredBy { browser, broker };
std::optional<Authorization> claim(UnitOfWork& unit, const Settings& settings, const std::string& state,
                                   const Json& answer, AnsweredBy by);

// Claims the authorizations of these types whose claiming process has died.
struct Answered {
  Authorization authorization;
  Json answer;
};
std::vector<Answered> resume(UnitOfWork& unit, const Settings& settings, const std::vector<std::string>& types);

bool end(UnitOfWork& unit, const Authorization& authorization);  // false: it has ended already

// Ends it: stores what the service gave and publishes the event. False: the user is gone, or another process was
// faster.
bool store(UnitOfWork& unit, const Authorization& authorization, const Json& data);

// Ends it: adds the broker's message to the user's data and publishes the event. False: the user has no data any more,
// or another process was faster.
bool add_awaited(UnitOfWork& unit, const StoredService& service, const Authorization& authorization,
                 const Json& message);

const OAuth2Service* oauth2_service(const Settings& settings, const std::string& type);  // null: none of this type
const StoredService* stored_service(const Settings& settings, const std::string& type);

}  // namespace wazoauth::external

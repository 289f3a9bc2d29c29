// One request on its way through the steps of a handler: its token, its tenant, its body, and the parts it may use.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/cache/token_record.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/form_data.h"
#include "wazoauth/rest/route.h"
#include "wazoauth/rest/services.h"

namespace wazoauth {

class Context {
 public:
  Context(const Services& services, const Request& request, const Route& route, PathParameters parameters);
  ~Context();

  const Services& services;
  const Request& request;
  const Route& route;
  const Settings& settings;  // services.settings

  const std::string& param(std::string_view name) const;  // of the path; UUIDs in lower case. It must be declared
  UnitOfWork& db();                                       // of the current step

  std::string token_header() const;  // X-Auth-Token, "" without; throws 400 for two different ones
  // Throws 403 when the address that the request comes from is locked for everybody; with a tenant, when it is locked
  // for the users of that tenant.
  void refuse_locked_address();
  void refuse_locked_address(std::string_view tenant);

  // Looks up the request's token (X-Auth-Token, or the query's) and checks the access. Throws 503. Call does it before
  // the handler of a route with an access; the others may.
  enum class Admission { granted, unknown, insufficient };
  Admission admit(const std::string& access);
  // The rest is for admitted tokens.
  const std::string& token_id() const;
  const TokenRecord& token() const;
  bool granted(std::string_view access) const;  // by the token's access list
  // Delegation (docs/spec/acl.md section 4): may the token put an access into a policy, or take it out?
  bool may_add(std::string_view access) const;
  bool may_remove(std::string_view access) const;
  // 401 for an access that an operation needs beside the route's: as if it were that of the route.
  void require(const std::string& access) const;
  Problem lacking(const std::string& access) const;
  // 401 of docs/spec/http-conventions.md section 7.1: the token may not put or remove it
  [[noreturn]] void refuse_access(std::string_view access) const;

  // The tenant of the user who asks, whatever the header Wazo-Tenant says: for operations that ignore it. 404 when the
  // user is gone.
  std::string caller_tenant();
  // The scoping tenant (docs/spec/http-conventions.md section 8), resolved at the first call: 401 unauthorized-tenant,
  // 404.
  const std::string& tenant();
  const std::string& master_tenant();  // throws 503 when there is none

  // The body as JSON: throws 400 M-form. `body_object` also turns falsy top-level values into {}.
  Json body() const;
  Json body_object() const;
  // The body, or the list's parameters, as the route declares them: throws its 400.
  Json valid_body() const { return valid_body(body_object()); }
  Json valid_body(const Json& body) const;
  FormData form_data() const;
  Json valid_body(const FormData& form) const;  // its texts
  ListQuery list_query() const;
  Json valid_query() const;

  // The guess that this request makes. The whole request counts, not its password alone: that may be tried on another
  // login.
  Guess guess_at(std::string login) const;

  // Who is behind what this request changes: from its token, once it is admitted. A login names its user.
  Actor actor;
  std::optional<std::string> attempted_login;  // of a request that tries to log in: whom, as it was typed

  // Set by Call.
  std::unique_ptr<UnitOfWork> unit;
  bool proved_password = false;    // the password of the login that was guessed at was verified
  bool password_unjudged = false;  // nothing could verify it, its directory is down say
  bool guess_counts = false;       // as a wrong one, whatever the answer says

 private:
  acl::AccessList access_list() const;

  std::string token_text_;
  std::optional<TokenRecord> token_record_;
  mutable std::string access_block_;  // compiled at first use
  PathParameters parameters_;
  std::optional<std::string> tenant_;
  std::optional<std::string> master_tenant_;
};

}  // namespace wazoauth

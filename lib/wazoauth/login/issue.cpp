#include "wazoauth/login/issue.h"

#include <algorithm>
#include <ctime>
#include <limits>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/store/event.h"

namespace wazoauth {

namespace {

struct User {
  std::string uuid, tenant_uuid, purpose, method;
};

struct Profile {
  std::int64_t sessions = 0;
  bool admin = false;
  std::vector<std::string> acl;
};

struct RefreshToken {
  std::string uuid;
  std::size_t revoked_sessions = 0;
};

std::int64_t seconds_of(UnixTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

// ISO 8601 without offset (docs/spec/http-conventions.md section 10).
std::string iso(UnixTime time, std::tm* convert(const std::time_t*, std::tm*), bool always_fraction) {
  const std::time_t seconds = seconds_of(time);
  std::tm parts{};
  convert(&seconds, &parts);
  char text[48];
  std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  const auto fraction = static_cast<int>(time.time_since_epoch().count() - seconds * 1000000);
  if (fraction != 0 || always_fraction)
    size += static_cast<std::size_t>(std::snprintf(text + size, sizeof text - size, ".%06d", fraction));
  return std::string(text, size);
}

// Checked again: between the hashing and now anything may have happened to this user.
User lock_user(Context& context, const Login& login) {
  const Identity& identity = login.identity;
  const Rows rows = context.db().run("logins.lock_user", {identity.user_uuid});
  if (rows.empty()) refuse(login, "unknown or disabled user");
  if (identity.password_hash && rows.text(0, "password_hash") != *identity.password_hash)
    refuse(login, "the password changed meanwhile");
  const std::string method = rows.text(0, "method");
  const auto& idps = context.settings.idps;
  const bool offered = method == "native" || std::find(idps.begin(), idps.end(), method) != idps.end();
  if (identity.method.empty() ? !offered : method != identity.method)
    refuse(login, "authentication method of the user: " + method);
  return {identity.user_uuid, rows.text(0, "tenant_uuid"), rows.text(0, "purpose"), method};
}

// Name of the policy that is put before the user's own.
std::optional<std::string> first_policy(const Settings& settings, const Login& login) {
  const auto of_backend = settings.backend_policies.find(login.body.text_or("backend", ""));
  if (of_backend != settings.backend_policies.end() && !of_backend->second.empty()) return of_backend->second;
  return settings.default_user_policy;
}

bool sessions_are_limited(const User& user) {
  return (user.purpose == "user" || user.purpose == "external_api") && is_uuid4(user.uuid);
}

Profile profile_of(Context& context, const Login& login, const User& user, UnixTime time) {
  const auto policy = first_policy(context.settings, login);
  const Rows rows =
      context.db().run("logins.profile", {user.uuid, policy, seconds_of(time), sessions_are_limited(user)});
  if (policy && !policy->empty() && !rows.boolean(0, "first_policy_exists"))
    log::warning("The configuration names a policy that doesn't exist: " + Json(*policy).dump());
  return {rows.integer(0, "sessions"), rows.boolean(0, "admin"), rows.texts(0, "acl")};
}

void check_limit(const Settings& settings, const User& user, const Profile& profile) {
  if (sessions_are_limited(user) && profile.sessions >= settings.max_user_concurrent_sessions)
    throw Problem::with_reason(429, "User " + user.uuid + " has exceeded the maximum number of active sessions");
}

bool shows_admin(const Settings& settings, const std::string& purpose) {
  constexpr std::string_view plugin = "user_admin_status";
  const auto mapped = settings.purpose_metadata_mapping.find(purpose);
  const auto contains = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), plugin) != names.end();
  };
  return mapped != settings.purpose_metadata_mapping.end() && contains(mapped->second) &&
         contains(settings.metadata_plugins);
}

Json metadata_of(const Context& context, const Login& login, const User& user, const Profile& profile) {
  const std::string& xivo = context.settings.xivo_uuid;
  Json metadata = login.identity.metadata;
  metadata.set("uuid", user.uuid)
      .set("tenant_uuid", user.tenant_uuid)
      .set("auth_id", user.uuid)
      .set("pbx_user_uuid", user.purpose == "user" ? Json(user.uuid) : Json())
      .set("xivo_uuid", xivo.empty() ? Json() : Json(xivo))
      .set("purpose", user.purpose);
  // Of users of a directory, whether they come with a password or with a refresh token.
  if (user.method == "ldap") metadata.set("username", login.identity.login);
  if (shows_admin(context.settings, user.purpose)) metadata.set("admin", profile.admin);
  return metadata;
}

// The events of refresh tokens that went, those of this client or the others.
void tell_of_purged(UnitOfWork& unit, const Rows& purged, const User& user, bool same_client) {
  for (std::size_t row = 0; row < purged.size(); ++row) {
    if (purged.boolean(row, "same_client") != same_client) continue;
    if (!purged.is_null(row, "session_uuid"))
      unit.publish(events::session_deleted(purged.text(row, "session_uuid"), user.tenant_uuid, user.uuid));
    const bool last = row + 1 == purged.size() || purged.text(row + 1, "uuid") != purged.text(row, "uuid");
    if (last)
      unit.publish(events::refresh_token_deleted(user.tenant_uuid, user.uuid, purged.text(row, "client_id"),
                                                 purged.boolean(row, "mobile")));
  }
}

std::size_t sessions_in(const Rows& purged) {
  std::size_t sessions = 0;
  for (std::size_t row = 0; row < purged.size(); ++row) sessions += purged.is_null(row, "session_uuid") ? 0 : 1;
  return sessions;
}

std::string obtain(Context& context, const Login& login, const User& user) {
  const std::string client_id(login.body.get("client_id").text());
  const Rows rows = context.db().run("refresh_tokens.obtain",
                                     {client_id, user.uuid, login.body.text_or("backend", ""), login.identity.login,
                                      login.user_agent, login.remote_addr, login.mobile});
  if (rows.boolean(0, "created"))
    context.db().publish(events::refresh_token_created(user.tenant_uuid, user.uuid, client_id, login.mobile));
  return rows.text(0, "uuid");
}

// Of a login that wants to be repeated without a password. A mobile has one refresh token: those before it end, with
// their sessions.
RefreshToken offline_token(Context& context, const Login& login, const User& user) {
  if (!login.mobile) return {obtain(context, login, user)};
  const Rows purged = context.db().run("refresh_tokens.purge", {user.uuid, login.body.get("client_id").text()});
  tell_of_purged(context.db(), purged, user, true);
  RefreshToken token{obtain(context, login, user), sessions_in(purged)};
  tell_of_purged(context.db(), purged, user, false);
  return token;
}

struct Token {
  User user;
  Profile profile;
  Json metadata;
  UnixTime issued, expires;
  std::optional<std::string> refresh_token;
  std::string uuid, session_uuid;  // known when it is stored
};

void store(Context& context, const Login& login, Token& token) {
  const User& user = token.user;
  const auto pbx_user = user.purpose == "user" ? std::optional(user.uuid) : std::nullopt;
  const std::string& xivo = context.settings.xivo_uuid;
  const Rows rows =
      context.db().run("logins.create", {login.mobile, user.tenant_uuid, user.uuid, pbx_user,
                                         xivo.empty() ? std::nullopt : std::optional(xivo), seconds_of(token.issued),
                                         seconds_of(token.expires), token.metadata.dump(), login.user_agent,
                                         login.remote_addr, token.profile.acl, token.refresh_token});
  token.uuid = rows.text(0, "uuid");
  token.session_uuid = rows.text(0, "session_uuid");
  context.db().publish(events::session_created(token.session_uuid, user.tenant_uuid, user.uuid, login.mobile));
}

Json token_object(const Login& login, const Token& token) {
  return Json::object({{"token", token.uuid},
                       {"auth_id", token.user.uuid},
                       {"xivo_user_uuid", token.metadata.get("pbx_user_uuid")},
                       {"xivo_uuid", token.metadata.get("xivo_uuid")},
                       {"issued_at", iso(token.issued, localtime_r, false)},
                       {"expires_at", iso(token.expires, localtime_r, false)},
                       {"utc_issued_at", iso(token.issued, gmtime_r, true)},
                       {"utc_expires_at", iso(token.expires, gmtime_r, true)},
                       {"acl", Json::strings(token.profile.acl)},
                       {"metadata", token.metadata},
                       {"session_uuid", token.session_uuid},
                       {"remote_addr", login.remote_addr},
                       {"user_agent", login.user_agent}});
}

UnixTime expiry(const Settings& settings, const Login& login, UnixTime issued) {
  const Json& wanted = login.body.get("expiration");
  const std::int64_t lifetime = wanted.is_null() ? settings.default_token_lifetime : wanted.integer();
  // The column ends in 2038.
  const std::int64_t longest = std::numeric_limits<std::int32_t>::max() - seconds_of(issued);
  return issued + std::chrono::seconds(std::min(lifetime, longest));
}

// Only a refresh token remembers its client, and stands for it when the token is stored.
void refuse_client(Context& context, const Login& login, const User& user) {
  const Json& client = login.body.get("client_id");
  if (client.is_string() && context.db().run("locks.client", {client.text(), user.tenant_uuid}).boolean(0, "yes"))
    refuse(login, "locked: client " + Json(client).dump());
}

Step issue(Context& context, const Login& login) {
  Token token;
  token.issued = unix_time();
  token.expires = expiry(context.settings, login, token.issued);
  token.user = lock_user(context, login);
  token.profile = profile_of(context, login, token.user, token.issued);
  check_limit(context.settings, token.user, token.profile);
  token.metadata = metadata_of(context, login, token.user, token.profile);

  const bool offline = login.body.text_or("access_type", "") == "offline";
  const RefreshToken obtained = offline ? offline_token(context, login, token.user) : RefreshToken{};
  if (offline && login.identity.saml_request_id)
    context.db().run("saml.set_refresh_token", {*login.identity.saml_request_id, obtained.uuid});
  refuse_client(context, login, token.user);
  token.refresh_token = offline ? obtained.uuid : login.identity.refresh_token_uuid;
  store(context, login, token);
  if (login.identity.saml_request_id) context.db().run("saml.set_token", {*login.identity.saml_request_id, token.uuid});

  log::write(log::Level::info,
             "Login of " + Json(login.attempted()).dump() + " (user " + token.user.uuid + ") from " +
                 login.remote_addr + " using agent " + Json(login.user_agent).dump() + ": token " +
                 log::mask_token(token.uuid),
             {{"event", "login"},
              {"client", login.remote_addr},
              {"user_uuid", token.user.uuid},
              {"token", log::mask_token(token.uuid)},
              {"login", login.attempted()},
              {"user_agent", login.user_agent}});
  Json data = token_object(login, token);
  if (offline) data.set("refresh_token", obtained.uuid);
  Response response = Response::json(Json::object({{"data", std::move(data)}}));
  response.headers.emplace_back("Wazo-Sessions-Revoked", std::to_string(obtained.revoked_sessions));
  return response;
}

}  // namespace

Step issue_token(Context& context, const LoginPtr& login) {
  context.actor.user = login->identity.user_uuid;
  try {
    return issue(context, *login);
  } catch (const ConstraintViolation& e) {
    // The refresh token, or the tenant, was deleted a moment ago.
    if (e.foreign_key()) refuse(*login, e.constraint + " is gone");
    throw;
  } catch (const Locked& e) {
    refuse(*login, e.what());
  }
}

}  // namespace wazoauth

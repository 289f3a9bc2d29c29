#include "wazoauth/token/from_zone.h"

#include <algorithm>
#include <string>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/token/answers.h"

namespace wazoauth {

namespace {

constexpr std::string_view prefix = "/0.1/token/", scopes_suffix = "/scopes/check";
constexpr std::size_t uuid_size = 36, longest_scope = 1024, longest_body = 65536;

Response answer(const Problem& problem) {
  Response response = Response::json(problem.body(), problem.status());
  response.headers = problem.headers;
  return response;
}

// The token in the path, if the rest of it is `suffix`.
std::optional<std::string> token_in(std::string_view path, std::string_view suffix) {
  if (!path.starts_with(prefix)) return std::nullopt;
  path.remove_prefix(prefix.size());
  if (path.size() != uuid_size + suffix.size() || !path.ends_with(suffix)) return std::nullopt;
  std::string token(path.substr(0, uuid_size));
  if (!is_uuid(token)) return std::nullopt;
  std::transform(token.begin(), token.end(), token.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c); });
  return token;
}

using Outcome = gate::Verdict::Outcome;

gate::Question question_about(const acl::Required* scope, std::int64_t grace_ms) {
  return {scope, unix_seconds(), BootClock::now(), std::chrono::milliseconds(grace_ms)};
}

// The answer that follows from the verdict alone; nullopt: none, a thread has to find it.
std::optional<Response> refusal(Outcome outcome) {
  if (outcome == Outcome::unknown) return answer(no_such_token());
  if (outcome == Outcome::unavailable) return answer(problems::unavailable());
  return std::nullopt;
}

// Whether another tenant is below the token's own only the database knows.
bool own_tenant(const TokenFacts& facts, const std::string& tenant) {
  return tenant.empty() || facts.get(Fact::auth_id) == "wazo-auth" || facts.get(Fact::tenant_uuid) == tenant;
}

std::optional<Response> describe(const Zone& zone, const ShownToken& token, bool with_body) {
  if (!with_body) return Response::no_content();
  const auto full = zone.find(token);
  if (!full) return std::nullopt;
  return token_response(token.text(), full->record, full->acl_json);
}

std::optional<Response> about_token(const Zone& zone, std::int64_t grace_ms, const Request& request) {
  const auto token = token_in(request.path, "");
  if (!token) return std::nullopt;
  const auto scope = query_parameter(request.query, "scope");
  if (scope && scope->size() > longest_scope) return std::nullopt;
  const ShownToken shown(*token);
  const std::optional<acl::Required> required = scope ? std::optional<acl::Required>(*scope) : std::nullopt;
  TokenFacts facts;
  const Outcome outcome =
      gate::judge(zone, shown, question_about(required ? &*required : nullptr, grace_ms), facts).outcome;
  if (outcome == Outcome::denied) return answer(scope_refused(*scope));
  if (outcome != Outcome::pass) return refusal(outcome);
  if (!own_tenant(facts, query_parameter(request.query, "tenant").value_or(""))) return std::nullopt;
  return describe(zone, shown, request.method == "GET");
}

std::optional<ScopesRequest> scopes_in(const Request& request) {
  // How a form is refused is the router's business.
  if (request.body.size() > longest_body ||
      request.header("content-type").value_or("").find("form") != std::string::npos)
    return std::nullopt;
  const auto body = Json::parse(request.body);
  if (!body) return std::nullopt;
  ScopesRequest wanted = read_scopes_request(*body);
  if (!wanted.errors.is_null()) return std::nullopt;
  const bool long_one = std::any_of(wanted.scopes.begin(), wanted.scopes.end(),
                                    [](const std::string& scope) { return scope.size() > longest_scope; });
  return long_one ? std::nullopt : std::optional(std::move(wanted));
}

std::optional<Response> about_scopes(const Zone& zone, std::int64_t grace_ms, const Request& request) {
  const auto token = token_in(request.path, scopes_suffix);
  if (!token) return std::nullopt;
  const auto wanted = scopes_in(request);
  if (!wanted) return std::nullopt;
  const ShownToken shown(*token);
  TokenFacts facts;
  const Outcome outcome = gate::judge(zone, shown, question_about(nullptr, grace_ms), facts).outcome;
  if (outcome != Outcome::pass) return refusal(outcome);
  std::vector<bool> granted;
  if (!zone.check_all(shown, wanted->scopes, facts, granted) || !own_tenant(facts, wanted->tenant)) return std::nullopt;
  return scopes_response(wanted->scopes, granted);
}

}  // namespace

std::optional<Response> answer_from_zone(const Zone& zone, const AddressLocks* address_locks, const Settings& settings,
                                         std::int64_t grace_ms, const Request& request) {
  if (address_locks && !address_locks->holding(request.remote_addr, unix_seconds()).empty()) return std::nullopt;
  if (!settings.http_plugin("tokens")) return std::nullopt;
  if (request.method == "GET" || request.method == "HEAD") return about_token(zone, grace_ms, request);
  if (request.method == "POST") return about_scopes(zone, grace_ms, request);
  return std::nullopt;
}

}  // namespace wazoauth

#include "wazoauth/access/routes.h"

#include <algorithm>

#include "wazoauth/access/preview.h"
#include "wazoauth/access/who_can.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/group/group_rows.h"
#include "wazoauth/policy/policy_rows.h"
#include "wazoauth/rest/context.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/row_writer.h"
#include "wazoauth/token/answers.h"

namespace wazoauth {

namespace {

using namespace access;

// -- words of the answers, in the order of their enumerations

const std::vector<std::string> reasons = {"granted", "negated", "no_match", "user_disabled"};
const std::vector<std::string> kinds = {"user_policy", "group_policy", "default_user_policy", "token"};
const std::vector<std::string> changes = {"enable_user", "remove_access", "attach_policy", "add_access",
                                          "log_in_again"};
const std::vector<std::string> changes_proposed = {"add", "remove", "edit"};
const std::vector<std::string> needs = {"open", "token", "acl", "closed"};

template <typename Enumeration>
const std::string& word(const std::vector<std::string>& words, Enumeration value) {
  return words.at(static_cast<std::size_t>(value));
}

const std::shared_ptr<const Schema>& origin_shape() {
  static const auto origin = shape("AccessOrigin", {{.name = "pattern"},
                                                    {.name = "kind", .choices = kinds},
                                                    {.name = "policy_uuid", .type = Type::uuid, .nullable = true},
                                                    {.name = "policy_name", .nullable = true},
                                                    {.name = "policy_slug", .nullable = true},
                                                    {.name = "group_uuid", .type = Type::uuid, .nullable = true},
                                                    {.name = "group_name", .nullable = true}});
  return origin;
}

Field nullable(Field field) {
  field.nullable = true;
  return field;
}

std::shared_ptr<const Schema> explanation_shape() {
  const auto match = shape(
      "AccessMatch",
      {{.name = "pattern"}, {.name = "negated", .type = Type::boolean}, list_of(object_of(origin_shape()), "origins")});
  const std::vector<Field> judgement = {{.name = "allowed", .type = Type::boolean},
                                        {.name = "reason", .choices = reasons},
                                        nullable(object_of(match, "deciding")),
                                        list_of(object_of(match), "matches"),
                                        {.name = "patterns", .type = Type::integer}};
  const auto change = shape("AccessChange", {{.name = "change", .choices = changes},
                                             {.name = "text"},
                                             {.name = "pattern", .nullable = true},
                                             {.name = "policy_uuid", .type = Type::uuid, .nullable = true},
                                             {.name = "policy_name", .nullable = true},
                                             {.name = "policy_slug", .nullable = true}});
  const auto operation = shape("AccessOperation", {{.name = "method"},
                                                   {.name = "path", .nullable = true},
                                                   {.name = "document", .nullable = true},
                                                   {.name = "need", .choices = needs},
                                                   list_of({}, "accesses")});
  std::vector<Field> fields = {{.name = "access", .nullable = true},
                               {.name = "user_uuid", .nullable = true},
                               {.name = "tenant_uuid", .type = Type::uuid},
                               {.name = "basis", .choices = {"login", "token"}},
                               {.name = "summary"}};
  fields.insert(fields.end(), judgement.begin(), judgement.end());
  fields.push_back(nullable(object_of(shape("AccessJudgement", judgement), "login")));
  fields.push_back(list_of(object_of(change), "changes"));
  fields.push_back(nullable(object_of(operation, "operation")));
  return shape("AccessExplanation", fields);
}

Schema question() {
  Schema schema{{{.name = "access", .nullable = true, .fallback = Json()},
                 {.name = "method", .nullable = true, .fallback = Json()},
                 {.name = "url", .nullable = true, .fallback = Json()},
                 {.name = "user_uuid", .type = Type::uuid, .nullable = true, .fallback = Json()},
                 {.name = "token", .nullable = true, .fallback = Json()}},
                {},
                "AccessQuestion"};
  schema.whole.emplace_back([](const Json& body) -> std::optional<std::string> {
    if (body.get("user_uuid").is_null() != body.get("token").is_null()) return std::nullopt;
    return "Either user_uuid or token is required.";
  });
  schema.whole.emplace_back([](const Json& body) -> std::optional<std::string> {
    const bool access = !body.get("access").is_null(), method = !body.get("method").is_null();
    if (method == !body.get("url").is_null() && access != method) return std::nullopt;
    return "Either access, or method and url, are required.";
  });
  return schema;
}

Schema proposed_change() {
  Field acl = list_of({}, "acl");
  acl.nullable = true;
  acl.fallback = Json();
  Schema schema{{{.name = "change", .required = true, .choices = changes_proposed},
                 {.name = "user_uuid", .type = Type::uuid, .nullable = true, .fallback = Json()},
                 {.name = "group_uuid", .type = Type::uuid, .nullable = true, .fallback = Json()},
                 {.name = "policy_uuid", .type = Type::uuid, .nullable = true, .fallback = Json()},
                 std::move(acl)},
                {},
                "ProposedChange"};
  schema.whole.emplace_back([](const Json& body) -> std::optional<std::string> {
    const std::string_view change = body.get("change").text();
    const bool user = !body.get("user_uuid").is_null(), group = !body.get("group_uuid").is_null(),
               policy = !body.get("policy_uuid").is_null(), acl = !body.get("acl").is_null();
    const int named = user + group + policy;
    if (change == "edit" ? policy && named == 1 && acl
                         : !acl && (named == 2 || (change == "remove" && named == 1 && !user)))
      return std::nullopt;
    return "add and remove are about two of user_uuid, group_uuid and policy_uuid, remove also about a group or a "
           "policy alone, and edit about a policy with its acl.";
  });
  return schema;
}

std::shared_ptr<const Schema> preview_shape() {
  const auto user = shape("AffectedUser", {{.name = "uuid", .type = Type::uuid},
                                           {.name = "username", .nullable = true},
                                           {.name = "firstname", .nullable = true},
                                           {.name = "lastname", .nullable = true}});
  const auto effect = shape("AccessEffect", {{.name = "effect", .choices = {"gain", "lose"}},
                                             list_of({}, "accesses"),
                                             {.name = "users", .type = Type::integer},
                                             list_of(object_of(user), "first")});
  return shape("AccessPreview", {{.name = "users", .type = Type::integer},
                                 list_of(object_of(effect), "effects"),
                                 {.name = "skipped", .type = Type::integer}});
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json to_json(const Match& match) {
  Json origins = Json::array();
  for (const Origin& origin : match.origins)
    origins.append(Json::object({{"pattern", match.pattern},
                                 {"kind", word(kinds, origin.kind)},
                                 {"policy_uuid", text_or_null(origin.policy_uuid)},
                                 {"policy_name", text_or_null(origin.policy_name)},
                                 {"policy_slug", text_or_null(origin.policy_slug)},
                                 {"group_uuid", text_or_null(origin.group_uuid)},
                                 {"group_name", text_or_null(origin.group_name)}}));
  return Json::object({{"pattern", match.pattern}, {"negated", match.negated}, {"origins", std::move(origins)}});
}

Json& add_to(Json& json, const Judgement& judgement) {
  Json matches = Json::array();
  for (const Match& match : judgement.matches) matches.append(to_json(match));
  return json.set("allowed", judgement.allowed())
      .set("reason", word(reasons, judgement.reason))
      .set("deciding", judgement.deciding() ? to_json(*judgement.deciding()) : Json())
      .set("matches", std::move(matches))
      .set("patterns", static_cast<std::int64_t>(judgement.patterns));
}

Json to_json(const Change& change) {
  return Json::object({{"change", word(changes, change.kind)},
                       {"text", change.text},
                       {"pattern", text_or_null(change.pattern)},
                       {"policy_uuid", text_or_null(change.policy_uuid)},
                       {"policy_name", text_or_null(change.policy_name)},
                       {"policy_slug", text_or_null(change.policy_slug)}});
}

}  // namespace

const std::shared_ptr<const Schema>& access::holder_shape() {
  static const auto holder =
      shape("AccessHolder", {{.name = "uuid", .type = Type::uuid},
                             {.name = "username", .nullable = true},
                             {.name = "firstname", .nullable = true},
                             {.name = "lastname", .nullable = true},
                             {.name = "purpose", .choices = {"user", "internal", "external_api"}},
                             {.name = "tenant_uuid", .type = Type::uuid},
                             list_of(object_of(origin_shape()), "origins")});
  return holder;
}

Json access::to_json(const Explanation& explanation) {
  Json json = Json::object({{"access", explanation.access},
                            {"user_uuid", text_or_null(explanation.user_uuid)},
                            {"tenant_uuid", explanation.tenant_uuid},
                            {"basis", explanation.of_token ? "token" : "login"},
                            {"summary", explanation.summary()}});
  add_to(json, explanation.judgement);
  Json login, wanted = Json::array();
  if (explanation.login) add_to(login = Json::object(), *explanation.login);
  for (const Change& change : explanation.changes) wanted.append(wazoauth::to_json(change));
  return json.set("login", std::move(login)).set("changes", std::move(wanted)).set("operation", Json());
}

namespace {

User visible_user(Context& context, const std::string& uuid) {
  auto user = find_user(context.db(), uuid, context.tenant());
  if (!user) throw problems::unknown("user", uuid);
  return std::move(*user);
}

TokenRecord visible_token(Context& context, std::string_view text) {
  auto token = gate::live_token(context.services.tokens, text);
  const auto inside = [&] {
    return context.db().run("context.in_subtree", {token->session_tenant_uuid, context.tenant()}).boolean(0, "inside");
  };
  if (!token || !inside()) throw no_such_token();
  return std::move(*token);
}

// Whom the question is about.
struct Subject {
  std::optional<User> user;
  std::optional<TokenRecord> token;  // else

  Explanation explain(Context& context, const std::string& required) const {
    return user ? access::explain(context.db(), context.settings, *user, required)
                : access::explain(context.db(), context.settings, *token, required);
  }
  bool can_log_in() const { return !user || user->enabled; }
};

Subject subject(Context& context, const Json& body) {
  const Json& token = body.get("token");
  if (token.is_null()) return {visible_user(context, std::string(body.get("user_uuid").text())), std::nullopt};
  return {std::nullopt, visible_token(context, token.text())};
}

// Of an operation that needs no access, or that nobody may.
Json explain_need(const Subject& subject, openapi::Need need) {
  const bool open = need == openapi::Need::open, token = need == openapi::Need::token;
  Judgement judgement;
  if (open || (token && subject.can_log_in()))
    judgement.reason = Reason::granted;
  else if (token)
    judgement.reason = Reason::user_disabled;
  Explanation explanation;
  explanation.tenant_uuid = subject.user ? subject.user->tenant_uuid : subject.token->session_tenant_uuid;
  explanation.user_uuid = subject.user ? subject.user->uuid : subject.token->auth_id;
  explanation.of_token = subject.token.has_value();
  explanation.judgement = judgement;
  std::string summary = "It is refused to everybody: what its document asks for can't be judged.";
  if (open)
    summary = "It needs no token.";
  else if (token)
    summary = subject.can_log_in() ? "It needs a token, and no access." : "The user is disabled and can't log in.";
  else if (need == openapi::Need::acl)
    summary = "It is refused to everybody: a part of the path would widen the access.";
  return access::to_json(explanation).set("access", Json()).set("summary", summary);
}

// The access of several that is granted, or else the first.
Json explain_operation(Context& context, const Subject& subject, const Asked& asked) {
  std::optional<Explanation> best;
  for (const std::string& required : asked.accesses) {
    Explanation explanation = subject.explain(context, required);
    if (!best || explanation.judgement.allowed()) best = std::move(explanation);
    if (best->judgement.allowed()) break;
  }
  Json json = best ? access::to_json(*best) : explain_need(subject, asked.need);
  return json.set("operation", Json::object({{"method", asked.method},
                                             {"path", text_or_null(asked.path)},
                                             {"document", text_or_null(asked.document)},
                                             {"need", word(needs, asked.need)},
                                             {"accesses", Json::strings(asked.accesses)}}));
}

Step explain_access(Context& context, const Documents& documents) {
  context.tenant();
  const Json body = context.valid_body();
  if (body.get("method").is_null()) {
    const std::string required(body.get("access").text());
    return Response::json(access::to_json(subject(context, body).explain(context, required)));
  }
  const Asked asked = find_operation(documents, body.get("method").text(), body.get("url").text());
  return Response::json(explain_operation(context, subject(context, body), asked));
}

ProposedChange visible_change(Context& context) {
  const Json body = context.valid_body();
  ProposedChange change;
  const auto& words = changes_proposed;
  change.kind = static_cast<ProposedChange::Kind>(std::find(words.begin(), words.end(), body.get("change").text()) -
                                                  words.begin());
  const auto given = [&](const char* name) {
    const Json& uuid = body.get(name);
    return uuid.is_null() ? std::nullopt : std::optional(std::string(uuid.text()));
  };
  if ((change.user_uuid = given("user_uuid"))) visible_user(context, *change.user_uuid);
  if ((change.group_uuid = given("group_uuid"))) visible_group(context, *change.group_uuid);
  if ((change.policy_uuid = given("policy_uuid"))) visible_policy(context, *change.policy_uuid);
  for (const Json& access : body.get("acl").items()) change.acl.emplace_back(access.text());
  return change;
}

Step preview_change(Context& context) {
  const std::string& tenant = context.tenant();
  const Preview preview = access::preview(context.db(), context.settings, visible_change(context), tenant);
  Json effects = Json::array();
  for (const Effect& effect : preview.effects)
    effects.append(Json::object({{"effect", effect.gains ? "gain" : "lose"},
                                 {"accesses", Json::strings(effect.accesses)},
                                 {"users", effect.users},
                                 {"first", Json(effect.first)}}));
  return Response::json(Json::object({{"users", preview.users},
                                      {"effects", std::move(effects)},
                                      {"skipped", static_cast<std::int64_t>(preview.skipped)}}));
}

Step list_holders(Context& context) {
  const std::string& tenant = context.tenant();
  const ListQuery query = context.list_query();
  WhoCan asked;
  asked.access = query.filters.get("access").text();
  asked.tenant_uuid = tenant;
  asked.recurse = query.recurse;
  asked.search_pattern = query.search_pattern;
  asked.order = query.order;
  asked.descending = query.descending;
  asked.limit = query.limit;
  asked.offset = query.offset;
  return list_response(who_can(context.db(), context.settings, asked), *holder_shape());
}

}  // namespace

void add_access_routes(Router& router, Documents documents) {
  using namespace failures;
  RouteFamily family(router, {.plugin = "access", .tenancy = Tenancy::scoped});
  family.add(
      {.method = "POST",
       .path = "/access/explain",
       .access = "auth.access.explain",
       .handler = [documents = std::move(documents)](Context& context) { return explain_access(context, documents); },
       .mode = Mode::read_only,
       .summary = "Say why a user or a token has an access, or hasn't",
       .body = takes(question(), Report::first, "access"),
       .answer = object_of(explanation_shape()),
       .failures = {
           unknown_user, {404, ErrorForm::reason, "No such token"}, {404, ErrorForm::error_id, "unknown-operation"}}});
  family.add({.method = "POST",
              .path = "/access/preview",
              .access = "auth.access.preview",
              .handler = preview_change,
              .mode = Mode::read_only,
              .summary = "Say who would gain and who would lose which accesses by a change of groups or policies",
              .body = takes(proposed_change(), Report::first, "access"),
              .answer = object_of(preview_shape()),
              .failures = {unknown_user, unknown_group, no_such_policy}});
  family.add({.method = "GET",
              .path = "/access/who-can",
              .access = "auth.access.who_can",
              .handler = list_holders,
              .mode = Mode::read_only,
              .summary = "List the users who have an access, and where they have it from",
              .list = listed({.sort_columns = {"username", "firstname", "lastname"},
                              .default_order = "username",
                              .filters = {{.name = "access", .required = true}}}),
              .answer = list_answer(holder_shape())});
}

}  // namespace wazoauth

#include "wazoauth/rest/context.h"

#include <stdexcept>

#include "wazoauth/acl/compile.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/trace.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/gate/verdict.h"
#include "wazoauth/rest/master_tenant.h"

namespace wazoauth {

namespace {

// Where the module settles no trace, what the client says of it is still worth being recorded.
std::string trace_of(const Request& request) {
  if (!request.trace_id.empty()) return request.trace_id;
  const std::string header = request.header_or_empty("traceparent");
  return std::string(trace_id_of(header).value_or(""));
}

}  // namespace

Context::Context(const Services& s, const Request& r, const Route& matched, PathParameters parameters)
    : services(s),
      request(r),
      route(matched),
      settings(s.settings),
      actor{.user = {}, .session_uuid = {}, .remote_addr = r.remote_addr, .trace_id = trace_of(r)},
      parameters_(std::move(parameters)) {}
Context::~Context() = default;

const std::string& Context::param(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return value;
  }
  throw std::logic_error("route " + route.path + " has no parameter " + std::string(name));
}

Guess Context::guess_at(std::string login) const {
  return {std::move(login),
          sha256_base64url(request.header_or_empty("authorization") + '\0' + request.path + '\0' + request.body)};
}

UnitOfWork& Context::db() {
  return *unit;
}
const std::string& Context::token_id() const {
  return token_text_;
}
const TokenRecord& Context::token() const {
  return token_record_.value();
}

namespace {
// Of two different ones a proxy in front may have judged by the other.
std::string only_header(const Request& request, std::string_view name, Problem (*several)()) {
  std::string_view only;
  for (const auto& [each, value] : request.headers) {
    if (each != name || value.empty() || value == only) continue;
    if (!only.empty()) throw several();
    only = value;
  }
  return std::string(only);
}
}  // namespace

std::string Context::token_header() const {
  return only_header(request, "x-auth-token", gate::two_tokens);
}

void Context::refuse_locked_address() {
  AddressLocks* const locks = services.address_locks;
  if (!locks) return;
  if (!locks->known()) locks->refresh(services.database);
  if (locks->locked_everywhere(request.remote_addr, unix_seconds())) throw gate::locked_address();
}

void Context::refuse_locked_address(std::string_view tenant) {
  const AddressLocks* const locks = services.address_locks;
  if (!locks || tenant.empty()) return;
  for (const AddressLock& lock : locks->holding(request.remote_addr, unix_seconds())) {
    if (lock.tenant_uuid == tenant || db().run("context.in_subtree", {tenant, lock.tenant_uuid}).boolean(0, "inside"))
      throw gate::locked_address();
  }
}

Context::Admission Context::admit(const std::string& access) {
  token_text_ = token_header();
  if (route.query_token) {
    const auto in_query = query_parameter(request.query, "token");
    if (in_query && !in_query->empty()) token_text_ = *in_query;
  }
  token_record_ = gate::live_token(services.tokens, token_text_);
  if (!token_record_) return Admission::unknown;
  actor.user = token_record_->auth_id;
  actor.session_uuid = token_record_->session_uuid;
  refuse_locked_address(token_record_->tenant_uuid());
  return granted(access) ? Admission::granted : Admission::insufficient;
}

namespace {
acl::Holder holder_of(const TokenRecord& token) {
  return {token.auth_id, token.session_uuid};
}
}  // namespace

acl::AccessList Context::access_list() const {
  if (access_block_.empty()) access_block_ = acl::compile(token().acl);
  return acl::AccessList(access_block_);
}

bool Context::granted(std::string_view access) const {
  // The zone has the list compiled already.
  const acl::Required required(access);
  TokenFacts facts;
  if (const Zone* zone = services.zone) {
    const Lookup verdict = zone->check(ShownToken(token_text_), &required, facts);
    if (verdict == Lookup::granted || verdict == Lookup::denied) return verdict == Lookup::granted;
  }
  return access_list().grants(required, holder_of(token()));
}

bool Context::may_add(std::string_view access) const {
  return acl::may_add(access_list(), access, holder_of(token()));
}

bool Context::may_remove(std::string_view access) const {
  return acl::may_remove(access_list(), access, holder_of(token()));
}

void Context::require(const std::string& access) const {
  if (!granted(access)) throw lacking(access);
}

Problem Context::lacking(const std::string& access) const {
  return problems::unauthorized(Json::object({{"invalid_token", token_text_},
                                              {"reason", "missing_permission_or_invalid_tenant"},
                                              {"required_access", access},
                                              {"tenant_uuid", Json(request.header("wazo-tenant"))}}));
}

void Context::refuse_access(std::string_view access) const {
  Json details = Json::object({{"invalid_token", token_text_}});
  if (!access.empty()) details.set("required_access", access);
  throw problems::unauthorized(std::move(details));
}

std::string Context::caller_tenant() {
  const std::string user_uuid = token().user_uuid();
  if (user_uuid.empty()) return token().tenant_uuid();
  const Rows rows = db().run("context.user_tenant", {user_uuid});
  if (rows.empty()) throw problems::unknown("user", user_uuid);
  return rows.text(0, "tenant_uuid");
}

const std::string& Context::tenant() {
  if (tenant_) return *tenant_;
  const std::string own = caller_tenant();
  const std::string wanted = utf8_or_latin1(only_header(request, "wazo-tenant", gate::two_tenants));
  if (wanted.empty() || wanted == own) {
    tenant_ = own;
  } else {
    if (!db().run("context.in_subtree", {wanted, own}).boolean(0, "inside"))
      throw problems::unauthorized_tenant(wanted);
    tenant_ = wanted;
  }
  return *tenant_;
}

const std::string& Context::master_tenant() {
  if (!master_tenant_) {
    const auto uuid = services.master_tenant.uuid(db());
    if (!uuid) throw problems::top_tenant_unknown();
    master_tenant_ = *uuid;
  }
  return *master_tenant_;
}

namespace {
// A form has been read as a form in the daemon that clients know: nothing is left that could be JSON.
bool is_form(std::string_view content_type) {
  return content_type.starts_with("application/x-www-form-urlencoded") ||
         content_type.starts_with("multipart/form-data");
}
}  // namespace

Json Context::body() const {
  if (is_form(request.header_or_empty("content-type"))) throw problems::unreadable_body();
  auto value = Json::parse(request.body);
  if (!value) throw problems::unreadable_body();
  return std::move(*value);
}

Json Context::body_object() const {
  Json value = body();
  return value.is_falsy() ? Json::object() : std::move(value);
}

Json Context::valid_body(const Json& body) const {
  const BodySpec& spec = *route.body;
  Validated valid = validate(spec.schema, body);
  if (!valid.errors.is_null()) report(spec.report, valid.errors, spec.resource);
  return std::move(valid.value);
}

Json Context::valid_query() const {
  const BodySpec& spec = *route.query;
  Json given = Json::object();
  for (const Field& field : spec.schema.fields) {
    if (const auto value = query_parameter(request.query, field.name)) given.set(field.name, *value);
  }
  Validated valid = validate(spec.schema, given);
  if (!valid.errors.is_null()) report(spec.report, valid.errors, spec.resource);
  return std::move(valid.value);
}

FormData Context::form_data() const {
  return parse_form_data(request.header_or_empty("content-type"), request.body);
}

Json Context::valid_body(const FormData& form) const {
  Json texts = Json::object();
  for (const auto& [name, value] : form.fields) {
    if (!texts.has(name)) texts.set(name, value);
  }
  return valid_body(texts);
}

ListQuery Context::list_query() const {
  return parse_list(request, *route.list, route.list_schema);
}

}  // namespace wazoauth

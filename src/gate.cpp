#include "gate.h"

#include "answers.h"
#include "handlers.h"
#include "identity.h"
#include "metrics.h"
#include "process.h"
#include "tokens.h"
#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/gate/target.h"

namespace wazoauth::nginx {

namespace {

using Stage = RequestContext::Stage;

constexpr unsigned most_tenant_reads = 3;

void on_end(void* data) {
  auto* context = static_cast<RequestContext*>(data);
  context->leave_load();
  context->request = nullptr;
}

// One visit of the access phase. A request that waits is visited again when what it waits for is here.
class Visit {
 public:
  Visit(ngx_http_request_t* r, RequestContext& context, Process& process)
      : r_(r), context_(context), conf_(loc_conf(r)), process_(process) {}

  ngx_int_t run() {
    switch (context_.stage) {
      case Stage::loading:
      case Stage::asking_tenant:
        return NGX_AGAIN;
      case Stage::loaded:
        return judge_token();
      case Stage::tenant_known:
        return judge_tenant();
      default:
        return begin();
    }
  }

 private:
  ngx_int_t begin() {
    context_.identified = context_.unavailable = context_.passed = false;
    context_.tenant_reads = 0;
    if (conf_.path && !gate::unambiguous(view(r_->unparsed_uri)))
      return refuse(Status::refused, gate::ambiguous_path());
    if (conf_.preflight && is_preflight(r_)) {
      context_.status = Status::preflight;
      process_.zone.add(counter::preflights);
      return NGX_OK;
    }
    switch (find_token(r_, conf_, context_.token)) {
      case Found::several:
        return refuse(Status::refused, gate::two_tokens());
      case Found::none:
        // It may have been stripped before an internal redirect.
        if (context_.token.len == 0) return no_token(Status::no_token);
        break;
      case Found::one:
        break;
    }
    context_.has_access = conf_.access != nullptr;
    context_.required_refused = conf_.access && !make_access(r_, conf_, context_.required);
    context_.key = token_key(view(context_.token));
    return look_up();
  }

  std::optional<std::string_view> required() const {
    if (!context_.has_access || context_.required_refused) return std::nullopt;
    return view(context_.required);
  }

  ngx_int_t look_up() {
    context_.verdict = process_.zone.check(context_.key, required(), context_.facts);
    context_.status = Status::hit;
    if (context_.verdict == Verdict::unknown) {
      if (process_.zone.known_unknown(context_.key, now_ms())) return no_token(Status::unknown);
      return wait(false);
    }
    if (context_.verdict == Verdict::revoked) return judge_token();
    switch (judge(process_.zone, context_.facts, now_ms(), conf_.grace)) {
      case Freshness::revalidate:
        return expired() ? judge_token() : wait(true);
      case Freshness::too_old:
        context_.unavailable = true;
        break;
      case Freshness::grace:
        context_.status = Status::grace;
        break;
      case Freshness::good:
        break;
    }
    return judge_token();
  }

  bool expired() const { return context_.facts.expire_t && ngx_time() > context_.facts.expire_t; }

  ngx_int_t wait(bool revalidate) {
    context_.status = Status::miss;
    context_.stage = Stage::loading;
    if (!process_.loads.wait_for_token(context_, revalidate)) return refuse(Status::unavailable, gate::overloaded());
    return park();
  }

  ngx_int_t judge_token() {
    const bool known = context_.verdict == Verdict::granted || context_.verdict == Verdict::denied;
    if (known && expired()) return no_token(Status::unknown);
    if (context_.unavailable) return refuse(Status::unavailable, problems::unavailable());
    if (!known) return no_token(Status::unknown);
    context_.identified = true;
    if (context_.verdict == Verdict::denied || context_.required_refused) return denied();
    return judge_tenant();
  }

  ngx_int_t judge_tenant() {
    std::string_view wanted;
    if (conf_.tenant) {
      if (!find_wanted_tenant(r_, wanted)) return refuse(Status::refused, gate::two_tenants());
      if (!wanted.empty() && wanted != context_.facts.tenant_uuid) {
        const auto inside = process_.tenants.in_subtree(wanted, context_.facts.tenant_uuid);
        if (!inside) return wait_for_tenants();
        if (!*inside) return refuse(Status::denied, problems::unauthorized_tenant(wanted));
      }
    }
    return pass();
  }

  ngx_int_t wait_for_tenants() {
    // What was read may be outdated again already, while many tenants are being made.
    if (++context_.tenant_reads > most_tenant_reads) return refuse(Status::unavailable, problems::unavailable());
    context_.stage = Stage::asking_tenant;
    if (!process_.loads.wait_for_tenants(context_)) return refuse(Status::unavailable, gate::overloaded());
    return park();
  }

  ngx_int_t pass() {
    context_.stage = Stage::done;
    context_.passed = true;
    process_.zone.add(context_.status == Status::hit ? counter::hits : counter::misses);
    if (conf_.identity && !set_identity(r_, context_.facts)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return NGX_OK;
  }

  ngx_int_t park() {
    if (!context_.cleanup_added) {
      ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r_, 0);
      if (!cleanup) {
        on_end(&context_);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
      }
      cleanup->handler = on_end;
      cleanup->data = &context_;
      context_.cleanup_added = true;
    }
    ngx_event_t* read = r_->connection->read;
    if (read->ready) {
      ngx_post_event(read, &ngx_posted_events);
    } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
      return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r_->read_event_handler = ngx_http_test_reading;  // a client that leaves is noticed
    r_->write_event_handler = ngx_http_request_empty_handler;
    return NGX_AGAIN;
  }

  ngx_int_t no_token(Status status) {
    std::string access;
    if (context_.has_access && !context_.required_refused) access = view(context_.required);
    return refuse(status, gate::no_token(view(context_.token), access));
  }

  ngx_int_t denied() {
    std::string_view wanted;
    find_wanted_tenant(r_, wanted);
    const std::string_view access = context_.required_refused ? std::string_view() : view(context_.required);
    return refuse(Status::denied, gate::denied(static_cast<int>(conf_.denied), view(context_.token), access, wanted));
  }

  ngx_int_t refuse(Status status, const Problem& problem) {
    context_.stage = Stage::done;
    context_.status = status;
    process_.zone.add(counter::of(status));
    return answer_in_place_of_page(r_, context_, problem);
  }

  ngx_http_request_t* r_;
  RequestContext& context_;
  const LocConf& conf_;
  Process& process_;
};

void resume(RequestContext& context) {
  ngx_http_request_t* r = context.request;
  ngx_connection_t* connection = r->connection;
  ngx_http_set_log_request(connection->log, r);
  r->read_event_handler = ngx_http_block_reading;
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
  ngx_http_run_posted_requests(connection);
}

// A record that doesn't fit in the zone, or that left it at once, is judged by itself.
Verdict judge_record(const TokenRecord& record, RequestContext& context) {
  const std::string user = record.user_uuid(), tenant = record.tenant_uuid();
  const auto put = [](char(&to)[40], const std::string& text) {
    ngx_memzero(to, sizeof(to));
    ngx_memcpy(to, text.data(), std::min(text.size(), sizeof(to) - 1));
  };
  context.facts.expire_t = record.expire_t.value_or(0);
  put(context.facts.auth_id, record.auth_id);
  put(context.facts.user_uuid, user);
  put(context.facts.tenant_uuid, tenant);
  put(context.facts.session_uuid, record.session_uuid);
  put(context.facts.refresh_token_uuid, record.refresh_token_uuid.value_or(""));
  if (!context.has_access || context.required_refused) return Verdict::granted;
  const std::string block = acl::compile(record.acl);
  const bool granted = acl::AccessList(block).grants(view(context.required), {record.auth_id, record.session_uuid});
  return granted ? Verdict::granted : Verdict::denied;
}

void take_result(RequestContext& context, const Loaded& loaded, Process& process) {
  const auto grace = static_cast<std::int64_t>(loc_conf(context.request).grace);
  std::optional<std::string_view> required;
  if (context.has_access && !context.required_refused) required = view(context.required);
  switch (loaded.status) {
    case Loaded::Status::unknown:
      context.verdict = Verdict::unknown;
      break;
    case Loaded::Status::found:
      context.verdict = process.zone.check(context.key, required, context.facts);
      if (context.verdict == Verdict::unknown) context.verdict = judge_record(*loaded.record, context);
      break;
    case Loaded::Status::unavailable: {
      // What was known before counts as long as the grace lasts.
      context.verdict = process.zone.check(context.key, required, context.facts);
      const bool known = context.verdict == Verdict::granted || context.verdict == Verdict::denied;
      if (known && now_ms() <= known_good_ms(process.zone, context.facts) + grace)
        context.status = Status::grace;
      else
        context.unavailable = context.verdict != Verdict::revoked;
      break;
    }
  }
}

}  // namespace

void gate_loaded(RequestContext& context, const Loaded& loaded) noexcept {
  try {
    take_result(context, loaded, *process());
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    context.unavailable = true;
  }
  context.stage = Stage::loaded;
  resume(context);
}

void gate_tenants_known(RequestContext& context) noexcept {
  context.stage = Stage::tenant_known;
  resume(context);
}

ngx_int_t gate_handler(ngx_http_request_t* r) {
  if (!loc_conf(r).gate) return NGX_DECLINED;
  Process* const process = nginx::process();
  RequestContext* context = get_context(r);
  if (!process || !context) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  try {
    return Visit(r, *context, *process).run();
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

}  // namespace wazoauth::nginx

#include <algorithm>

#include "answers.h"
#include "counters.h"
#include "handlers.h"
#include "identity.h"
#include "judged.h"
#include "process.h"
#include "refusals.h"
#include "request.h"
#include "tokens.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/gate/target.h"
#include "wazoauth/gate/verdict.h"
#include "websocket.h"

namespace wazoauth::nginx {

namespace {

using Stage = RequestContext::Stage;
using Outcome = gate::Verdict::Outcome;

constexpr unsigned most_tenant_reads = 3;
// In shadow nobody is to notice that the authority is slow.
constexpr ngx_msec_t shadow_timeout = 100;

// Judges by one access after the other, until one isn't missing.
template <typename Judge>
gate::Verdict judge_any(RequestContext& context, Judge judge) {
  gate::Question question{nullptr, ngx_time(), loop_time(), std::chrono::milliseconds(context.grace_ms)};
  if (!context.has_access || context.required_refused) return judge(question);
  if (context.ready) {
    question.required = context.ready;
    return judge(question);
  }
  gate::Verdict verdict;
  for (ngx_uint_t i = 0; i < context.access_count; ++i) {
    const acl::Required required(view(context.accesses[i]));
    question.required = &required;
    verdict = judge(question);
    if (verdict.outcome == Outcome::pass) context.required = context.accesses[i];
    if (verdict.outcome != Outcome::denied) break;
  }
  return verdict;
}

std::int64_t time_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

gate::Verdict judge_loaded(RequestContext& context, const Loaded& loaded) {
  return judge_any(context, [&](const gate::Question& question) {
    return gate::judge_loaded(process()->zone, context.shown, question, loaded, context.facts);
  });
}

void on_end(void* data) {
  auto* context = static_cast<RequestContext*>(data);
  context->stop_waiting();
  context->request = nullptr;
}

void resume(RequestContext& context) {
  context.stop_waiting();
  ngx_http_request_t* r = context.request;
  ngx_connection_t* connection = r->connection;
  ngx_http_set_log_request(connection->log, r);
  r->read_event_handler = ngx_http_block_reading;
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
  ngx_http_run_posted_requests(connection);
}

void gate_loaded(RequestContext& context, const Loaded& loaded) noexcept {
  try {
    context.verdict = judge_loaded(context, loaded);
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    context.verdict = {Outcome::unavailable};
  }
  context.stage = Stage::loaded;
  resume(context);
}

void gate_tenants_known(RequestContext& context) noexcept {
  context.stage = Stage::tenant_known;
  resume(context);
}

// Nobody waits for ever: it is judged by what is known.
void on_timeout(ngx_event_t* event) noexcept {
  auto& context = *static_cast<RequestContext*>(event->data);
  context.waited_ms += ngx_current_msec - context.parked_at;
  context.timed_out = true;
  context.stop_waiting();
  if (context.stage == Stage::loading) return gate_loaded(context, {});
  gate_tenants_known(context);
}

// A gated request in the access phase, which it enters again when what it waits for is here.
class GatedRequest {
 public:
  // `area`: of documents that decide about it; null: none do.
  GatedRequest(ngx_http_request_t* r, const Area* area, RequestContext& context, Process& process)
      : r_(r),
        area_(area),
        context_(context),
        conf_(loc_conf(r)),
        enforced_(is_enforced(conf_, area)),
        only_told_(area && enforced_ && !documents_enforced(conf_, *area)),
        process_(process) {}

  ngx_int_t run() {
    switch (context_.stage) {
      case Stage::loading:
      case Stage::asking_tenant:
        return NGX_AGAIN;
      case Stage::loaded:
        return follow();
      case Stage::tenant_known:
        return follow_tenant();
      default:
        return begin();
    }
  }

 private:
  ngx_int_t begin() {
    // Reading a clock costs more than all that is counted here.
    context_.began_ns = process_.sampled_hits++ % SharedMeters::hit_sample == 0 ? time_ns() : 0;
    context_.parked_ns = 0;
    context_.identified = context_.passed = context_.held_back = context_.timed_out = false;
    context_.has_access = context_.required_refused = context_.unknown_operation = false;
    context_.status = Status::none;
    context_.reason = Reason::none;
    context_.required = {};
    context_.ready = nullptr;
    context_.slot = area_ ? area_->slot : conf_.slot;
    context_.challenge = challenge_of(conf_);
    context_.grace_ms = static_cast<std::int64_t>(conf_.grace);
    context_.tenant_reads = 0;
    // By which operation a request is judged has to be sure, whatever the location thinks of paths.
    if ((conf_.path || (area_ && !only_told_)) && !gate::unambiguous(view(r_->unparsed_uri)))
      return refuse(Status::refused, Reason::ambiguous_path, gate::ambiguous_path());
    if (area_ && overrides_method(r_)) {
      if (!only_told_) return refuse(Status::refused, Reason::ambiguous_method, gate::two_methods());
      tell(Reason::ambiguous_method);
    }
    if (conf_.preflight && is_preflight(r_)) return preflight();
    openapi::Match match;
    if (area_) {
      match = conf_.routes->table().match(view(r_->method_name), view(context_.route));
      if (match.operation) context_.slot = conf_.routes->slot_of(*match.operation);
      if (!conf_.token_always && !only_told_ && is_open(match)) return leave_alone();
    }
    if (process_.address_locks.count() != 0 &&
        process_.address_locks.locked_everywhere(client_address(r_, process_.conf), ngx_time()))
      return locked_address();
    const bool in_query = match.operation && match.operation->token_in_query;
    const Found found = find_token(r_, conf_, in_query, context_);
    if (found == Found::several) return refuse(Status::refused, Reason::ambiguous_token, gate::two_tokens());
    if (found == Found::none) return no_token(Status::no_token, Reason::no_token);
    require(match);
    context_.shown = ShownToken(view(context_.token));
    context_.status = Status::hit;
    context_.verdict = judge_any(context_, [&](const gate::Question& question) {
      return gate::judge(process_.zone, context_.shown, question, context_.facts);
    });
    return follow();
  }

  // By the documents: nobody has to show who they are.
  bool is_open(const openapi::Match& match) const {
    if (match.operation) return match.operation->need == openapi::Need::open;
    // The daemons answer it themselves.
    if (match.outcome == openapi::Match::Outcome::options) return conf_.preflight && has_nothing_but_a_method(r_);
    return !area_->deny;
  }

  void require(const openapi::Match& match) {
    if (!area_) {
      context_.has_access = conf_.access != nullptr;
      context_.required_refused = conf_.access && !make_accesses(r_, conf_, context_);
      return;
    }
    // A method that the document doesn't have at a path isn't one that the daemon doesn't have.
    const bool known = match.operation || match.outcome == openapi::Match::Outcome::options;
    const openapi::Need need = match.operation ? match.operation->need : openapi::Need::token;
    context_.unknown_operation = !known && area_->deny;
    context_.has_access = context_.unknown_operation || (need != openapi::Need::open && need != openapi::Need::token);
    context_.required_refused =
        context_.has_access && (need != openapi::Need::acl || !make_accesses(r_, match, context_));
  }

  // What documents in shadow would have refused.
  void tell(Reason reason) {
    context_.reason = reason;
    Shadow& shadow = process_.conf.shadow;
    if (shadow.refused(r_, context_)) log_shadow(r_, context_, shadow.operation(context_.slot));
  }

  // As in a location that isn't gated.
  ngx_int_t leave_alone() {
    context_.stage = Stage::done;
    if (!enforced_) process_.conf.shadow.passed(context_.slot);
    return NGX_DECLINED;
  }

  ngx_int_t preflight() {
    context_.status = Status::preflight;
    if (!enforced_) return leave_alone();
    count();
    return NGX_OK;
  }

  ngx_int_t follow() {
    if (context_.verdict.grace) context_.status = Status::grace;
    switch (context_.verdict.outcome) {
      case Outcome::load:
        return wait(false);
      case Outcome::revalidate:
        return wait(true);
      case Outcome::unknown:
        return no_token(Status::unknown, reason_of(context_.verdict.reason));
      case Outcome::denied:
        context_.identified = true;
        return denied();
      case Outcome::pass:
        context_.identified = true;
        return context_.required_refused ? denied() : follow_tenant();
      default:
        return unavailable();
    }
  }

  ngx_int_t unavailable() {
    const Reason reason = context_.timed_out ? Reason::timeout : Reason::database_away;
    return refuse(Status::unavailable, reason, problems::unavailable());
  }

  ngx_int_t wait(bool revalidate) {
    context_.status = Status::miss;
    context_.stage = Stage::loading;
    if (!context_.parked_ns) context_.parked_ns = time_ns();
    if (!process_.loads.wait_for_token(context_, revalidate, gate_loaded))
      return refuse(Status::unavailable, Reason::overload, gate::overloaded());
    return park();
  }

  ngx_int_t follow_tenant() {
    std::string_view wanted;
    switch (judge_address()) {
      case Outcome::address_locked:
        return locked_address();
      case Outcome::read_tenants:
        return wait_for_tenants();
      default:
        break;
    }
    if (!conf_.tenant) return pass();
    if (!find_wanted_tenant(r_, wanted)) return refuse(Status::refused, Reason::ambiguous_tenant, gate::two_tenants());
    switch (
        gate::judge_tenant(process_.tenants, wanted, context_.facts, std::chrono::milliseconds(context_.grace_ms))) {
      case Outcome::read_tenants:
        return wait_for_tenants();
      case Outcome::tenant_outside:
        return refuse(Status::denied, Reason::foreign_tenant, problems::unauthorized_tenant(wanted));
      default:
        return pass();
    }
  }

  Outcome judge_address() const {
    if (process_.address_locks.count() == 0) return Outcome::pass;
    return gate::judge_address(process_.address_locks, process_.tenants, client_address(r_, process_.conf),
                               context_.facts, ngx_time(), std::chrono::milliseconds(context_.grace_ms));
  }

  ngx_int_t locked_address() { return refuse(Status::denied, Reason::locked_address, gate::locked_address()); }

  ngx_int_t wait_for_tenants() {
    // What was read may be outdated again already, while many tenants are being made.
    if (context_.timed_out || ++context_.tenant_reads > most_tenant_reads) return unavailable();
    context_.stage = Stage::asking_tenant;
    if (!process_.loads.wait_for_tenants(context_, gate_tenants_known))
      return refuse(Status::unavailable, Reason::overload, gate::overloaded());
    return park();
  }

  ngx_int_t pass() {
    context_.stage = Stage::done;
    if (!enforced_) {
      context_.identified = false;
      return leave_alone();
    }
    if (only_told_ && context_.reason == Reason::none) process_.conf.shadow.passed(context_.slot);
    context_.passed = true;
    context_.watch = conf_.watch;
    context_.close_codes = conf_.close_codes;
    count();
    if (conf_.identity && !set_identity(r_, context_.facts)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return NGX_OK;
  }

  ngx_int_t park() {
    if (!context_.cleanup_added) {
      ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r_, 0);
      if (!cleanup) return give_up();
      cleanup->handler = on_end;
      cleanup->data = &context_;
      context_.cleanup_added = true;
    }
    ngx_event_t* read = r_->connection->read;
    if (read->ready) {
      ngx_post_event(read, &ngx_posted_events);
    } else if (ngx_handle_read_event(read, 0) != NGX_OK) {
      return give_up();
    }
    context_.timer.handler = on_timeout;
    context_.timer.data = &context_;
    context_.timer.log = r_->connection->log;
    context_.parked_at = ngx_current_msec;
    const ngx_msec_t timeout = enforced_ ? conf_.timeout : std::min(conf_.timeout, shadow_timeout);
    ngx_add_timer(&context_.timer, timeout - std::min(timeout, context_.waited_ms));
    r_->read_event_handler = ngx_http_test_reading;  // a client that leaves is noticed
    r_->write_event_handler = ngx_http_request_empty_handler;
    return NGX_AGAIN;
  }

  // Whatever it waits for must not come back to a request that has gone on.
  ngx_int_t give_up() {
    context_.stop_waiting();
    context_.stage = Stage::done;
    return enforced_ ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_DECLINED;
  }

  ngx_int_t no_token(Status status, Reason reason) {
    std::string access;
    if (context_.has_access && !context_.required_refused) access = view(context_.required);
    return refuse(status, reason, gate::no_token(view(context_.token), access));
  }

  ngx_int_t denied() {
    const Reason unusable = context_.unknown_operation ? Reason::unknown_operation : Reason::unusable_access;
    const Reason reason = context_.required_refused ? unusable : Reason::missing_access;
    if (only_told_) {
      tell(reason);
      context_.has_access = context_.required_refused = false;  // any live token does
      return follow_tenant();
    }
    std::string_view wanted;
    find_wanted_tenant(r_, wanted);
    const std::string_view access = context_.required_refused ? std::string_view() : view(context_.required);
    return refuse(Status::denied, reason,
                  gate::denied(static_cast<int>(conf_.denied), view(context_.token), access, wanted));
  }

  ngx_int_t refuse(Status status, Reason reason, const Problem& problem) {
    context_.stage = Stage::done;
    context_.status = status;
    context_.reason = reason;
    if (!enforced_) return only_count();
    log_refusal(r_, context_);
    count();
    const ngx_int_t code = answer_in_place_of_page(r_, context_, problem);
    const auto close = close_reason_of(status);
    context_.closes = conf_.close_codes && close && is_websocket_handshake(r_);
    if (context_.closes) context_.page = copy(r_->pool, gate::close_frame(*close));
    context_.held_back = code != NGX_HTTP_UNAUTHORIZED && code != NGX_HTTP_FORBIDDEN && any_satisfies();
    return context_.held_back ? NGX_DECLINED : code;
  }

  // What it came to, and how long that took.
  void count() {
    if (conf_.meter) conf_.meter->add(context_.status, context_.reason);
    if (context_.parked_ns)
      process_.meters.loads.add(std::chrono::nanoseconds(time_ns() - context_.parked_ns));
    else if (context_.began_ns && context_.status == Status::hit)
      process_.meters.hits.add(std::chrono::nanoseconds(time_ns() - context_.began_ns));
  }

  ngx_int_t only_count() {
    if (context_.status == Status::unavailable)
      process_.conf.shadow.undecided(context_.slot);
    else
      tell(context_.reason);
    context_.status = Status::shadow;
    context_.identified = false;
    return NGX_DECLINED;
  }

  // After any other refusal than 401 and 403 nginx wouldn't ask the modules that follow.
  bool any_satisfies() const {
    const auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r_, ngx_http_core_module));
    return core->satisfy == NGX_HTTP_SATISFY_ANY;
  }

  ngx_http_request_t* r_;
  const Area* area_;
  RequestContext& context_;
  const LocConf& conf_;
  const bool enforced_;
  const bool only_told_;  // the documents are in shadow, and `wazo_auth on` isn't
  Process& process_;
};

}  // namespace

ngx_int_t begin_handler(ngx_http_request_t* r) {
  try {
    begin_route(r);
    return NGX_DECLINED;
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

// A subrequest has the headers of its request, which may be ours already.
ngx_int_t arrival_handler(ngx_http_request_t* r) {
  const LocConf& conf = loc_conf(r);
  try {
    follow_route(r);
    const Area* area = area_of(r, conf);
    const bool judged = conf.gate || area, enforced = judged && is_enforced(conf, area);
    if (!judged && !conf.identity) return NGX_DECLINED;
    const RequestContext* of_main = r == r->main ? nullptr : find_context(r);
    const bool ours = conf.identity && of_main && of_main->passed;
    if ((enforced || conf.identity) && !ours && !clear_identity(r)) return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!judged || r != r->main) return NGX_DECLINED;
    keep_query(r, conf, enforced);
    keep_captures(r, conf);
    return NGX_DECLINED;
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

ngx_int_t gate_handler(ngx_http_request_t* r) {
  const LocConf& conf = loc_conf(r);
  settle_route(r);
  if (!conf.gate && !conf.routes) return NGX_DECLINED;
  const Area* area = area_of(r, conf);
  if (!conf.gate && !area) return NGX_DECLINED;
  const ngx_int_t failed = is_enforced(conf, area) ? NGX_HTTP_INTERNAL_SERVER_ERROR : NGX_DECLINED;
  Process* const process = nginx::process();
  RequestContext* context = get_context(r);
  if (!process || !context) return failed;
  try {
    return GatedRequest(r, area, *context, *process).run();
  } catch (const std::exception& e) {
    log::error(std::string("gate: ") + e.what());
    return failed;
  }
}

// Nobody has let it in. Not find_context(): what was held back elsewhere is over with an internal redirect.
ngx_int_t last_word_handler(ngx_http_request_t* r) {
  const auto* context = static_cast<RequestContext*>(ngx_http_get_module_ctx(r, ngx_wazo_auth_module));
  if (!context || !context->held_back) return NGX_DECLINED;
  r->access_code = 0;  // of those who weren't content either: an error_page isn't theirs to refuse
  return context->page_status;
}

}  // namespace wazoauth::nginx

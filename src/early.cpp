#include "early.h"

#include "handlers.h"
#include "judged.h"
#include "process.h"
#include "tokens.h"

namespace wazoauth::nginx {

namespace {

// Before the last rewrite it isn't settled which location judges.
bool gate_is_next(ngx_http_request_t* r) {
  const auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  for (const auto* each = core->phase_engine.handlers + r->phase_handler; each->checker; ++each) {
    if (each->checker == ngx_http_core_rewrite_phase || each->checker == ngx_http_core_find_config_phase) return false;
    if (each->handler == gate_handler) return true;
  }
  return false;
}

}  // namespace

bool identify_early(ngx_http_request_t* r, TokenFacts& facts) {
  const LocConf& conf = loc_conf(r);
  const Process* const process = nginx::process();
  const Area* area = area_of(r, conf);
  if (!process || !(conf.gate || area) || !is_enforced(conf, area) || r != r->main || !gate_is_next(r) ||
      (conf.preflight && is_preflight(r)))
    return false;
  RequestContext own{};  // the gate's own begins when it is asked
  if (const RequestContext* context = find_context(r)) own.query = context->query;
  if (find_token(r, conf, false, own) != Found::one) return false;
  const gate::Question question{nullptr, ngx_time(), loop_time(),
                                std::chrono::milliseconds(static_cast<std::int64_t>(conf.grace))};
  return gate::judge(process->zone, ShownToken(view(own.token)), question, facts).outcome ==
         gate::Verdict::Outcome::pass;
}

}  // namespace wazoauth::nginx

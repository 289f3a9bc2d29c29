// What a refusal of the gate leaves behind, beside its answer.
#pragma once

#include <string>

#include "conf.h"
#include "context.h"

namespace wazoauth::nginx {

Reason reason_of(gate::Verdict::Reason reason);

// The value of WWW-Authenticate. No browser asks its user for a password because of it.
const char* challenge_of(const LocConf& conf);

// A line of the error log, with nginx's own words about client, server and request, and of our own logs. Of each reason
// one line in a second is an [error], the others are [info]: whoever tries tokens can't fill the disk.
void log_refusal(ngx_http_request_t* r, const RequestContext& context);
// ... and what would have been refused.
void log_shadow(ngx_http_request_t* r, const RequestContext& context, const std::string& operation);

}  // namespace wazoauth::nginx

// The header traceparent of W3C's Trace Context.
#pragma once

#include <string>

#include "wazoauth/http/http.h"

namespace wazoauth {

std::string trace_id(const Request& request);  // 32 hexadecimal digits; "" without a valid header

}  // namespace wazoauth

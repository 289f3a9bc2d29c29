// W3C Trace Context: the header traceparent, by which programs tell each other which piece of work a request belongs
// to. https://www.w3.org/TR/trace-context/
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace wazoauth {

// The id of the trace, 32 hexadecimal digits in lower case, a part of what is given. nullopt: the header isn't valid,
// and nothing in it counts.
std::optional<std::string_view> trace_id_of(std::string_view traceparent);

bool is_trace_id(std::string_view text);  // 32 hexadecimal digits in lower case that aren't all 0
bool is_span_id(std::string_view text);   // 16 of them

// "00-TRACE-SPAN-01". The last part asks who traces requests to trace this one.
std::string traceparent_of(std::string_view trace_id, std::string_view span_id);
std::string new_traceparent();

}  // namespace wazoauth

#include "wazoauth/base/trace.h"

#include <algorithm>

#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

constexpr std::size_t version_size = 2, trace_size = 32, span_size = 16, flags_size = 2;
constexpr std::size_t trace_at = version_size + 1, span_at = trace_at + trace_size + 1;
constexpr std::size_t flags_at = span_at + span_size + 1, whole_size = flags_at + flags_size;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text, std::size_t size) {
  return text.size() == size && is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

bool is_trace_id(std::string_view text) {
  return is_id(text, trace_size);
}

bool is_span_id(std::string_view text) {
  return is_id(text, span_size);
}

std::optional<std::string_view> trace_id_of(std::string_view traceparent) {
  if (traceparent.size() < whole_size) return std::nullopt;
  const std::string_view version = traceparent.substr(0, version_size);
  if (!is_hex(version) || version == "ff") return std::nullopt;
  // Later versions may have more to say behind what this one knows.
  if (traceparent.size() > whole_size && (version == "00" || traceparent[whole_size] != '-')) return std::nullopt;
  for (const std::size_t dash : {trace_at - 1, span_at - 1, flags_at - 1}) {
    if (traceparent[dash] != '-') return std::nullopt;
  }
  const std::string_view trace_id = traceparent.substr(trace_at, trace_size);
  const bool valid = is_trace_id(trace_id) && is_span_id(traceparent.substr(span_at, span_size)) &&
                     is_hex(traceparent.substr(flags_at, flags_size));
  return valid ? std::optional(trace_id) : std::nullopt;
}

std::string traceparent_of(std::string_view trace_id, std::string_view span_id) {
  return "00-" + std::string(trace_id) + "-" + std::string(span_id) + "-01";
}

std::string new_traceparent() {
  const std::string digits = to_hex(random_bytes((trace_size + span_size) / 2));
  const std::string_view all = digits;
  return traceparent_of(all.substr(0, trace_size), all.substr(trace_size));
}

}  // namespace wazoauth

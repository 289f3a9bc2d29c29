#include "wazoauth/http/http.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/temporary_file.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

std::optional<std::string> Request::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::string Request::header_or_empty(std::string_view lower_case_name) const {
  return header(lower_case_name).value_or("");
}

namespace {

std::string_view take_until(std::string_view& text, char end) {
  const std::string_view part = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return ascii::trimmed(part);
}

// In thousandths; what isn't a weight counts as none.
int weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = take_until(parameters, ';');
    if (!ascii::same(parameter.substr(0, 2), "q=")) continue;
    std::string digits(parameter.substr(2, 5));
    const bool is_weight = digits.find_first_not_of("0123456789.") == std::string::npos && !digits.empty();
    return is_weight ? static_cast<int>(std::min(1.0, parse_real(digits)) * 1000) : 1000;
  }
  return 1000;
}

}  // namespace

bool Request::prefers_html() const {
  const std::string accept = header_or_empty("accept");
  std::optional<int> html, json, any_application, any;
  for (std::string_view rest = accept; !rest.empty();) {
    std::string_view parameters = take_until(rest, ',');
    const std::string_view type = take_until(parameters, ';');
    const int weight = weight_of(parameters);
    if (ascii::same(type, "text/html")) html = weight;
    if (ascii::same(type, "application/json")) json = weight;
    if (ascii::same(type, "application/*")) any_application = weight;
    if (type == "*/*") any = weight;
  }
  return html && *html > json.value_or(any_application.value_or(any.value_or(0)));
}

std::size_t Response::length() const {
  return file ? file->size() : body.size();
}

Response Response::json(const Json& value, int status) {
  Response response;
  response.status = status;
  response.body = value.dump() + "\n";
  return response;
}

Response Response::no_content() {
  Response response;
  response.status = 204;
  response.has_body = false;
  return response;
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view raw, bool plus_is_blank, bool keep_slash) {
  std::string text;
  text.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const char c = raw[i];
    if (c == '+' && plus_is_blank) {
      text += ' ';
      continue;
    }
    if (c == '%' && i + 2 < raw.size() && hex_digit(raw[i + 1]) >= 0 && hex_digit(raw[i + 2]) >= 0) {
      const char byte = static_cast<char>(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2]));
      if (!(byte == '/' && keep_slash)) {
        text += byte;
        i += 2;
        continue;
      }
    }
    text += c;
  }
  return replace_invalid_utf8(text);
}

// found(name, value): the first decoded, the second not yet. It returns whether to go on.
template <typename Found>
void each_pair(std::string_view raw_query, Found found) {
  while (!raw_query.empty()) {
    const std::string_view pair = raw_query.substr(0, raw_query.find('&'));
    raw_query.remove_prefix(std::min(raw_query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    const auto value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (!found(percent_decode(pair.substr(0, equals), true, false), value)) return;
  }
}

template <typename Found>
void each_parameter(std::string_view raw_query, std::string_view name, Found found) {
  each_pair(raw_query, [&](const std::string& key, std::string_view value) {
    return key != name || found(percent_decode(value, true, false));
  });
}

}  // namespace

std::optional<std::string> query_parameter(std::string_view raw_query, std::string_view name) {
  std::optional<std::string> first;
  each_parameter(raw_query, name, [&](std::string value) {
    first = std::move(value);
    return false;
  });
  return first;
}

std::vector<std::string> query_parameters(std::string_view raw_query, std::string_view name) {
  std::vector<std::string> values;
  each_parameter(raw_query, name, [&](std::string value) {
    values.push_back(std::move(value));
    return true;
  });
  return values;
}

std::vector<std::pair<std::string, std::string>> query_fields(std::string_view raw_query) {
  std::vector<std::pair<std::string, std::string>> fields;
  each_pair(raw_query, [&](std::string name, std::string_view value) {
    fields.emplace_back(std::move(name), percent_decode(value, true, false));
    return true;
  });
  return fields;
}

std::string decode_segment(std::string_view raw) {
  return percent_decode(raw, false, true);
}

}  // namespace wazoauth

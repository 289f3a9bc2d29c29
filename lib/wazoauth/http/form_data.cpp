#include "wazoauth/http/form_data.h"

#include <algorithm>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/http/http.h"
#include "wazoauth/http/problem.h"

namespace wazoauth {

namespace {

constexpr std::size_t most_fields = 64, most_header_bytes = 8192, most_boundary = 70;
constexpr std::string_view line_end = "\r\n";

void require(bool condition) {
  if (!condition) throw problems::unreadable_body();
}

using ascii::trimmed;

// A header's value: a word, then parameters.
struct Header {
  std::string_view word;
  std::vector<std::pair<std::string_view, std::string>> parameters;

  std::optional<std::string> parameter(std::string_view name) const {
    for (const auto& [key, value] : parameters) {
      if (ascii::same(key, name)) return value;
    }
    return std::nullopt;
  }
};

// From the quote on; takes it off. Backslashes quote a quote and themselves only: older browsers send paths.
std::string take_quoted(std::string_view& text) {
  std::string value;
  std::size_t at = 1;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) ++at;
    value += text[at];
  }
  require(at < text.size());
  text.remove_prefix(at + 1);
  return value;
}

std::string take_value(std::string_view& text) {
  if (text.starts_with('"')) return take_quoted(text);
  const std::string_view word = trimmed(text.substr(0, text.find(';')));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  return std::string(word);
}

Header parse_header(std::string_view text) {
  Header header;
  header.word = trimmed(text.substr(0, text.find(';')));
  text.remove_prefix(std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    text = trimmed(text.substr(1));
    if (text.empty()) break;
    const auto equals = text.find('=');
    require(equals != std::string_view::npos);
    const std::string_view name = trimmed(text.substr(0, equals));
    text = trimmed(text.substr(equals + 1));
    header.parameters.emplace_back(name, take_value(text));
    text = trimmed(text);
    require(text.empty() || text.front() == ';');
  }
  return header;
}

// Everything up to `mark`, which is taken off with it.
std::string_view take_until(std::string_view& text, std::string_view mark) {
  const auto at = text.find(mark);
  require(at != std::string_view::npos);
  const std::string_view found = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return found;
}

// The value of Content-Disposition; other headers say nothing that matters, unless the part is encoded.
Header take_headers(std::string_view& part) {
  std::optional<Header> disposition;
  std::size_t size = 0;
  for (std::string_view line = take_until(part, line_end); !line.empty(); line = take_until(part, line_end)) {
    const auto colon = line.find(':');
    require(colon != std::string_view::npos && (size += line.size()) <= most_header_bytes);
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (ascii::same(name, "content-disposition")) {
      require(!disposition);
      disposition = parse_header(value);
    } else if (ascii::same(name, "content-transfer-encoding")) {
      require(ascii::same(value, "binary") || ascii::same(value, "8bit") || ascii::same(value, "7bit"));
    }
  }
  require(disposition && ascii::same(disposition->word, "form-data"));
  return *disposition;
}

void add_part(FormData& form, std::string_view part) {
  const Header disposition = take_headers(part);
  const auto name = disposition.parameter("name");
  require(name.has_value());
  auto file = disposition.parameter("filename");
  if (!file) file = disposition.parameter("filename*");
  if (file)
    form.files.push_back({replace_invalid_utf8(*name), replace_invalid_utf8(*file), std::string(part)});
  else
    form.fields.emplace_back(replace_invalid_utf8(*name), replace_invalid_utf8(part));
  require(form.files.size() + form.fields.size() <= most_fields);
}

FormData parse_multipart(const Header& type, std::string_view body) {
  const auto boundary = type.parameter("boundary");
  require(boundary && !boundary->empty() && boundary->size() <= most_boundary &&
          boundary->find_first_of("\r\n") == std::string::npos);
  const std::string delimiter = "\r\n--" + *boundary;
  require(body.starts_with(std::string_view(delimiter).substr(2)));
  body.remove_prefix(delimiter.size() - 2);
  FormData form;
  while (!body.starts_with("--")) {
    require(trimmed(take_until(body, line_end)).empty());
    add_part(form, take_until(body, delimiter));
  }
  return form;
}

FormData parse_urlencoded(std::string_view body) {
  require(std::count(body.begin(), body.end(), '&') < static_cast<std::ptrdiff_t>(most_fields));
  return {.fields = query_fields(body)};
}

}  // namespace

std::optional<std::string> FormData::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

const FormData::File* FormData::file(std::string_view field) const {
  const auto found = std::find_if(files.begin(), files.end(), [&](const File& file) { return file.field == field; });
  return found == files.end() ? nullptr : &*found;
}

FormData parse_form_data(std::string_view content_type, std::string_view body) {
  const std::string_view media = trimmed(content_type.substr(0, content_type.find(';')));
  if (ascii::same(media, "application/x-www-form-urlencoded")) return parse_urlencoded(body);
  if (ascii::same(media, "multipart/form-data")) return parse_multipart(parse_header(content_type), body);
  return {};
}

}  // namespace wazoauth

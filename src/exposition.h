// Prometheus' text format: each name is described once, then come its values.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "wazoauth/base/meters.h"

namespace wazoauth::nginx {

class Exposition {
 public:
  Exposition() { text_.reserve(std::size_t{1} << 16); }

  void describe(std::string_view name, std::string_view type, std::string_view help) {
    append("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  // `labels`: as label() writes them, joined by commas.
  template <typename Number>
  void value(std::string_view name, std::string_view labels, Number number) {
    append(name);
    if (!labels.empty()) append("{", labels, "}");
    append(" ");
    append_number(number);
    append("\n");
  }
  template <typename Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number number) {
    describe(name, type, help);
    value(name, "", number);
  }
  template <class Scale>
  void histogram(std::string_view name, std::string_view labels, const Histogram<Scale>& histogram) {
    const std::string_view comma = labels.empty() ? "" : ",";
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < Histogram<Scale>::buckets; ++i) {
      count += histogram.count(i);
      append(name, "_bucket{", labels, comma, "le=\"");
      if (i < std::size(Scale::bounds))
        append_number(static_cast<double>(Scale::bounds[i]) / 1e9);
      else
        append("+Inf");
      append("\"} ");
      append_number(count);
      append("\n");
    }
    value(std::string(name) + "_count", labels, count);
    value(std::string(name) + "_sum", labels, histogram.sum_seconds());
  }

  static std::string label(std::string_view name, std::string_view text) {
    std::string escaped(name);
    escaped += "=\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c == '\n' ? ' ' : c;
    }
    return escaped += '"';
  }
  const std::string& text() const { return text_; }

 private:
  template <typename... Texts>
  void append(const Texts&... texts) {
    (text_.append(std::string_view(texts)), ...);
  }
  template <typename Number>
  void append_number(Number number) {
    char text[32];
    const auto end = std::to_chars(std::begin(text), std::end(text), number).ptr;
    text_.append(text, end);
  }

  std::string text_;
};

}  // namespace wazoauth::nginx

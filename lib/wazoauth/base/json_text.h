// JSON text built by hand, where building a value first would cost too much.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "wazoauth/base/json.h"

namespace wazoauth {

// Appends `text` as a JSON string in wire form.
inline void append_json(std::string& out, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
  });
  if (plain) {
    out += '"';
    out += text;
    out += '"';
  } else {
    out += Json(text).dump();
  }
}

// Appends JSON text that PostgreSQL wrote, in wire form: ASCII only, ", " and ": ". It must be valid JSON.
inline void append_json_text(std::string& out, std::string_view json) {
  while (!json.empty()) {
    const char c = json.front();
    if (c == '"') {
      std::size_t end = 1;
      bool plain = true;
      for (; json[end] != '"'; ++end) {
        plain = plain && static_cast<unsigned char>(json[end]) < 0x7f;
        if (json[end] == '\\') ++end;
      }
      const std::string_view text = json.substr(0, end + 1);
      if (plain)
        out += text;
      else
        out += Json::parse("[" + std::string(text) + "]").value().at(0).dump();
      json.remove_prefix(end + 1);
      continue;
    }
    if (c != ' ' && c != '\n') out += c;
    if (c == ',' || c == ':') out += ' ';
    json.remove_prefix(1);
  }
}

}  // namespace wazoauth

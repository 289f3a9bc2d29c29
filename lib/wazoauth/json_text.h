// JSON text built by hand, where building a value first would cost too much.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "wazoauth/json.h"

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

}  // namespace wazoauth

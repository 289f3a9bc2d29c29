#include "wazoauth/store/param.h"

namespace wazoauth {

Param::Param(const std::vector<std::string>& items) {
  std::string text = "{";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += '"';
    for (char c : item) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  value_ = text + "}";
}

}  // namespace wazoauth

#include "wazoauth/store/actor.h"

#include <cctype>
#include <string_view>

namespace wazoauth {

namespace {
void add_word(std::string& text, std::string_view word) {
  constexpr std::size_t longest = 100;
  if (!text.empty()) text += ' ';
  if (word.empty()) text += '-';
  for (const char c : word.substr(0, longest)) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) || std::string_view(".:_-%").find(c) != std::string_view::npos;
    text += plain ? c : '_';
  }
}
}  // namespace

std::string Actor::text() const {
  std::string text;
  for (const std::string* word : {&user, &session_uuid, &remote_addr, &trace_id}) add_word(text, *word);
  return text;
}

Actor this_server() {
  return {.user = "wazo-auth", .session_uuid = {}, .remote_addr = {}, .trace_id = {}};
}

}  // namespace wazoauth

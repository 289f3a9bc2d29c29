#include "wazoauth/mail/reply.h"

#include <algorithm>
#include <array>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"

namespace wazoauth {

namespace {

constexpr std::size_t longest_text = 300;

struct Command {
  std::string_view verb;
  SmtpStage stage;
};
constexpr std::array<Command, 7> commands{{{"EHLO ", SmtpStage::hello},
                                           {"HELO ", SmtpStage::hello},
                                           {"STARTTLS", SmtpStage::tls},
                                           {"AUTH ", SmtpStage::login},
                                           {"MAIL FROM:", SmtpStage::sender},
                                           {"RCPT TO:", SmtpStage::recipient},
                                           {"DATA", SmtpStage::data}}};

std::string_view name_of(SmtpStage stage) {
  switch (stage) {
    case SmtpStage::greeting:
      return "the greeting";
    case SmtpStage::hello:
      return "EHLO";
    case SmtpStage::tls:
      return "STARTTLS";
    case SmtpStage::login:
      return "AUTH";
    case SmtpStage::sender:
      return "MAIL";
    case SmtpStage::recipient:
      return "RCPT";
    case SmtpStage::data:
      return "DATA";
    case SmtpStage::message:
      break;
  }
  return "the end of the message";
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t digits(std::string_view text) {
  return std::min(text.find_first_not_of("0123456789"), text.size());
}

// The enhanced status that the text begins with: class "." subject "." detail.
std::string_view status_in(std::string_view text, char kind) {
  if (text.size() < 5 || text[0] != kind || text[1] != '.') return {};
  const std::size_t subject = digits(text.substr(2));
  if (subject == 0 || subject > 3 || 2 + subject >= text.size() || text[2 + subject] != '.') return {};
  const std::size_t detail = digits(text.substr(3 + subject)), end = 3 + subject + detail;
  if (detail == 0 || detail > 3 || (end < text.size() && text[end] != ' ')) return {};
  return text.substr(0, end);
}

// Servers put off a "no" to a client, its name or its sender until RCPT, or until the message is there.
bool speaks_of_sender(std::string_view text) {
  static constexpr std::array<std::string_view, 14> words{"helo",   "ehlo",      "hostname", "host name", "client",
                                                          "sender", "relay",     "authent",  "spf",       "dkim",
                                                          "dmarc",  "blacklist", "block",    "reputation"};
  const std::string lower = ascii::lower(text);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

bool is_of_mail(std::string_view status, bool about_message) {
  const std::string_view reason = status.substr(2);
  if (reason == "1.7" || reason == "1.8") return false;  // the sender's address
  if (reason.starts_with("1.") || reason.starts_with("2.")) return true;
  return about_message && (reason.starts_with("6.") || reason == "3.4" || reason == "7.1");
}

bool is_of_mail(int code, bool about_message) {
  return code == 550 || code == 551 || code == 552 || code == 553 || code == 556 || (about_message && code == 554);
}

// For the log.
std::string without_addresses(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!result.empty()) result += ' ';
    result += word.find('@') == std::string_view::npos ? word : "<address>";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  return result;
}

}  // namespace

void SmtpConversation::sent(std::string_view command) {
  left_ = left_ || command.starts_with("QUIT");
  if (left_) return;
  begun_ = true;
  for (const auto& [verb, stage] : commands) {
    if (command.starts_with(verb)) stage_ = stage;
  }
  code_ = 0;
  complete_ = true;
}

void SmtpConversation::received(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    take(ascii::trimmed(lines.substr(0, end), "\r\n"));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
}

void SmtpConversation::take(std::string_view line) {
  if (left_ || line.size() < 3 || !std::all_of(line.begin(), line.begin() + 3, is_digit)) return;
  if (complete_) {
    code_ = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    status_.clear();
    text_.clear();
  }
  complete_ = line.size() == 3 || line[3] != '-';
  std::string_view text = line.substr(std::min<std::size_t>(4, line.size()));
  const std::string_view status = status_in(text, line[0]);
  if (status_.empty()) status_ = status;
  text.remove_prefix(status.size());
  if (!text_.empty()) text_ += ' ';
  text_ += ascii::trimmed(text);
  text_.resize(std::min(text_.size(), longest_text));
  if (complete_ && stage_ == SmtpStage::data && code_ == 354) stage_ = SmtpStage::message;
}

bool SmtpConversation::rejects_mail() const {
  const bool about_message = stage_ == SmtpStage::message;
  if (code_ < 500 || (stage_ != SmtpStage::recipient && !about_message) || speaks_of_sender(text_)) return false;
  return status_.empty() ? is_of_mail(code_, about_message) : is_of_mail(status_, about_message);
}

// A server may repeat what it was told: at a login a password, after a message the link in it.
std::string SmtpConversation::answer() const {
  std::string all = "code " + std::to_string(code_) + (status_.empty() ? "" : " " + status_) + " at ";
  all += name_of(stage_);
  if (stage_ == SmtpStage::login || stage_ == SmtpStage::message || text_.empty()) return all;
  return all + ": " + without_addresses(replace_invalid_utf8(text_));
}

}  // namespace wazoauth

#include "wazoauth/mail/message.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>
#include <vector>

#include "wazoauth/base/text.h"
#include "wazoauth/http/email_address.h"

namespace wazoauth {

namespace {

// RFC 5322 allows 998 bytes in a line, RFC 2047 76 in one that has encoded words, "Subject: " and the like included.
constexpr std::size_t longest_line = 998, longest_plain_value = 900, encoded_line = 76, encoded_word_bytes = 39;

bool is_plain(char c) {
  return c >= ' ' && c <= '~';
}

bool all_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_plain);
}

// As many encoded words as it takes, none of which cuts a character in two.
std::string encoded_words(std::string_view utf8) {
  std::string words;
  while (!utf8.empty()) {
    std::size_t size = std::min(encoded_word_bytes, utf8.size());
    while (size < utf8.size() && (static_cast<unsigned char>(utf8[size]) & 0xc0) == 0x80) --size;
    words += words.empty() ? "=?utf-8?b?" : "\r\n =?utf-8?b?";
    words += encode_base64(utf8.substr(0, size)) + "?=";
    utf8.remove_prefix(size);
  }
  return words;
}

void refuse_unless_header(std::string_view text, const char* what) {
  if (!fits_header(text)) throw NotMailable(std::string("CR, LF or NUL in ") + what);
}

std::string unstructured(const std::string& text) {
  const bool plain = all_plain(text) && text.size() <= longest_plain_value && text.find("=?") == std::string::npos;
  return plain ? text : encoded_words(replace_invalid_utf8(text));
}

std::string phrase(const std::string& name) {
  constexpr std::string_view specials = "()<>[]:;@\\,.\"";
  if (!all_plain(name) || name.size() > longest_plain_value || name.find("=?") != std::string::npos)
    return encoded_words(replace_invalid_utf8(name));
  const bool blanks_at_ends = name.front() == ' ' || name.back() == ' ';
  if (name.find_first_of(specials) == std::string::npos && !blanks_at_ends) return name;
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string mailbox(const Mailbox& box, const char* what) {
  refuse_unless_header(box.name, what);
  const std::string address = envelope_address(box.address);
  return box.name.empty() ? address : phrase(box.name) + " <" + address + ">";
}

// Not strftime(): its names of days and months are the locale's.
std::string date(std::int64_t time) {
  static constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = time;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d +0000",
                                 days[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                                 months[static_cast<std::size_t>(parts.tm_mon)], 1900 + parts.tm_year, parts.tm_hour,
                                 parts.tm_min, parts.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<std::size_t>(1, text.size()));
  }
  return lines;
}

struct Body {
  bool ascii;
  std::string text;
};

Body body_of(const std::string& text) {
  const auto lines = lines_of(text);
  const bool ascii = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 128 && c != 0; });
  const bool plain = ascii && std::all_of(lines.begin(), lines.end(),
                                          [](std::string_view line) { return line.size() <= longest_line; });
  std::string all;
  for (const std::string_view line : lines) all.append(line).append("\r\n");
  if (plain) return {true, all};
  const std::string encoded = encode_base64(replace_invalid_utf8(all));
  std::string cut;
  for (std::size_t i = 0; i < encoded.size(); i += encoded_line) cut += encoded.substr(i, encoded_line) + "\r\n";
  return {false, cut};
}

}  // namespace

bool fits_header(std::string_view text) {
  constexpr std::string_view forbidden("\r\n\0", 3);
  return text.find_first_of(forbidden) == std::string_view::npos;
}

std::string envelope_address(const std::string& address) {
  const auto at = address.rfind('@');
  if (at == std::string::npos || at == 0) throw NotMailable("an address without a local part");
  const std::string local = address.substr(0, at);
  if (!std::all_of(local.begin(), local.end(), [](char c) { return is_plain(c) && c != ' '; }))
    throw NotMailable("an address whose local part isn't printable ASCII");
  const std::string domain = ascii_domain(address.substr(at + 1));
  const bool usable = !domain.empty() && std::all_of(domain.begin(), domain.end(), [](unsigned char c) {
    return c < 128 && (std::isalnum(c) || c == '.' || c == '-' || c == '[' || c == ']');
  });
  if (!usable) throw NotMailable("an address whose domain can't be written in ASCII");
  return local + "@" + domain;
}

std::string compose(const Mail& mail, const std::string& id, std::int64_t time) {
  refuse_unless_header(mail.subject, "a subject");
  const std::string sender = envelope_address(mail.from.address);
  const Body body = body_of(mail.body);
  const char* type = body.ascii ? "text/plain; charset=\"us-ascii\"\r\nContent-Transfer-Encoding: 7bit"
                                : "text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64";
  return "Date: " + date(time) + "\r\nMessage-ID: <" + id + sender.substr(sender.rfind('@')) +
         ">\r\nFrom: " + mailbox(mail.from, "the sender's name") +
         "\r\nTo: " + mailbox(mail.to, "the recipient's name") + "\r\nSubject: " + unstructured(mail.subject) +
         "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: " + type + "\r\n\r\n" + body.text;
}

}  // namespace wazoauth

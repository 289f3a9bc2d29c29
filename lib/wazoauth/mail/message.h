// One mail as it goes over the wire: docs/spec/email-flows.md section 2.3, RFC 5322 and 2047.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wazoauth {

// A name, an address or a subject that no header can hold.
struct NotMailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Mailbox {
  std::string name;  // "" for none
  std::string address;
};

struct Mail {
  Mailbox from, to;
  std::string subject, body;  // UTF-8
};

// The address as servers take it: its domain in ASCII. Throws NotMailable for a local part that isn't printable ASCII.
std::string envelope_address(const std::string& address);

// Can this text stand in a header? No CR, no LF, no NUL.
bool fits_header(std::string_view text);

// The whole message, lines ending with CRLF. `id` (a UUID) makes the Message-ID: it stays the same however often the
// message is sent. `time`: seconds since 1970. Throws NotMailable.
std::string compose(const Mail& mail, const std::string& id, std::int64_t time);

}  // namespace wazoauth

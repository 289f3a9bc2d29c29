// Mails as the configuration describes them, docs/spec/config.md section 2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "wazoauth/config/reader.h"
#include "wazoauth/config/smtp.h"

namespace wazoauth {

// The beginning of the links in mails: "https://hostname[:port][/prefix]".
struct LinkBase {
  std::string hostname, port, prefix;  // port and prefix "" for none
};

// One kind of mail: how long its link works, who it is from, the files with its texts.
struct MailKind {
  std::int64_t expiration = 172800;  // seconds
  std::string body_template, subject_template;
  std::string from_name, from_address;
};

struct MailSettings {
  SmtpServer smtp;
  MailKind confirmation, password_reset;
  std::string confirmation_page_template;     // file of the page that a confirmation's link leads to
  std::string confirmation_page_type;         // its media type
  std::int64_t password_resets_per_hour = 5;  // mails to one user; 0: any number
  std::optional<LinkBase> link;               // none: the address of the server that was asked
};

MailSettings read_mail(const ConfigReader& config);  // throws ConfigError

}  // namespace wazoauth

// The templates that the configuration names, read with it: docs/spec/email-flows.md section 2.2.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wazoauth/http/template.h"

namespace wazoauth {

struct Settings;

// One that is missing here couldn't be read: what needs it is switched off.
struct MailTexts {
  std::optional<Template> body, subject;
};
struct MailTemplates {
  MailTexts confirmation, password_reset;
  std::optional<Template> confirmation_page;
};

// Warns of files that can't be read and of constructs that aren't supported, with file and line.
std::shared_ptr<const MailTemplates> read_mail_templates(const Settings& settings, std::vector<std::string>& warnings);

}  // namespace wazoauth

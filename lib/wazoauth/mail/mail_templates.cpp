#include "wazoauth/mail/mail_templates.h"

#include <stdexcept>

#include "wazoauth/config/settings.h"
#include "wazoauth/config/text_file.h"

namespace wazoauth {

namespace {

std::optional<Template> read(const std::string& path, const char* what, std::vector<std::string>& warnings) {
  try {
    return Template(read_text_file(path), path);
  } catch (const std::runtime_error& error) {
    warnings.push_back(std::string(error.what()) + "; " + what);
    return std::nullopt;
  }
}

MailTexts read(const MailKind& kind, const char* what, std::vector<std::string>& warnings) {
  return {read(kind.body_template, what, warnings), read(kind.subject_template, what, warnings)};
}

}  // namespace

std::shared_ptr<const MailTemplates> read_mail_templates(const Settings& settings, std::vector<std::string>& warnings) {
  auto templates = std::make_shared<MailTemplates>();
  if (settings.http_plugin("email_confirm") || settings.http_plugin("user_registration")) {
    templates->confirmation = read(settings.mail.confirmation, "no mail to confirm an address can be sent", warnings);
    templates->confirmation_page = read(settings.mail.confirmation_page_template,
                                        "links in mails that confirm an address lead to no page", warnings);
  }
  if (settings.http_plugin("password_reset"))
    templates->password_reset = read(settings.mail.password_reset, "no mail to reset a password can be sent", warnings);
  return templates;
}

}  // namespace wazoauth

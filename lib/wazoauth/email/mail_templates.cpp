#include "wazoauth/email/mail_templates.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "wazoauth/config/settings.h"
#include "wazoauth/text.h"

namespace wazoauth {

namespace {

constexpr std::size_t most_bytes = 1 << 20;

std::string content_of(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) throw TemplateError(path + ": " + std::system_category().message(errno));
  std::string text(most_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) throw TemplateError(path + ": it can't be read");
  if (text.size() > most_bytes) throw TemplateError(path + ": longer than 1 MiB");
  if (!is_utf8(text)) throw TemplateError(path + ": it isn't UTF-8");
  return text;
}

std::optional<Template> read(const std::string& path, const char* what, std::vector<std::string>& warnings) {
  try {
    return Template(content_of(path), path);
  } catch (const TemplateError& error) {
    warnings.push_back(std::string(error.what()) + "; " + what);
    return std::nullopt;
  }
}

MailTexts read(const MailSettings& settings, const char* what, std::vector<std::string>& warnings) {
  return {read(settings.body_template, what, warnings), read(settings.subject_template, what, warnings)};
}

}  // namespace

std::shared_ptr<const MailTemplates> read_mail_templates(const Settings& settings, std::vector<std::string>& warnings) {
  auto templates = std::make_shared<MailTemplates>();
  if (settings.http_plugin("email_confirm") || settings.http_plugin("user_registration")) {
    templates->confirmation =
        read(settings.confirmation_mail, "no mail to confirm an address can be sent", warnings);
    templates->confirmation_page = read(settings.email_confirmation_get_response_body_template,
                                        "links in mails that confirm an address lead to no page", warnings);
  }
  if (settings.http_plugin("password_reset"))
    templates->password_reset = read(settings.reset_mail, "no mail to reset a password can be sent", warnings);
  return templates;
}

}  // namespace wazoauth

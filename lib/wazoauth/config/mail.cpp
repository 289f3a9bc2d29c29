#include "wazoauth/config/mail.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace wazoauth {
namespace {

constexpr std::int64_t hundred_years = 100LL * 366 * 86400;

std::string header_text(const ConfigReader& config, const std::string& path) {
  std::string text = config.text(path);
  const auto control = [](unsigned char c) { return c < ' ' || c == 127; };
  if (std::any_of(text.begin(), text.end(), control)) config.fail(path, "must not hold control characters");
  return text;
}

void read_security(const ConfigReader& config, SmtpServer& smtp) {
  const std::string tls = config.text("smtp.tls", "none");
  if (tls != "none" && tls != "starttls" && tls != "tls") config.fail("smtp.tls", "must be none, starttls or tls");
  if (tls != "none") smtp.tls = tls == "tls" ? SmtpServer::Tls::implicit : SmtpServer::Tls::starttls;
  if (const auto file = config.optional_text("smtp.ca_file")) {
    if (tls == "none") config.fail("smtp.ca_file", "is of no use without \"smtp.tls\"");
    smtp.ca = config.certificates("smtp.ca_file", *file);
  }
  smtp.username = header_text(config, "smtp.username");
  smtp.password = header_text(config, "smtp.password");
  if (smtp.username.empty() && !smtp.password.empty()) config.fail("smtp.password", "needs an \"smtp.username\"");
  if (smtp.password.empty() && !smtp.username.empty()) config.fail("smtp.username", "needs an \"smtp.password\"");
  if (!smtp.username.empty() && tls == "none" && !config.flag("smtp.login_without_tls", false))
    config.fail("smtp.username",
                "needs \"smtp.tls\", or \"smtp.login_without_tls: true\": else the password can be read");
}

SmtpServer read_smtp(const ConfigReader& config) {
  SmtpServer smtp;
  smtp.hostname = config.text("smtp.hostname");
  if (smtp.hostname.starts_with("[") && smtp.hostname.ends_with("]"))
    smtp.hostname = smtp.hostname.substr(1, smtp.hostname.size() - 2);
  if (!is_host_name(smtp.hostname)) config.fail("smtp.hostname", "must be a host's name");
  smtp.port = static_cast<int>(config.integer("smtp.port", 1, 65535));
  smtp.timeout = config.seconds("smtp.timeout", smtp.timeout);
  if (const auto name = config.optional_text("smtp.ehlo")) {
    if (!is_ehlo_name(*name)) config.fail("smtp.ehlo", "must be a host's full name, or an address like [192.0.2.1]");
    smtp.ehlo = *name;
  }
  read_security(config, smtp);
  return smtp;
}

MailKind read_kind(const ConfigReader& config, const std::string& prefix, const std::string& prefix_of_templates) {
  return {config.integer(prefix + "expiration", 1, hundred_years), config.text(prefix_of_templates + "template"),
          config.text(prefix_of_templates + "subject_template"), header_text(config, prefix + "from_name"),
          header_text(config, prefix + "from_address")};
}

LinkBase read_link(const ConfigReader& config, std::string_view url) {
  constexpr std::string_view scheme = "https://";
  const auto refuse = [&] { config.fail("email_link_url", "must be like https://host[:port][/prefix]"); };
  if (!url.starts_with(scheme)) refuse();
  url.remove_prefix(scheme.size());
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::string_view authority = url.substr(0, url.find('/'));
  const auto colon = authority.find(':');
  LinkBase base;
  base.hostname = authority.substr(0, colon);
  if (colon != std::string_view::npos) base.port = authority.substr(colon + 1);
  base.prefix = url.substr(authority.size());
  const auto digit = [](unsigned char c) { return std::isdigit(c) != 0; };
  const auto in_path = [](unsigned char c) {
    return c < 128 &&
           (std::isalnum(c) || std::string_view("/-._~").find(static_cast<char>(c)) != std::string_view::npos);
  };
  if (!is_host_name(base.hostname) || base.port.size() > 5 || (colon != std::string_view::npos && base.port.empty()) ||
      !std::all_of(base.port.begin(), base.port.end(), digit) ||
      !std::all_of(base.prefix.begin(), base.prefix.end(), in_path))
    refuse();
  return base;
}

}  // namespace

MailSettings read_mail(const ConfigReader& config) {
  MailSettings mail;
  mail.smtp = read_smtp(config);
  mail.confirmation = read_kind(config, "email_confirmation_", "email_confirmation_");
  mail.password_reset = read_kind(config, "password_reset_", "password_reset_email_");
  mail.confirmation_page_template = config.text("email_confirmation_get_response_body_template");
  mail.confirmation_page_type = header_text(config, "email_confirmation_get_mimetype");
  mail.password_resets_per_hour = config.integer("password_reset_mails_per_hour", 0);
  if (const auto url = config.optional_text("email_link_url")) mail.link = read_link(config, *url);
  return mail;
}

}  // namespace wazoauth

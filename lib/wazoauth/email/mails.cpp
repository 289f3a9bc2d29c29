#include "wazoauth/email/mails.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "wazoauth/cache/token_store.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/email/mail_templates.h"
#include "wazoauth/email/message.h"
#include "wazoauth/email/smtp.h"
#include "wazoauth/text.h"

namespace wazoauth {

namespace {

// "host", "host:port", "[::1]:port"
LinkBase link_base(const Context& context) {
  if (context.settings.email_link) return *context.settings.email_link;
  const std::string& host = context.request.own_host;
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  LinkBase base{host.substr(0, has_port ? colon : host.size()), "", context.request.own_prefix};
  if (has_port) base.port = host.substr(colon + 1);
  return base;
}

// The column ends in 2038.
std::int64_t expiry(const Settings& settings, std::int64_t now) {
  return std::min<std::int64_t>(now + settings.email_confirmation_expiration, std::numeric_limits<std::int32_t>::max());
}

std::string make_token(Context& context, const std::string& access, std::int64_t now, std::int64_t expires) {
  const Rows made = context.db().run("logins.create",
                                     {false, context.master_tenant(), "wazo-auth", nullptr, nullptr, now, expires, "{}",
                                      "wazo-auth-email-reset", "", Param(std::vector<std::string>{access}), nullptr});
  return made.text(0, "uuid");
}

Template::Values values_of(const Context& context, const Confirmation& confirmation, const std::string& token) {
  const LinkBase link = link_base(context);
  Template::Values values{{"token", token},
                          {"username", confirmation.username},
                          {"email_uuid", confirmation.email_uuid},
                          {"email_address", confirmation.address},
                          {"hostname", link.hostname}};
  if (!link.port.empty()) values.emplace("port", link.port);
  if (!link.prefix.empty()) values.emplace("prefix", link.prefix);
  return values;
}

}  // namespace

bool can_be_mailed(const std::string& address) {
  try {
    envelope_address(address);
    return true;
  } catch (const NotMailable&) {
    return false;
  }
}

void require_confirmation_mail(const Settings& settings) {
  const MailTemplates* templates = settings.mail_templates.get();
  if (!templates || !templates->confirmation || !templates->confirmation_subject)
    throw std::runtime_error("a template of the mail that confirms an address is missing");
}

void ask_mail_server(const Settings& settings, const std::string& address) {
  ask_server(settings.smtp, {envelope_address(settings.email_confirmation_from_address), envelope_address(address)});
}

void send_confirmation(Context& context, const Confirmation& confirmation) {
  const Settings& settings = context.settings;
  require_confirmation_mail(settings);
  const std::int64_t now = unix_seconds(), expires = expiry(settings, now);
  const std::string token =
      make_token(context, "auth.emails." + confirmation.email_uuid + ".confirm.edit", now, expires);
  const Template::Values values = values_of(context, confirmation, token);
  const MailTemplates& templates = *settings.mail_templates;
  const Mail mail{{settings.email_confirmation_from_name, settings.email_confirmation_from_address},
                  {confirmation.username.value_or(""), confirmation.address},
                  templates.confirmation_subject->render(values),
                  templates.confirmation->render(values)};
  context.db().run("mails.queue", {expires, envelope_address(mail.from.address), envelope_address(mail.to.address),
                                   compose(mail, new_uuid(), now)});
}

}  // namespace wazoauth

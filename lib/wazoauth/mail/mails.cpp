#include "wazoauth/mail/mails.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/mail/mail_templates.h"
#include "wazoauth/mail/message.h"
#include "wazoauth/mail/smtp.h"

namespace wazoauth {

namespace {

// "host", "host:port", "[::1]:port"
LinkBase link_base(const Context& context) {
  if (context.settings.mail.link) return *context.settings.mail.link;
  const std::string& host = context.request.own_host;
  const auto colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  LinkBase base{host.substr(0, has_port ? colon : host.size()), "", context.request.own_prefix};
  if (has_port) base.port = host.substr(colon + 1);
  return base;
}

// The column ends in 2038.
std::int64_t expiry(std::int64_t now, std::int64_t lifetime) {
  return std::min<std::int64_t>(now + lifetime, std::numeric_limits<std::int32_t>::max());
}

std::string make_token(Context& context, const std::string& access, std::int64_t now, std::int64_t expires) {
  const Rows made = context.db().run("logins.create",
                                     {false, context.master_tenant(), "wazo-auth", nullptr, nullptr, now, expires, "{}",
                                      "wazo-auth-email-reset", "", Param(std::vector<std::string>{access}), nullptr});
  return made.text(0, "uuid");
}

bool is_complete(const MailTexts& texts) {
  return texts.body && texts.subject;
}

// `access` is the token's, `subject` a pair that the templates know beside those of every mail.
struct Message {
  const MailKind& kind;
  const MailTexts& texts;
  std::string access;
  std::pair<std::string, std::string> subject;
  std::string address;
  std::optional<std::string> username;
};

Template::Values values_of(const Context& context, const Message& message, const std::string& token) {
  const LinkBase link = link_base(context);
  Template::Values values{{"token", token},
                          {"username", message.username},
                          {message.subject.first, message.subject.second},
                          {"email_address", message.address},
                          {"hostname", link.hostname}};
  if (!link.port.empty()) values.emplace("port", link.port);
  if (!link.prefix.empty()) values.emplace("prefix", link.prefix);
  return values;
}

void queue(Context& context, const Message& message) {
  const std::int64_t now = unix_seconds(), expires = expiry(now, message.kind.expiration);
  const std::string token = make_token(context, message.access, now, expires);
  const Template::Values values = values_of(context, message, token);
  const Mail mail{{message.kind.from_name, message.kind.from_address},
                  {message.username.value_or(""), message.address},
                  message.texts.subject->render(values),
                  message.texts.body->render(values)};
  context.db().run("mails.queue", {expires, envelope_address(mail.from.address), envelope_address(mail.to.address),
                                   compose(mail, new_uuid(), now)});
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
  if (!settings.mail_templates || !is_complete(settings.mail_templates->confirmation))
    throw std::runtime_error("a template of the mail that confirms an address is missing");
}

void require_reset_mail(const Settings& settings) {
  if (!settings.mail_templates || !is_complete(settings.mail_templates->password_reset))
    throw std::runtime_error("a template of the mail that resets a password is missing");
}

void ask_mail_server(const SmtpServer& server, const std::string& sender, const std::optional<std::string>& recipient) {
  ask_server(server, envelope_address(sender), recipient ? std::optional(envelope_address(*recipient)) : std::nullopt);
}

void send_confirmation(Context& context, const Confirmation& confirmation) {
  const Settings& settings = context.settings;
  require_confirmation_mail(settings);
  queue(context, {settings.mail.confirmation,
                  settings.mail_templates->confirmation,
                  "auth.emails." + confirmation.email_uuid + ".confirm.edit",
                  {"email_uuid", confirmation.email_uuid},
                  confirmation.address,
                  confirmation.username});
}

void send_password_reset(Context& context, const PasswordReset& reset) {
  const Settings& settings = context.settings;
  require_reset_mail(settings);
  queue(context, {settings.mail.password_reset,
                  settings.mail_templates->password_reset,
                  reset_access(reset.user_uuid),
                  {"user_uuid", reset.user_uuid},
                  reset.address,
                  reset.username});
}

std::string reset_access(const std::string& user_uuid) {
  return "auth.users.password.reset." + user_uuid + ".create";
}

bool is_mailed_token(const TokenRecord& token, const std::string& access) {
  return token.auth_id == "wazo-auth" && token.acl.size() == 1 && token.acl.front() == access;
}

}  // namespace wazoauth

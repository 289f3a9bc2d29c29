#include "wazoauth/mail/try_smtp.h"

#include "wazoauth/base/clock.h"
#include "wazoauth/base/deadline.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/mail/message.h"
#include "wazoauth/mail/smtp.h"
#include "wazoauth/rest/failures.h"
#include "wazoauth/rest/trial_answer.h"

namespace wazoauth {

namespace {

constexpr std::chrono::seconds longest_try{20};

struct Attempt {
  SmtpServer server;
  Mailbox from;
  std::optional<std::string> recipient;
  bool send = false;
};

Schema server_body() {
  return {{{.name = "hostname", .required = true, .min_length = 1, .max_length = 255},
           {.name = "port", .type = Type::integer, .fallback = Json(25), .minimum = 1, .maximum = 65535},
           {.name = "tls", .fallback = Json("none"), .choices = {"none", "starttls", "tls"}},
           {.name = "username", .nullable = true, .max_length = 256},
           {.name = "password", .nullable = true, .max_length = 256},
           {.name = "ehlo", .nullable = true, .max_length = 255}},
          {},
          "SmtpConfig"};
}

Schema try_body() {
  return {{object_of(std::make_shared<const Schema>(server_body()), "config"),
           {.name = "sender", .type = Type::email},
           {.name = "recipient", .type = Type::email},
           {.name = "send", .type = Type::boolean, .fallback = Json(false)}},
          {},
          "SmtpTry"};
}

Problem bad_field(const std::string& text) {
  return Problem::with_reason(400, "Invalid value supplied for field: " + text);
}

SmtpServer::Tls tls_named(const std::string& name) {
  if (name == "none") return SmtpServer::Tls::none;
  return name == "tls" ? SmtpServer::Tls::implicit : SmtpServer::Tls::starttls;
}

bool holds_control(const std::string& text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos;
}

// A saved password goes nowhere else: not to another server, and not there in another way or as somebody else's.
std::string password_of(const Json& config, const SmtpServer& server, const SmtpServer& saved) {
  if (config.has("password")) return config.text_or("password", "");
  if (server.username.empty()) return "";
  if (server.hostname != saved.hostname || server.port != saved.port || server.tls != saved.tls ||
      server.username != saved.username)
    throw bad_field("password");
  return saved.password;
}

// Time limit and authorities are those of the settings.
SmtpServer server_of(const Json& config, const Settings& settings) {
  const SmtpServer& saved = settings.mail.smtp;
  SmtpServer server = saved;
  server.hostname = config.text_or("hostname", "");
  if (!is_host_name(server.hostname)) throw bad_field("hostname");
  server.port = static_cast<int>(config.get("port").integer());
  server.tls = tls_named(config.text_or("tls", "none"));
  server.ehlo = config.text_or("ehlo", "");
  if (!server.ehlo.empty() && !is_ehlo_name(server.ehlo)) throw bad_field("ehlo");
  server.username = config.text_or("username", "");
  server.password = password_of(config, server, saved);
  if (server.username.empty() != server.password.empty()) throw bad_field("password");
  if (holds_control(server.username) || holds_control(server.password)) throw bad_field("username");
  const bool is_saved = server.hostname == saved.hostname && server.port == saved.port;
  if (!server.username.empty() && server.tls == SmtpServer::Tls::none && !(is_saved && saved.tls == server.tls))
    throw bad_field("tls. A password in the clear can be read");
  if (!is_saved) server.rules = settings.outgoing;
  return server;
}

Mail test_mail(const Attempt& attempt) {
  return {attempt.from,
          {"", *attempt.recipient},
          "Test of the mail server",
          "Somebody who administers this telephone system has tried its mail server with this address.\n"
          "It works: nothing else has to be done.\n"};
}

void go(const Attempt& attempt, Trial& trial) {
  const Deadline deadline(longest_try);
  const std::string sender = envelope_address(attempt.from.address);
  if (!attempt.send)
    return ask_server(attempt.server, sender,
                      attempt.recipient ? std::optional(envelope_address(*attempt.recipient)) : std::nullopt, &trial);
  deliver(
      attempt.server, {sender, envelope_address(*attempt.recipient)},
      compose(test_mail(attempt), new_uuid(), unix_seconds()), [&] { return deadline.passed(); }, &trial);
}

Response answer_to(const Attempt& attempt) {
  Trial trial;
  try {
    go(attempt, trial);
    trial.end();
  } catch (const SmtpError& e) {
    trial.fail(e.what());
  } catch (const NotMailable& e) {
    throw bad_field(std::string("recipient or sender. ") + e.what());
  }
  return Response::json(trial.json());
}

Step try_smtp(Context& context) {
  const Json body = context.valid_body();
  const MailKind& kind = context.settings.mail.password_reset;
  Attempt attempt{context.settings.mail.smtp, {kind.from_name, body.text_or("sender", kind.from_address)}};
  if (body.has("config")) attempt.server = server_of(body.get("config"), context.settings);
  if (body.has("recipient")) attempt.recipient = body.text_or("recipient", "");
  attempt.send = body.get("send").boolean();
  if (attempt.send && !attempt.recipient) throw bad_field("recipient");
  const auto next = [attempt](Context&) -> Step { return answer_to(attempt); };
  if (body.has("config") || attempt.recipient)
    return take_turn(context, "smtp " + context.token().tenant_uuid(), "", Lane::mail, next);
  return Step::then(Lane::mail, next);
}

}  // namespace

void add_smtp_try_route(Router& router) {
  RouteFamily family(router, {.plugin = "config", .tenancy = Tenancy::master});
  family.add({.method = "POST",
              .path = "/config/smtp/try",
              .access = "auth.config.smtp.try",
              .handler = try_smtp,
              .mode = Mode::read_only,
              .summary = "Try the mail server, as the configuration has it or as `config` would make it, step by step: "
                         "whether it takes a mail from `sender`, for `recipient` if there is one; `send` sends one",
              .body = takes(try_body(), Report::field),
              .answer = trial_answer(),
              .failures = {failures::throttled}});
}

}  // namespace wazoauth

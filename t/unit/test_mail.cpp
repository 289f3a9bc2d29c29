// Mail templates and messages: docs/spec/email-flows.md sections 2.2 and 2.3.
#include <arpa/inet.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/config/defaults.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/http/email_address.h"
#include "wazoauth/http/template.h"
#include "wazoauth/http/web_pages.h"
#include "wazoauth/mail/ehlo.h"
#include "wazoauth/mail/mail_templates.h"
#include "wazoauth/mail/message.h"
#include "wazoauth/mail/reply.h"

using namespace wazoauth;

namespace {

const Template::Values values{
    {"username", "Ann"}, {"nobody", std::nullopt}, {"empty", ""}, {"port", "8443"}, {"tag", "<a&'b'>"}};

std::string rendered(const std::string& text) {
  return Template(text, "t").render(values);
}

void shows(const std::string& text, const std::string& expected) {
  assert_string_equal(rendered(text).c_str(), expected.c_str());
}

void refused(const std::string& text, const std::string& expected) {
  try {
    Template(text, "name.jinja");
  } catch (const TemplateError& error) {
    assert_string_equal(error.what(), expected.c_str());
    return;
  }
  check::failed("accepted: " + text);
}

void variables(void**) {
  shows("Hello {{ username }}!", "Hello Ann!");
  shows("{{username}}{{ missing }}{{ nobody }}", "AnnNone");
  shows("{{ 'a\\'b' }}{{ \"}}\" }}{{ 12 }}", "a'b}}12");
  shows("a { b } {c} {", "a { b } {c} {");
  shows("{{ tag }}", "<a&'b'>");
}

void filters(void**) {
  shows("{{ username|upper }} {{ username | lower }} {{ 'bEN' | capitalize }}", "ANN ann Ben");
  shows("{{ tag | e }} {{ tag | escape }} {{ tag | safe }}",
        "&lt;a&amp;&#39;b&#39;&gt; &lt;a&amp;&#39;b&#39;&gt; <a&'b'>");
  shows("{{ missing | default('x') }}{{ empty | default('y') }}{{ missing | d(username) }}{{ missing | default }}",
        "xAnn");
  shows("[{{ '  a b ' | trim }}] {{ 'a/b c?é' | urlencode() }}", "[a b] a/b%20c%3F%C3%A9");
}

void conditions(void**) {
  const std::string text =
      "{% if port == '443' %}A{% elif port != 8443 %}B{% elif username and not empty %}C{% else %}D{% endif %}";
  shows(text, "C");
  shows(
      "{% if missing is defined %}1{% endif %}{% if empty is defined %}2{% endif %}{% if missing is undefined %}3{% "
      "endif %}",
      "23");
  shows(
      "{% if nobody is none %}1{% endif %}{% if username is not none %}2{% endif %}{% if missing is not defined %}3{% "
      "endif %}",
      "123");
  shows("{% if nobody %}1{% endif %}{% if empty %}2{% endif %}{% if missing %}3{% endif %}", "");
  shows("{% if (missing or username) == 'Ann' and true %}{% if false %}x{% else %}y{% endif %}{% endif %}", "y");
  shows("{{ nobody or missing or username }}", "Ann");
}

void whitespace(void**) {
  shows("a\n", "a");
  shows("a\n\n", "a\n");
  shows("a\r\nb\r\n", "a\nb");
  shows("a {#- no\n -#} b {# c #}", "ab ");
  shows("a {{- username -}}  b", "aAnnb");
  shows("{% if true -%}  x  {%- endif %} y", "x y");
  shows("{#- {{ nothing #}", "");
}

void what_is_not_supported(void**) {
  refused("a\n{% for x in y %}", "name.jinja:2: tag \"for\" is not supported");
  refused("{% set a = 1 %}", "name.jinja:1: tag \"set\" is not supported");
  refused("\n\n{{ a | md5 }}", "name.jinja:3: the filter \"md5\" is not supported");
  refused("{{ a.b }}", "name.jinja:1: \".\" is not supported here");
  refused("{{ a + b }}", "name.jinja:1: \"+\" is not supported here");
  refused("{{ a if b else c }}", "name.jinja:1: \"if\" is not supported here");
  refused("{% if a is odd %}{% endif %}", "name.jinja:1: the test \"odd\" is not supported");
  refused("{% if a %}\nb", "name.jinja:2: an \"if\" has no \"endif\"");
  refused("{% endif %}", "name.jinja:1: \"endif\" without an \"if\"");
  refused("{% if a %}{% else %}{% elif b %}{% endif %}", "name.jinja:1: \"elif\" after \"else\"");
  refused("{{ a", "name.jinja:1: a tag has no end");
  refused("{{ 'a", "name.jinja:1: a text has no end");
  refused("{# a", "name.jinja:1: a comment has no end");
  refused("{{ }}", "name.jinja:1: \"}}\" is not supported here");
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "(";
  refused("{{ " + deep, "name.jinja:1: nested too deep");
  std::string chain = "{{ a";
  for (int i = 0; i < 1000; ++i) chain += " or (b)";
  refused(chain + " }}", "name.jinja:1: nested too deep");
}

std::string shipped(const char* name, const Template::Values& with) {
  std::ifstream file(std::string(TEST_DATA) + "/../conf/templates/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return Template(text.str(), name).render(with);
}

void shipped_templates(void**) {
  Template::Values with{{"username", "Ann"},
                        {"email_address", "a@b.com"},
                        {"email_uuid", "E"},
                        {"token", "T"},
                        {"hostname", "h.example"}};
  assert_non_null(
      strstr(shipped("email_confirmation.jinja", with).c_str(), "\nhttps://h.example/0.1/emails/E/confirm?token=T\n"));
  with["port"] = "8443";
  with["prefix"] = "/api/auth";
  const std::string mail = shipped("email_confirmation.jinja", with);
  assert_true(mail.starts_with("Hello Ann,\n"));
  assert_non_null(strstr(mail.c_str(), "\nhttps://h.example:8443/api/auth/0.1/emails/E/confirm?token=T\n"));
  with["username"] = std::nullopt;
  assert_string_equal(shipped("email_confirmation_subject.jinja", with).c_str(),
                      "a@b.com, please confirm your e-mail address");
  assert_true(shipped("email_confirmation_get_body.jinja", {}).starts_with("<!doctype html>"));
}

// -- messages --------------------------------------------------------------------------------------------------------

std::string message(const Mail& mail) {
  return compose(mail, "0af1", 1700000000);
}

std::string header(const std::string& text, const std::string& name) {
  const auto start = text.find("\r\n" + name + ": ");
  assert_true(start != std::string::npos && start < text.find("\r\n\r\n"));
  auto end = text.find("\r\n", start + 2);
  while (text[end + 2] == ' ') end = text.find("\r\n", end + 2);
  return text.substr(start + name.size() + 4, end - start - name.size() - 4);
}

void plain_messages(void**) {
  const std::string text = message({{"Wazo", "noreply@example.com"}, {"Ann", "ann@example.com"}, "Hi", "a\nb\r\n.\n"});
  assert_string_equal(text.c_str(),
                      "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <0af1@example.com>\r\n"
                      "From: Wazo <noreply@example.com>\r\nTo: Ann <ann@example.com>\r\nSubject: Hi\r\n"
                      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
                      "Content-Type: text/plain; charset=\"us-ascii\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                      "a\r\nb\r\n.\r\n");
}

void names(void**) {
  const auto to = [](const std::string& name) {
    return header(message({{"", "a@b.com"}, {name, "x@y.com"}, "s", "t"}), "To");
  };
  assert_string_equal(to("").c_str(), "x@y.com");
  assert_string_equal(to("u.1").c_str(), "\"u.1\" <x@y.com>");
  assert_string_equal(to("a \"b\\").c_str(), "\"a \\\"b\\\\\" <x@y.com>");
  assert_string_equal(to(" a").c_str(), "\" a\" <x@y.com>");
  assert_string_equal(to("Zoé").c_str(), "=?utf-8?b?Wm/DqQ==?= <x@y.com>");
  assert_string_equal(to("a\tb").c_str(), "=?utf-8?b?YQli?= <x@y.com>");
  assert_string_equal(to("=?utf-8?b?YQ==?=").c_str(), "=?utf-8?b?PT91dGYtOD9iP1lRPT0/PQ==?= <x@y.com>");
  // No character is cut in two, no line is longer than 76.
  std::string many;
  for (int i = 0; i < 40; ++i) many += "€";
  const std::string folded = to(many);
  assert_true(folded.find("\r\n =?utf-8?b?") != std::string::npos);
  std::istringstream lines("To: " + folded);
  for (std::string line; std::getline(lines, line);) assert_true(line.size() <= 77);  // with its CR
}

void bodies(void**) {
  const std::string text = message({{"", "a@b.com"}, {"", "x@y.com"}, "Grüße", "é\n"});
  assert_string_equal(header(text, "Subject").c_str(), "=?utf-8?b?R3LDvMOfZQ==?=");
  assert_string_equal(header(text, "Content-Type").c_str(), "text/plain; charset=\"utf-8\"");
  assert_string_equal(header(text, "Content-Transfer-Encoding").c_str(), "base64");
  assert_true(text.ends_with("\r\n\r\nw6kNCg==\r\n"));
  const std::string wide = message({{"", "a@b.com"}, {"", "x@y.com"}, "s", std::string(2000, 'a')});
  assert_string_equal(header(wide, "Content-Transfer-Encoding").c_str(), "base64");
}

void refuses(const Mail& mail) {
  try {
    message(mail);
  } catch (const NotMailable&) {
    return;
  }
  check::failed("composed: to " + mail.to.name + " <" + mail.to.address + ">, subject " + mail.subject);
}

void what_no_header_holds(void**) {
  const Mailbox good{"", "a@b.com"};
  for (const std::string& bad : {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3)}) {
    refuses({good, {bad, "x@y.com"}, "s", "t"});
    refuses({{bad, "x@y.com"}, good, "s", "t"});
    refuses({good, good, bad, "t"});
    refuses({good, {"", bad + "@y.com"}, "s", "t"});
    refuses({good, {"", "x@" + bad + ".com"}, "s", "t"});
  }
  for (const char* bad : {"", "x", "@y.com", "é@b.com", "a b@b.com", "x@", "x@y>.com", "x@y.com\r\nBcc: z@z.com"})
    refuses({good, {"", bad}, "s", "t"});
}

void international_domains(void**) {
  assert_string_equal(envelope_address("a@é.com").c_str(), "a@xn--9ca.com");
  assert_string_equal(envelope_address("a@[127.0.0.1]").c_str(), "a@[127.0.0.1]");
  assert_string_equal(envelope_address("A.b@Example.COM").c_str(), "A.b@Example.COM");
}

// -- files -----------------------------------------------------------------------------------------------------------

Settings settings_with(const std::string& folder) {
  Json tree = default_config();
  tree.set("email_confirmation_template", folder + "/email_confirmation.jinja");
  tree.set("email_confirmation_subject_template", folder + "/email_confirmation_subject.jinja");
  tree.set("email_confirmation_get_response_body_template", folder + "/email_confirmation_get_body.jinja");
  tree.set("password_reset_email_template", folder + "/password_reset_email.jinja");
  tree.set("password_reset_email_subject_template", folder + "/password_reset_email_subject.jinja");
  std::vector<std::string> warnings;
  return make_settings(tree, "uuid", warnings);
}

void files(void**) {
  std::vector<std::string> warnings;
  const auto all = read_mail_templates(settings_with(std::string(TEST_DATA) + "/../conf/templates"), warnings);
  assert_int_equal(warnings.size(), 0);
  assert_true(all->confirmation.body && all->confirmation.subject && all->confirmation_page);
  assert_true(all->password_reset.body && all->password_reset.subject);
  const auto none = read_mail_templates(settings_with("/nowhere"), warnings);
  assert_int_equal(warnings.size(), 5);
  assert_string_equal(
      warnings[0].c_str(),
      "/nowhere/email_confirmation.jinja: No such file or directory; no mail to confirm an address can be sent");
  assert_string_equal(
      warnings[3].c_str(),
      "/nowhere/password_reset_email.jinja: No such file or directory; no mail to reset a password can be sent");
  assert_false(none->confirmation.body || none->confirmation.subject || none->confirmation_page);
  assert_false(none->password_reset.body || none->password_reset.subject);
}

std::string refused_setting(const char* key, const Json& value) {
  Json tree = default_config();
  tree.set(key, value);
  std::vector<std::string> warnings;
  try {
    make_settings(tree, "uuid", warnings);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

void settings(void**) {
  Json tree = default_config();
  tree.set("email_link_url", "https://voice.example.org:8443/api/auth/");
  tree.set("smtp", Json::object({{"hostname", "::1"}, {"port", 2525}, {"timeout", 1.5}}));
  std::vector<std::string> warnings;
  const Settings made = make_settings(tree, "uuid", warnings);
  assert_string_equal(made.mail.link->hostname.c_str(), "voice.example.org");
  assert_string_equal(made.mail.link->port.c_str(), "8443");
  assert_string_equal(made.mail.link->prefix.c_str(), "/api/auth");
  assert_int_equal(made.mail.smtp.port, 2525);
  assert_int_equal(made.mail.smtp.timeout.count(), 1500);
  for (const char* bad : {"http://a.com", "https://", "https://a@b", "https://a.com:", "https://a.com:x",
                          "https://a.com/%41", "https://a.com/?x"})
    assert_string_equal(refused_setting("email_link_url", bad).c_str(),
                        "\"email_link_url\" must be like https://host[:port][/prefix]");
  assert_string_equal(refused_setting("email_confirmation_from_name", "a\nb").c_str(),
                      "\"email_confirmation_from_name\" must not hold control characters");
  const Json odd = Json::object({{"hostname", "a/b"}, {"port", 25}});
  assert_string_equal(refused_setting("smtp", odd).c_str(), "\"smtp.hostname\" must be a host's name");
}

std::string refused_smtp(const char* key, const Json& value, Json smtp = Json::object()) {
  smtp.set("hostname", "localhost").set("port", 25).set(key, value);
  return refused_setting("smtp", smtp);
}

void security(void**) {
  const auto made = [](Json smtp) {
    Json tree = default_config();
    tree.set("smtp", smtp.set("hostname", "localhost").set("port", 25));
    std::vector<std::string> warnings;
    return make_settings(tree, "uuid", warnings).mail.smtp;
  };
  assert_true(made(Json::object()).tls == SmtpServer::Tls::none && made(Json::object()).username.empty());
  assert_true(made(Json::object({{"tls", "starttls"}})).tls == SmtpServer::Tls::starttls);
  const SmtpServer server = made(Json::object({{"tls", "tls"}, {"username", "a"}, {"password", "b"}}));
  assert_true(server.tls == SmtpServer::Tls::implicit && server.username == "a" && server.password == "b");
  assert_string_equal(refused_smtp("tls", "ssl").c_str(), "\"smtp.tls\" must be none, starttls or tls");
  assert_string_equal(refused_smtp("username", "a").c_str(), "\"smtp.username\" needs an \"smtp.password\"");
  assert_string_equal(refused_smtp("password", "a").c_str(), "\"smtp.password\" needs an \"smtp.username\"");
  const Json login = Json::object({{"username", "a"}, {"password", "b"}});
  assert_true(refused_smtp("tls", "none", login).starts_with("\"smtp.username\" needs \"smtp.tls\""));
  assert_string_equal(refused_smtp("login_without_tls", true, login).c_str(), "");
  assert_true(
      refused_smtp("ca_file", "/nowhere", Json::object({{"tls", "tls"}})).ends_with("No such file or directory"));
}

// -- who we are, and what the server says of it ----------------------------------------------------------------------

void full_names(void**) {
  for (const char* good : {"wazo1.example.com", "a.b", "WAZO-1.Example.COM", "x.xn--9ca", "1.example.com"})
    check::that(is_full_name(good), good);
  for (const char* bad : {"", "wazo1", "localhost", "localhost.localdomain", "wazo.localhost", "wazo_1.example.com",
                          "-a.b", "a-.b", "a..b", ".a.b", "a.b.", "192.0.2.1", "a b.c", "\xc3\xa9.com", "a.b\r\n"})
    check::never(is_full_name(bad), bad);
  check::never(is_full_name(std::string(64, 'a') + ".example.com"), "a label of 64");
  std::string many = "a";
  for (int i = 0; i < 127; ++i) many += ".a";
  check::that(is_full_name(many), "255 characters");
  check::never(is_full_name("a" + many), "256 characters");
}

std::string literal(const char* address) {
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1)
    return address_literal(Address(reinterpret_cast<const sockaddr*>(&six), sizeof six));
  assert_int_equal(inet_pton(AF_INET, address, &four.sin_addr), 1);
  return address_literal(Address(reinterpret_cast<const sockaddr*>(&four), sizeof four));
}

void address_literals(void**) {
  assert_string_equal(literal("192.0.2.1").c_str(), "[192.0.2.1]");
  assert_string_equal(literal("2001:db8::1").c_str(), "[IPv6:2001:db8::1]");
  assert_string_equal(literal("::ffff:192.0.2.1").c_str(), "[192.0.2.1]");
}

void names_to_say(void**) {
  const auto takes = [](const char* name) { return refused_smtp("ehlo", name).empty(); };
  for (const char* good : {"mail.example.org", "relay", "[192.0.2.1]", "[IPv6:2001:db8::1]"})
    check::that(takes(good), good);
  for (const char* bad : {"", "a_b.example.org", "a b", "192.0.2.1]", "[2001:db8::1]", "[IPv6:x]", "[]", "a\r\nb"})
    check::never(takes(bad), bad);
}

SmtpConversation after(const char* command, const char* answer) {
  SmtpConversation conversation;
  conversation.received("220 mail.test\r\n");
  for (const char* each : {"EHLO a.b\r\n", "MAIL FROM:<a@b.c>\r\n"}) {
    conversation.sent(each);
    conversation.received("250 ok\r\n");
  }
  conversation.sent(command);
  conversation.received(answer);
  return conversation;
}

SmtpConversation after_message(const char* answer) {
  SmtpConversation conversation = after("DATA\r\n", "354 go on\r\n");
  conversation.received(answer);
  return conversation;
}

constexpr const char* recipient = "RCPT TO:<x@y.z>\r\n";

void what_is_final(void**) {
  for (const char* final :
       {"550 5.1.1 <x@y.z>: Recipient address rejected: User unknown in local recipient table\r\n",
        "550 no such user here\r\n", "550-No such person at this address\r\n550 Unrouteable address\r\n",
        "552 5.2.2 The mailbox is over quota\r\n", "551 user not local\r\n", "556 5.1.10 null MX\r\n"})
    check::that(after(recipient, final).rejects_mail(), final);
  // About us, the sender, or nothing for long.
  for (const char* ours :
       {"504 5.5.2 <wazo1>: Helo command rejected: need fully-qualified hostname\r\n",
        "550 5.7.1 <wazo1>: Helo command rejected: Host not found\r\n", "550 <wazo1>: EHLO argument is no host\r\n",
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example\r\n",
        "554 5.7.1 <x@y.z>: Relay access denied\r\n", "550 relay not permitted\r\n",
        "550 5.1.8 <a@b.c>: Sender address rejected: Domain not found\r\n",
        "550 5.1.0 <a@b.c>: Sender address rejected: User unknown in local recipient table\r\n",
        "553 5.7.1 <a@b.c>: Sender address rejected: not logged in\r\n", "550 authentication required\r\n",
        "530 5.7.0 Must issue a STARTTLS command first\r\n", "503 bad sequence\r\n", "501 syntax\r\n",
        "521 5.3.2 no mail here\r\n", "550 5.3.2 not now\r\n", "450 4.1.1 try again\r\n", "421 bye\r\n",
        "550-Your\r\n550-SPF record\r\n550 says no\r\n"})
    check::never(after(recipient, ours).rejects_mail(), ours);
  for (const char* final : {"554 5.7.1 Message rejected as spam\r\n", "552 5.3.4 too big\r\n", "554 no\r\n",
                            "550 5.6.0 bad content\r\n", "550 5.1.1 no such user\r\n"})
    check::that(after_message(final).rejects_mail(), final);
  for (const char* ours : {"550 5.7.26 Unauthenticated email from b.c is not accepted\r\n",
                           "550 5.7.1 DMARC policy of b.c\r\n", "451 4.3.0 later\r\n", "554 5.3.0 broken\r\n"})
    check::never(after_message(ours).rejects_mail(), ours);
  // Before there is a recipient nothing is about one.
  check::never(after("EHLO a\r\n", "550 5.1.1 no\r\n").rejects_mail(), "EHLO");
  check::never(after("MAIL FROM:<a@b.c>\r\n", "550 5.1.1 no\r\n").rejects_mail(), "MAIL");
  check::never(after("DATA\r\n", "554 5.5.1 no valid recipients\r\n").rejects_mail(), "DATA");
}

void whom_it_concerns(void**) {
  SmtpConversation conversation;
  conversation.received("421 too busy\r\n");
  check::that(conversation.concerns_all() && conversation.code() == 421, "greeting");
  for (const char* command : {"EHLO a\r\n", "HELO a\r\n", "STARTTLS\r\n", "AUTH PLAIN\r\n"})
    check::that(after(command, "454 4.7.0 later\r\n").concerns_all(), command);
  for (const char* command : {"MAIL FROM:<>\r\n", "RCPT TO:<a@b>\r\n", "DATA\r\n"})
    check::never(after(command, "454 4.7.0 later\r\n").concerns_all(), command);
}

void what_the_log_says(void**) {
  const auto says = [](const SmtpConversation& conversation, const std::string& expected) {
    assert_string_equal(conversation.answer().c_str(), expected.c_str());
  };
  says(after(recipient, "504 5.5.2 <wazo1>: need fully-qualified hostname\r\n"),
       "code 504 5.5.2 at RCPT: <wazo1>: need fully-qualified hostname");
  says(after(recipient, "550-5.1.1 <x@y.z>: no\t\r\n550 5.1.1 such user\r\n"),
       "code 550 5.1.1 at RCPT: <address> no such user");
  says(after(recipient, "550 5.1 is no status\r\n"), "code 550 at RCPT: 5.1 is no status");
  says(after(recipient, "550 4.1.1 another class\r\n"), "code 550 at RCPT: 4.1.1 another class");
  says(after("MAIL FROM:<a@b.c>\r\n", "452\r\n"), "code 452 at MAIL");
  // A server may say again what it was told.
  says(after("AUTH PLAIN c2VjcmV0\r\n", "535 5.7.8 c2VjcmV0 is wrong\r\n"), "code 535 5.7.8 at AUTH");
  says(after_message("554 5.7.1 https://a.b/?token=1\r\n"), "code 554 5.7.1 at the end of the message");
  // Our QUIT, and what it is answered, isn't it.
  SmtpConversation conversation = after(recipient, "550 5.1.1 no\r\n");
  conversation.sent("QUIT\r\n");
  conversation.received("221 bye\r\n");
  says(conversation, "code 550 5.1.1 at RCPT: no");
  assert_true(after(recipient, ("550 " + std::string(5000, 'x') + "\r\n").c_str()).answer().size() < 400);
}

// -- pages -----------------------------------------------------------------------------------------------------------

std::string value_of(const Response& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

void pages(void**) {
  const Response page = web_page(
      {.status = 401, .title = "<a> & \"b\"", .texts = {"<script>"}, .asks_for_password = true, .complaint = "'<b>'"});
  assert_int_equal(page.status, 401);
  for (const char* raw : {"<a>", "<script>", "<b>"}) check::that(page.body.find(raw) == std::string::npos, raw);
  assert_true(page.body.find("<h1>&lt;a&gt; &amp; &#34;b&#34;</h1>") != std::string::npos);
  assert_true(page.body.find("<title>Error: ") != std::string::npos);
  assert_true(page.body.find(" aria-invalid=\"true\"") != std::string::npos);
  const Response plain = web_page({.title = "a", .texts = {}});
  const Response button = web_page({.title = "a", .texts = {}, .button = "<b>"});
  assert_true(button.body.find("<form method=\"post\">\n<button>&lt;b&gt;</button>") != std::string::npos);
  assert_true(plain.body.find("<form") == std::string::npos && plain.body.find("role=") == std::string::npos);
  assert_true(value_of(plain, "Content-Security-Policy").starts_with("default-src 'none'; style-src 'sha256-"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(variables),
      cmocka_unit_test(filters),
      cmocka_unit_test(conditions),
      cmocka_unit_test(whitespace),
      cmocka_unit_test(what_is_not_supported),
      cmocka_unit_test(shipped_templates),
      cmocka_unit_test(plain_messages),
      cmocka_unit_test(names),
      cmocka_unit_test(bodies),
      cmocka_unit_test(what_no_header_holds),
      cmocka_unit_test(international_domains),
      cmocka_unit_test(files),
      cmocka_unit_test(settings),
      cmocka_unit_test(security),
      cmocka_unit_test(full_names),
      cmocka_unit_test(address_literals),
      cmocka_unit_test(names_to_say),
      cmocka_unit_test(what_is_final),
      cmocka_unit_test(whom_it_concerns),
      cmocka_unit_test(what_the_log_says),
      cmocka_unit_test(pages),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

#include "wazoauth/mail/smtp_trial.h"

#include <exception>

#include "wazoauth/base/certificate.h"
#include "wazoauth/base/clock.h"

namespace wazoauth {

namespace {

const char* name_of(SmtpStage stage) {
  switch (stage) {
    case SmtpStage::greeting:
      return "greeting";
    case SmtpStage::hello:
      return "ehlo";
    case SmtpStage::tls:
      return "tls";
    case SmtpStage::login:
      return "auth";
    case SmtpStage::sender:
      return "sender";
    case SmtpStage::recipient:
      return "recipient";
    case SmtpStage::data:
      return "data";
    case SmtpStage::message:
      break;
  }
  return "message";
}

}  // namespace

SmtpTrial::SmtpTrial(Trial& trial, const SmtpServer& server)
    : trial_(trial),
      port_(server.port),
      implicit_tls_(server.tls == SmtpServer::Tls::implicit),
      began_(Trial::Clock::now()) {
  trial_.begin("look_up", began_).detail("host", server.hostname);
}

// Which certificates there are is known only when TLS has begun, or failed.
SmtpTrial::~SmtpTrial() {
  try {
    trial_.detail_of("tls", "certificates", described_certificates(certificates_, unix_seconds()));
  } catch (const std::exception&) {
    // Without memory they aren't shown.
  }
}

void SmtpTrial::found(const std::string& address, bool allowed) {
  if (allowed && !trial_.has("connect")) trial_.begin("connect").detail("port", port_);
  trial_.detail("address", address);
}

void SmtpTrial::connected(std::chrono::microseconds after) {
  if (after.count() > 0 && trial_.at("connect")) trial_.begin(implicit_tls_ ? "tls" : "greeting", began_ + after);
}

void SmtpTrial::encrypted() {
  if (trial_.at("connect")) trial_.begin("tls");
}

// After StartTLS comes EHLO again.
void SmtpTrial::spoken(const SmtpConversation& conversation) {
  const SmtpStage stage = conversation.stage();
  if (stage < furthest_) return;
  if (stage == SmtpStage::greeting && !trial_.has("greeting")) trial_.begin("greeting");
  if (stage > furthest_) {
    furthest_ = stage;
    trial_.begin(name_of(stage));
  }
  if (conversation.code() == 0) return;
  trial_.detail("answer", conversation.answer());
}

}  // namespace wazoauth

// What a trial is told of a conversation with a mail server.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "wazoauth/base/trial.h"
#include "wazoauth/config/smtp.h"
#include "wazoauth/mail/reply.h"

namespace wazoauth {

class SmtpTrial {
 public:
  SmtpTrial(Trial& trial, const SmtpServer& server);  // it begins
  ~SmtpTrial();
  SmtpTrial(const SmtpTrial&) = delete;
  SmtpTrial& operator=(const SmtpTrial&) = delete;

  void found(const std::string& address, bool allowed);  // of the server's name
  void connected(std::chrono::microseconds after);       // since the beginning; 0: not yet. More than once, maybe
  void encrypted();                                   // TLS has begun; libcurl says "connected" only when that is done
  void spoken(const SmtpConversation& conversation);  // one side has said something
  std::vector<std::string>& certificates() { return certificates_; }  // where those that it shows go, in DER

 private:
  Trial& trial_;
  const int port_;
  const bool implicit_tls_;
  const Trial::Clock::time_point began_;
  SmtpStage furthest_ = SmtpStage::greeting;
  std::vector<std::string> certificates_;
};

}  // namespace wazoauth

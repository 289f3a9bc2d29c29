// What a mail server answers, and whom it means: docs/spec/email-flows.md section 2.4.
#pragma once

#include <string>
#include <string_view>

namespace wazoauth {

// The command that an answer belongs to; the message is what follows DATA.
enum class SmtpStage { greeting, hello, tls, login, sender, recipient, data, message };

// Follows one conversation, line by line.
class SmtpConversation {
 public:
  void sent(std::string_view command);
  void received(std::string_view lines);
  void greeted_by_tls() { begun_ = true; }

  bool begun() const { return begun_; }  // there was a connection
  SmtpStage stage() const { return stage_; }
  int code() const { return code_; }  // of the last answer; 0: there was none to the last command

  // Nobody else's mails are any better off.
  bool concerns_all() const { return stage_ < SmtpStage::sender; }

  // A "no" to this recipient or this message, and not to who sends it: only that is final. An administrator may mend
  // everything else.
  bool rejects_mail() const;

  // "code 504 5.5.2 at RCPT: need fully-qualified hostname", without addresses and without anything of the message.
  std::string answer() const;

 private:
  void take(std::string_view line);

  SmtpStage stage_ = SmtpStage::greeting;
  int code_ = 0;
  std::string status_;  // the enhanced one (RFC 3463), "5.5.2"; "" for none
  std::string text_;    // without code and status
  bool begun_ = false;
  bool complete_ = true;  // the next line begins another answer
  bool left_ = false;     // we said QUIT
};

}  // namespace wazoauth

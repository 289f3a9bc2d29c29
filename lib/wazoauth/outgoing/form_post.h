// A form that is posted to an external server, and its answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "wazoauth/outgoing/address.h"

namespace wazoauth {

using FormFields = std::vector<std::pair<std::string, std::string>>;

std::string form_encoded(const FormFields& fields);  // a blank is '+'

struct FormPost {
  std::string url;
  FormFields fields;
  std::optional<std::pair<std::string, std::string>> basic;  // user and password
  std::chrono::milliseconds timeout{10000};                  // for all of it
  bool plain = false;                                        // http is allowed, too
  OutgoingRules rules;
  std::string ca;  // certificates (PEM) that the server's one has to come from; "" for the system's
};

struct HttpAnswer {
  long status;
  std::string body;
  std::int64_t retry_after = 0;  // seconds, as Retry-After says
};

// what() shows nothing of the form, nor of the answer.
struct OutgoingError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Certificates are verified, redirects aren't followed, and an answer has a limit. Denied addresses are passed over.
// Throws OutgoingError.
HttpAnswer post_form(const FormPost& form);

}  // namespace wazoauth

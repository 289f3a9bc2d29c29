// One request of the API, from routing to its response. The carrier of HTTP (nginx, a test) runs its steps on threads
// of the lanes that it asks for.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "wazoauth/rest/router.h"
#include "wazoauth/rest/services.h"

namespace wazoauth {

class Call {
 public:
  // By the router; or by one fixed route, which answers at any path that its location has.
  Call(const Services& services, const Router& router, Request request);
  Call(const Services& services, const Route& route, Request request);
  ~Call();
  const Route* route() const;               // null: no operation has this method and path
  Lane lane() const;                        // that the next step runs on
  std::chrono::milliseconds pause() const;  // before the next step
  bool step();  // runs it, and those that follow on its lane; true when the answer is ready. Never throws.
  // What the next step on Lane::hashing hashes, unless it has a hash by then; else null.
  PasswordToHash* to_hash() const;
  Response& response();
  // Judged by the next step: let it wait for its turn, or don't run it at all.
  const std::optional<Guess>& guess() const;
  enum class Judgement { none, wrong, right };
  Judgement judgement() const;  // of the guess, with the answer

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth

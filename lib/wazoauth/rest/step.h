// A handler returns a Step: a response, or the step that follows and the lane that it runs on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "wazoauth/base/password_hash.h"
#include "wazoauth/http/http.h"
#include "wazoauth/rest/lanes.h"

namespace wazoauth {

class Context;

// A secret that a step judges: whom it is tried for, "" when the request names nobody, and what tells this try from
// others. Guessing is slowed down.
struct Guess {
  std::string login, fingerprint;
};

// Each step has a unit of work of its own, committed when the step returns and rolled back when it throws; no database
// connection is held between steps.
//
// Consecutive steps on one lane run back to back. A step on another lane may never run (client gone, lane full): keep
// work that must complete together on one lane. A step whose transaction others made fail is done again after a pause,
// and by then the client may be gone, too.
struct Step {
  std::optional<Response> response;
  Lane lane = Lane::database;
  std::chrono::milliseconds pause{0};
  std::optional<Guess> guess;               // judged by the next step, which may have to wait for that, or never come
  std::shared_ptr<PasswordToHash> to_hash;  // on Lane::hashing
  std::function<Step(Context&)> next;       // with to_hash: on Lane::database, when it is hashed

  Step(Response r) : response(std::move(r)) {}  // NOLINT: a handler just returns its response
  static Step then(Lane lane, std::function<Step(Context&)> next) {
    Step step;
    step.lane = lane;
    step.next = std::move(next);
    return step;
  }
  static Step judge(Guess guess, Step step) {
    step.guess = std::move(guess);
    return step;
  }
  // Together with what others want hashed; then `next`, on the database lane, with the hash.
  static Step hash(std::string_view password, std::string salt,
                   std::function<Step(Context&, const std::string& hash)> next) {
    const auto hashed = std::make_shared<PasswordToHash>(PasswordToHash{std::string(password), std::move(salt), ""});
    Step step = then(Lane::hashing, [hashed, next = std::move(next)](Context& c) { return next(c, hashed->hash); });
    step.to_hash = hashed;
    return step;
  }
  // On the database lane, after `pause`; no thread sleeps meanwhile.
  static Step after(std::chrono::milliseconds pause, std::function<Step(Context&)> next) {
    Step step = then(Lane::database, std::move(next));
    step.pause = pause;
    return step;
  }

 private:
  Step() = default;
};

}  // namespace wazoauth

#include "wazoauth/rest/trial_answer.h"

#include "wazoauth/base/text.h"

namespace wazoauth {

Field trial_answer() {
  static const auto step = shape("TrialStep", {{.name = "name"},
                                               {.name = "outcome", .choices = {"ok", "warning", "failed"}},
                                               {.name = "reason", .nullable = true},
                                               {.name = "duration_ms", .type = Type::number},
                                               {.name = "details", .type = Type::object}});
  static const auto trial = shape("Trial", {{.name = "success", .type = Type::boolean},
                                            {.name = "duration_ms", .type = Type::number},
                                            list_of(object_of(step), "steps")});
  return object_of(trial);
}

Step take_turn(Context& context, const std::string& what, const std::string& with, Lane lane,
               std::function<Step(Context&)> next) {
  context.guess_counts = true;
  Guess guess = context.guess_at("try " + what);
  guess.fingerprint = sha256_base64url(guess.fingerprint + with);
  return Step::judge(std::move(guess), Step::then(lane, std::move(next)));
}

}  // namespace wazoauth

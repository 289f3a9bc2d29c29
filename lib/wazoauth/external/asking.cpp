#include "wazoauth/external/asking.h"

#include "wazoauth/external/waits.h"
#include "wazoauth/rest/context.h"

namespace wazoauth::external {

namespace {

// The answer is the same when the broker can't be reached, and it is tried again. No thread waits for it.
constexpr std::int64_t broker_limit_ms = 2000;

}  // namespace

Step ask_and_answer(Context& context, Waits& waits, const Authorization& authorization, Response answer) {
  ask(context.db(), authorization, authorization.websocket ? waits.holder() : "");
  if (!authorization.websocket) return answer;
  answer.least_ms = broker_limit_ms;
  answer.soon_enough = [&waits, state = authorization.state] { return !waits.is_opening(state); };
  return Step::then(Lane::database, [&waits, authorization, answer](Context&) {
    waits.listen(authorization.state, *authorization.websocket);
    return Step(answer);
  });
}

}  // namespace wazoauth::external

#include "wazoauth/external/consent.h"

#include "wazoauth/external/pending_authorizations.h"
#include "wazoauth/rest/context.h"

namespace wazoauth::external {

namespace {

// The answer is the same when the broker can't be reached: connecting goes on. No thread waits for it.
constexpr std::int64_t broker_limit_ms = 2000;

}  // namespace

Step start_consent(Context& context, PendingAuthorizations& pending, const Authorization& authorization,
                   Response answer) {
  ask(context.db(), authorization, authorization.websocket ? pending.holder() : "");
  if (!authorization.websocket) return answer;
  answer.hold_for_ms = broker_limit_ms;
  answer.release_early = [&pending, state = authorization.state] { return !pending.is_opening(state); };
  return Step::then(Lane::database, [&pending, authorization, answer](Context&) {
    pending.listen(authorization.state, *authorization.websocket);
    return Step(answer);
  });
}

}  // namespace wazoauth::external

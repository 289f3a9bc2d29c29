// Ends a request that starts an authorization: replies with the consent address and awaits the outcome.
#pragma once

#include "wazoauth/external/authorization.h"
#include "wazoauth/rest/context.h"

namespace wazoauth::external {

class PendingAuthorizations;

// Writes the authorization's row and, when its answer comes from a broker, listens there from the moment that the row
// is committed, even if the client has left. `answer` goes out as soon as the listening has begun, or after 2 s.
Step start_consent(Context& context, PendingAuthorizations& pending, const Authorization& authorization,
                   Response answer);

}  // namespace wazoauth::external

// What a request that asks a person ends with: his "yes" is waited for before the answer goes out.
#pragma once

#include "wazoauth/external/authorization.h"
#include "wazoauth/rest/context.h"

namespace wazoauth::external {

class Waits;

// Writes its row and, when a broker tells what becomes of it, listens there: from the moment that the row is there,
// whether the client waits for the answer or not.
Step ask_and_answer(Context& context, Waits& waits, const Authorization& authorization, Response answer);

}  // namespace wazoauth::external

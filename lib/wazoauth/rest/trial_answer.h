// How the API shows a Trial.
#pragma once

#include "wazoauth/base/trial.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

Field trial_answer();  // for Route::answer

// A try of what isn't saved, or with somebody's password, takes its turn as guesses at a password do: nobody looks for
// ports or passwords by it, faster than logins would let them. `what`: and whose, "ldap <tenant>". Then `next`, on that
// lane.
Step take_turn(Context& context, const std::string& what, Lane lane, std::function<Step(Context&)> next);

}  // namespace wazoauth

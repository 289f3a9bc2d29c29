// How the API shows a Trial.
#pragma once

#include "wazoauth/base/trial.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

Field trial_answer();  // for Route::answer

// A try takes its turn as guesses at a password do: nobody looks for ports or passwords by it faster than logins would
// let them. `what`: and whose, "ldap <tenant>". `with`: whatever makes it another try than the last one, beside what
// the request says; its secrets are safe there. Then `next`, on that lane.
Step take_turn(Context& context, const std::string& what, const std::string& with, Lane lane,
               std::function<Step(Context&)> next);

}  // namespace wazoauth

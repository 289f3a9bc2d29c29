// The gate's demands on a request's target and of the values that enter a required access (docs/ARCHITECTURE.md,
// "Gate").
#pragma once

#include <string>
#include <string_view>

namespace wazoauth::gate {

// True when nginx, the gate and the upstream read the same path in this raw target: before '?' no %2f, %5c, %00,
// backslash, '#' or "//", and no segment that is "." or ".." in any encoding, or nothing, before its first ';' or %3b.
bool unambiguous(std::string_view raw_target);

// Appends a variable's value to a required access, '.' as '_'. False: the value is refused (empty, a control byte, '#'
// or '*').
bool append_value(std::string& access, std::string_view value);

// $wazo_auth_method_verb: "read", "create", "update", "delete"; "" for other methods.
std::string_view verb(std::string_view method);

// `args` without the parameters of this name.
std::string strip_parameter(std::string_view args, std::string_view name);

}  // namespace wazoauth::gate

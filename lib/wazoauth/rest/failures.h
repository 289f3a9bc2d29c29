// Failures that several routes declare.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth::failures {

inline const Failure unknown_user{404, Form::a, "unknown-user"};
inline const Failure unknown_group{404, Form::a, "unknown-group"};
inline const Failure no_such_policy{404, Form::r, "No such policy"};
inline const Failure unknown_tenant{404, Form::a, "unknown-tenant"};
inline const Failure unknown_email{404, Form::a, "unknown-email"};
inline const Failure unauthorized{401, Form::a, "unauthorized"};
inline const Failure managed_externally{405, Form::a, "password-managed-externally"};
inline const Failure login_failed{401, Form::r, "Authentication Failed"};
inline const Failure forbidden_group{403, Form::a, "forbidden-group"};
inline const Failure forbidden_access{401, Form::a, "unauthorized"};  // an access that the caller may not hand on
inline const Failure read_only_policy{403, Form::r, "Forbidden policy deletion"};
inline const Failure invalid_data{400, Form::a, "invalid-data"};
inline const Failure throttled{429, Form::a, "too-many-requests"};
inline const Failure conflict{409, Form::a, "conflict"};
inline const Failure taken{409, Form::r, "already exists"};

}  // namespace wazoauth::failures

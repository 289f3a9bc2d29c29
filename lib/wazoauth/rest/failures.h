// Failures that several routes declare.
#pragma once

#include "wazoauth/rest/route.h"

namespace wazoauth::failures {

inline const Failure unknown_user{404, ErrorForm::error_id, "unknown-user"};
inline const Failure unknown_group{404, ErrorForm::error_id, "unknown-group"};
inline const Failure no_such_policy{404, ErrorForm::reason, "No such policy"};
inline const Failure unknown_tenant{404, ErrorForm::error_id, "unknown-tenant"};
inline const Failure unknown_email{404, ErrorForm::error_id, "unknown-email"};
inline const Failure unauthorized{401, ErrorForm::error_id, "unauthorized"};
inline const Failure managed_externally{405, ErrorForm::error_id, "password-managed-externally"};
inline const Failure login_failed{401, ErrorForm::reason, "Authentication Failed"};
inline const Failure forbidden_group{403, ErrorForm::error_id, "forbidden-group"};
inline const Failure forbidden_access{401, ErrorForm::error_id,
                                      "unauthorized"};  // an access that the caller may not hand on
inline const Failure read_only_policy{403, ErrorForm::reason, "Forbidden policy deletion"};
inline const Failure invalid_data{400, ErrorForm::error_id, "invalid-data"};
inline const Failure throttled{429, ErrorForm::error_id, "too-many-requests"};
inline const Failure conflict{409, ErrorForm::error_id, "conflict"};
inline const Failure taken{409, ErrorForm::reason, "already exists"};

}  // namespace wazoauth::failures

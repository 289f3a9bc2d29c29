// Deletes the stored logins by SAML when they are old enough.
#pragma once

#include <cstdint>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::saml {

// Deletes logins that began more than `lifetime` seconds ago, and subjects whose sessions ended that long ago.
void clean_up(Database& database, std::int64_t lifetime);

}  // namespace wazoauth::saml

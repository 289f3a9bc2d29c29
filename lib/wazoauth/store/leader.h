// Leadership among the nginx that share a database: the holder of a session advisory lock works for all of them.
//
// The lock belongs to the only connection of a Database that nothing else uses; it ends with that connection.
#pragma once

#include <string_view>

#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

DatabaseOptions leader_options(DatabaseOptions options);  // one connection, kept open

// True when this Database's connection holds the lock, now or since before. Throws Unavailable.
bool take_lead(Database& database, std::string_view name);

// Lets another one lead: this nginx can't do the work at the moment. take_lead() asks for it again.
void give_up_lead(Database& database);

// As the first statement of a transaction: throws Unavailable when the lock was lost with its connection, and another
// one has it now.
void require_lead(UnitOfWork& unit, std::string_view name);

}  // namespace wazoauth

// From options to what libpq is given.
#pragma once

#include <string>

#include "wazoauth/store/database_options.h"

namespace wazoauth {

// SQLAlchemy's "postgresql+psycopg2://..." without the driver; anything else as it is.
std::string libpq_uri(const std::string& url);

// libpq's message about a conninfo that it doesn't understand, without what it quotes of it: that may be the password.
std::string conninfo_error(const char* message);

// keyword='value' text: the options' conninfo with time limits and keepalives wherever it sets none itself.
// Throws std::runtime_error for a conninfo that libpq doesn't understand, or that can't lead to a server that is
// written to.
std::string connection_string(const DatabaseOptions& options);

// What a new connection runs first, "" for nothing: limits and the like, wherever the conninfo's own `options` don't
// name them. No `options` of ours in the conninfo: PgBouncer refuses those.
std::string session_settings(const DatabaseOptions& options);

}  // namespace wazoauth

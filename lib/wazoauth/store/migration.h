// The schema of a database: wazo-auth's own (docs/spec/schema.md section 4) and ours beside it (docs/ARCHITECTURE.md,
// "Ours in somebody's database").
//
// sql/schema/0001 is wazo-auth's schema, for a database that has none; wazo-auth's own marker tells. The files after
// it are ours, in ascending order, each one transaction; table wazo_auth.migration tells which were applied. Files
// with CREATE INDEX CONCURRENTLY run outside a transaction, whenever an index of theirs is missing or invalid. Files
// with functions are applied again when a trigger of ours is missing, so they may only hold what can be repeated.
//
// conninfo: as in DatabaseOptions, of a database that isn't behind a pooler. Every function here throws Unavailable
// when there is no connection, and std::runtime_error with a text for the administrator.
#pragma once

#include <string>

namespace wazoauth {

// Creates or adopts wazo-auth's schema, then brings ours up to date. One at a time per database; the others wait.
// Refuses, without a change, tables of another revision, and a role that lacks a right: then what() has the GRANT.
// Not inside a transaction: it waits for those of others.
void upgrade_database(const std::string& conninfo);

// All that serving needs is there; indexes don't count. Throws, with the GRANT, when the role may not use it.
bool ours_installed(const std::string& conninfo);

// The work of upgrade_database() as a script for psql that an administrator can run.
std::string print_upgrade(const std::string& conninfo);

// Removes all of ours, with events that weren't told yet. wazo-auth's schema is as it was.
void detach(const std::string& conninfo);

}  // namespace wazoauth

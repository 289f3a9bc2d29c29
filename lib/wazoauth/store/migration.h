// The schema of a database: wazo-auth's own (docs/spec/schema.md section 4) and ours beside it (docs/ARCHITECTURE.md,
// "Ours in somebody's database").
//
// sql/schema/0001 is wazo-auth's schema, for a database that has none; wazo-auth's own marker tells. The files after
// it are ours, in ascending order, each one transaction; table wazo_auth.migration tells which were applied. Files
// with CREATE INDEX CONCURRENTLY run outside a transaction, whenever an index of theirs is missing or invalid. Files
// with functions are applied again when a trigger of ours is missing, so they may only hold what can be repeated.
//
// wazo-auth's tables may be of a later revision than 0001's: what counts is whether all that we use of them is there
// (sql/schema/relied_on.sql).
//
// conninfo: as in DatabaseOptions, of a database that isn't behind a pooler. Every function here throws Unavailable
// when there is no connection, and std::runtime_error with a text for the administrator.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "wazoauth/store/direct_connection.h"

namespace wazoauth {

// How a database's schema fits this version.
struct SchemaFit {
  std::string newer;               // wazo-auth's revision, where this version doesn't know it
  std::vector<std::string> lacks;  // what this version uses of wazo-auth's tables and isn't there
  bool ours = false;               // all of ours that serving needs is there; indexes don't count
  bool complete = false;           // and all indexes: upgrade_database() has nothing to do

  std::string text() const;  // of the first two, for the administrator; "" where there is nothing to say
};

// Changes nothing. Throws for tables of a revision that is too old, and, with the GRANT, where ours is there and the
// role may not use it.
SchemaFit check_schema(const std::string& conninfo);

// A step of upgrade_database() that is about to begin: the first of three is 1 of 3.
struct UpgradeStep {
  std::size_t number, count;
  std::string what;
};

// Creates or adopts wazo-auth's schema, then brings ours up to date. One at a time per database; the others wait.
// Refuses, without a change, tables that are too old or lack something, and a role that lacks a right: then what() has
// the GRANT. Not inside a transaction: it waits for those of others.
SchemaFit upgrade_database(const std::string& conninfo, const std::function<void(const UpgradeStep&)>& tell = {});

// What PostgreSQL says of indexes that are being made in this database, such as "building index, 43 %"; "" for none.
class IndexWatch {
 public:
  explicit IndexWatch(const std::string& conninfo) : connection_(conninfo) {}
  std::string look();

 private:
  DirectConnection connection_;
};

// The work of upgrade_database() as a script for psql that an administrator can run.
std::string print_upgrade(const std::string& conninfo);

// Removes all of ours, with events that weren't told yet. wazo-auth's schema is as it was.
void detach(const std::string& conninfo);

}  // namespace wazoauth

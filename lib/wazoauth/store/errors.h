// Errors of the database, by what the caller can do about them.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace wazoauth {

// The database can't be reached, doesn't answer in time, or has no connection to spare.
struct Unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Something that a statement needs isn't there, or is of another kind: somebody migrated the tables.
struct SchemaLacks : Unavailable {
  using Unavailable::Unavailable;
};

// SQLSTATE class 23. `constraint` is the violated constraint's or unique index's name.
struct ConstraintViolation : std::runtime_error {
  ConstraintViolation(const std::string& what, std::string state, std::string name)
      : std::runtime_error(what), sqlstate(std::move(state)), constraint(std::move(name)) {}
  std::string sqlstate, constraint;
  bool unique() const { return sqlstate == "23505"; }
  bool foreign_key() const { return sqlstate == "23503"; }
};

// SQLSTATE class 22 or 54: a value that PostgreSQL refuses (out of range, NUL in text, bad timestamp, too long).
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Somebody makes a token of what is locked (sql/schema/0013_wazo_auth_locks.sql). what(): "locked: user <uuid>" say.
struct Locked : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A deadlock or serialisation failure: the same work may succeed when it is done again.
struct SerializationFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace wazoauth

// One transaction a request, of the named statements of sql/queries.
//
// A statement is text between `-- name: users.get` lines in sql/queries/*.sql, with $1, $2... for parameters. It is
// prepared on first use on each connection. Parameters go as text; PostgreSQL casts them, so write `$1::int` where the
// type isn't clear from the context. `{word}` in a statement is replaced from `Variant`s (only words from code, never
// user input): every variant is a prepared statement of its own.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/store/actor.h"
#include "wazoauth/store/database.h"
#include "wazoauth/store/errors.h"
#include "wazoauth/store/event.h"
#include "wazoauth/store/param.h"
#include "wazoauth/store/rows.h"
#include "wazoauth/store/token_notice.h"

namespace wazoauth {

using Variant = std::pair<std::string_view, std::string_view>;  // {word} → text

enum class Mode {
  write,      // one transaction, committed by commit(), else rolled back
  read_only,  // every statement by itself; nothing to commit
};

// The transaction of one request. Takes a connection at the first statement and gives it back at commit() or
// at its end. A first statement that finds a dead connection, a server that became read-only, or a table that was
// altered is repeated on a new connection; a later one throws SerializationFailure where the whole unit is worth a
// second try.
class UnitOfWork {
 public:
  // `actor`: who is behind the changes, asked when the transaction begins; null: this server itself.
  explicit UnitOfWork(Database& database, Mode mode = Mode::write, const Actor* actor = nullptr);
  ~UnitOfWork();
  UnitOfWork(const UnitOfWork&) = delete;
  UnitOfWork& operator=(const UnitOfWork&) = delete;

  Rows run(std::string_view statement, std::initializer_list<Param> params = {},
           std::initializer_list<Variant> variants = {});
  Rows run(std::string_view statement, const std::vector<Param>& params, const std::vector<Variant>& variants = {});
  Rows execute(const std::string& sql, const std::vector<Param>& params = {});  // text that isn't in sql/queries

  // Runs `work`; when it throws, what it did is undone and the transaction goes on.
  template <typename Work>
  void savepoint(Work work) {
    execute("SAVEPOINT wazo_auth_part");
    try {
      work();
    } catch (...) {
      execute("ROLLBACK TO SAVEPOINT wazo_auth_part");
      throw;
    }
    execute("RELEASE SAVEPOINT wazo_auth_part");
  }

  void publish(const Event& event);  // into the outbox, in this transaction, in order

  // Undoes all of it, its events too. What follows is another transaction.
  void roll_back();
  // Commits. Returns what the triggers on auth_token say of tokens that this transaction ended or changed, whatever did
  // it.
  TokenNotice commit();
  bool started() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wazoauth

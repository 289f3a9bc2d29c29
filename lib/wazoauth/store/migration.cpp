#include "wazoauth/store/migration.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "wazoauth/base/log.h"
#include "wazoauth/store/direct_connection.h"
#include "wazoauth/store/embedded_sql.h"

namespace wazoauth {
namespace {

constexpr std::string_view index_start = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ";
constexpr std::string_view marker = "1c862ebfbb3a";

constexpr std::array<std::string_view, 11> older_markers = {
    "8216b7bb88db", "3db769f10acb", "a1149ec5ad50", "1cd6161394d0", "036d80b11825", "d79360e9e554",
    "2903ea6f2f20", "26146ddb2111", "4e674b12400f", "ee3444ea3a43", "8c14d2c98235"};

std::vector<SqlFile> schema_files() {
  std::vector<SqlFile> files;
  for (const SqlFile& file : embedded_sql()) {
    if (file.name.substr(0, 8) == "schema/0") files.push_back({file.name.substr(7), file.text});
  }
  return files;
}

std::string text_of(std::string_view name) {
  for (const SqlFile& file : embedded_sql()) {
    if (file.name == name) return std::string(file.text);
  }
  throw std::logic_error("no " + std::string(name));
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
bool makes_indexes(const SqlFile& file) {
  return has(file.text, index_start);
}
bool makes_functions(const SqlFile& file) {
  return has(file.text, "CREATE OR REPLACE FUNCTION");
}

// The words that follow `before` in a text.
std::vector<std::string> words_after(std::string_view text, std::string_view before) {
  std::vector<std::string> words;
  for (std::size_t at = text.find(before); at != text.npos; at = text.find(before, at)) {
    at += before.size();
    words.emplace_back(text.substr(at, text.find_first_of(" ;(\n", at) - at));
  }
  return words;
}

std::string array_literal(const std::vector<std::string>& names) {
  std::string text = "{";
  for (const std::string& name : names) text += (text.size() > 1 ? "," : "") + name;
  return text + "}";
}

// -- what is there -----------------------------------------------------------------------------------------------

struct State {
  bool tables_missing = false;  // wazo-auth's own, all of them
  std::string newer;            // their revision, when this version doesn't know it
  std::vector<std::string> lacks;
  std::vector<SqlFile> pending;  // of ours, each one transaction
  std::vector<SqlFile> indexes;  // to be run outside a transaction
  bool nothing_to_do() const { return !tables_missing && pending.empty() && indexes.empty(); }
};

[[noreturn]] void refuse_rights(const std::string& role, const std::vector<DirectConnection::Row>& grants) {
  std::string text = "the role \"" + role + "\" lacks rights in this database. An administrator has to run:";
  for (const auto& grant : grants) text += "\n  " + grant[0];
  throw std::runtime_error(text + "\nor else what wazo-auth-upgrade-db --print writes");
}

void require(DirectConnection& connection, const std::string& grants_sql, const std::vector<std::string>& params) {
  const auto grants = connection.run(grants_sql, params);
  if (!grants.empty()) refuse_rights(connection.value("SELECT current_user"), grants);
}

// "", or the revision of a migration that came after this version.
std::string newer_revision(DirectConnection& connection) {
  const auto rows = connection.run("SELECT version_num FROM public.alembic_version_auth");
  if (rows.size() != 1) throw std::runtime_error("alembic_version_auth should have one row; nothing was changed");
  const std::string& found = rows[0][0];
  if (found == marker) return "";
  if (std::find(older_markers.begin(), older_markers.end(), found) != older_markers.end()) {
    throw std::runtime_error("the tables of wazo-auth have the old revision " + found +
                             "; upgrade Wazo to 25.09 or later first. Nothing was changed");
  }
  return found;
}

std::vector<std::string> lacks(DirectConnection& connection) {
  std::vector<std::string> texts;
  for (const auto& row : connection.run(text_of("schema/relied_on.sql") + text_of("schema/lacks.sql")))
    texts.push_back(row[0]);
  return texts;
}

std::vector<std::string> wazo_auth_tables() {
  std::vector<std::string> names = words_after(schema_files().front().text, "CREATE TABLE auth_");
  for (std::string& name : names) name.insert(0, "auth_");
  return names;
}

// What there is of wazo-auth's own. Throws for what can't be adopted.
State inspect_tables(DirectConnection& connection) {
  const auto found = connection.run(
      "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::name[])",
      {array_literal(wazo_auth_tables())});
  require(connection,
          "SELECT format('GRANT SELECT ON public.alembic_version_auth TO %I;', current_user) "
          "WHERE NOT has_table_privilege(to_regclass('public.alembic_version_auth'), 'SELECT')",
          {});
  const bool marked = connection.value("SELECT to_regclass('public.alembic_version_auth')") != "" &&
                      !connection.run("SELECT 1 FROM public.alembic_version_auth").empty();
  State state;
  state.tables_missing = !marked && found.empty();
  if (state.tables_missing) return state;
  if (!marked) {
    throw std::runtime_error("there are tables of wazo-auth (" + found[0][0] +
                             "), but alembic_version_auth doesn't tell their revision; nothing was changed");
  }
  state.newer = newer_revision(connection);
  state.lacks = lacks(connection);
  return state;
}

std::vector<DirectConnection::Row> applied_files(DirectConnection& connection) {
  require(connection,
          "SELECT format('GRANT USAGE ON SCHEMA wazo_auth TO %I;', current_user) FROM pg_namespace "
          "WHERE nspname = 'wazo_auth' AND NOT has_schema_privilege(oid, 'USAGE')",
          {});
  if (connection.value("SELECT to_regclass('wazo_auth.migration')") == "") return {};
  require(connection,
          "SELECT format('GRANT SELECT ON wazo_auth.migration TO %I;', current_user) "
          "WHERE NOT has_table_privilege('wazo_auth.migration', 'SELECT')",
          {});
  return connection.run("SELECT name FROM wazo_auth.migration");
}

bool triggers_missing(DirectConnection& connection, const std::vector<SqlFile>& files) {
  std::vector<std::string> names;
  for (const SqlFile& file : files) {
    const auto more = words_after(file.text, "CREATE TRIGGER ");
    names.insert(names.end(), more.begin(), more.end());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());  // later files make some of them anew
  return connection.value(
             "SELECT count(*) FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid "
             "WHERE p.pronamespace = to_regnamespace('wazo_auth') AND tgenabled IN ('O', 'A') "
             "AND tgname = ANY ($1::name[])",
             {array_literal(names)}) != std::to_string(names.size());
}

// Those of a file that aren't there, or not valid.
std::vector<std::string> missing_indexes(DirectConnection& connection, const SqlFile& file) {
  std::vector<std::string> names = words_after(file.text, index_start);
  const auto valid = connection.run(
      "SELECT c.relname FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid "
      "WHERE c.relnamespace = 'public'::regnamespace AND i.indisvalid AND c.relname = ANY ($1::name[])",
      {array_literal(names)});
  for (const auto& row : valid) std::erase(names, row[0]);
  return names;
}

State inspect(DirectConnection& connection) {
  const std::vector<SqlFile> files = schema_files();
  State state = inspect_tables(connection);
  const auto applied = applied_files(connection);
  const bool repeat = triggers_missing(connection, files);
  for (std::size_t i = 1; i < files.size(); ++i) {
    const SqlFile& file = files[i];
    const DirectConnection::Row name{std::string(file.name)};
    if (makes_indexes(file)) {
      if (!missing_indexes(connection, file).empty()) state.indexes.push_back(file);
    } else if ((repeat && makes_functions(file)) || std::find(applied.begin(), applied.end(), name) == applied.end()) {
      state.pending.push_back(file);
    }
  }
  return state;
}

// -- rights ------------------------------------------------------------------------------------------------------

// A superuser's role should not be granted.
constexpr const char* owners_sql = R"(
SELECT DISTINCT CASE WHEN r.rolsuper THEN format('ALTER %s %s OWNER TO %I;', o.kind, o.name, current_user)
                     ELSE format('GRANT %I TO %I;', r.rolname, current_user) END
FROM (SELECT 'TABLE', oid::regclass::text, relowner FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
        AND relname IN ('auth_address', 'auth_email', 'auth_external_auth_config', 'auth_external_auth_type',
                        'auth_group', 'auth_group_policy', 'auth_ldap_config', 'auth_policy', 'auth_policy_access',
                        'auth_refresh_token', 'auth_saml_config', 'auth_saml_session', 'auth_session', 'auth_tenant',
                        'auth_tenant_domain', 'auth_token', 'auth_user', 'auth_user_external_auth',
                        'auth_user_group', 'auth_user_policy')
      UNION ALL
      SELECT 'SCHEMA', nspname, nspowner FROM pg_namespace WHERE nspname = 'wazo_auth') AS o (kind, name, owner)
JOIN pg_roles AS r ON r.oid = o.owner
WHERE NOT pg_has_role(o.owner, 'USAGE'))";

// The privileges that serving needs, on our tables and on wazo-auth's own.
constexpr const char* use_sql = R"(
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA wazo_auth TO %I;', current_user)
FROM pg_class
WHERE relnamespace = 'wazo_auth'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
           AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
UNION
SELECT format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA wazo_auth TO %I;', current_user)
FROM pg_class
WHERE relnamespace = 'wazo_auth'::regnamespace
  -- CASE: of anything but a sequence the function is an error, and AND has no order.
  AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(oid, 'USAGE') ELSE false END)";
constexpr const char* tables_use_sql = R"(
SELECT format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I;',
              string_agg(format('public.%I', relname), ', ' ORDER BY relname), current_user)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::name[])
  AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
           AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
HAVING count(*) > 0
UNION
SELECT format('GRANT USAGE ON SEQUENCE public.%I TO %I;', relname, current_user)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname IN ('auth_acl_template_id_seq', 'auth_address_id_seq')
  AND CASE relkind WHEN 'S' THEN NOT has_sequence_privilege(oid, 'USAGE') ELSE false END)";

std::vector<DirectConnection::Row> missing_on_tables(DirectConnection& connection) {
  return connection.run(tables_use_sql, {array_literal(wazo_auth_tables())});
}

void require_use(DirectConnection& connection) {
  auto grants = connection.run(use_sql);
  for (auto& grant : missing_on_tables(connection)) grants.push_back(std::move(grant));
  if (!grants.empty()) refuse_rights(connection.value("SELECT current_user"), grants);
}

std::string creation_sql(const State& state) {
  std::string sql = "SELECT '' WHERE false";
  const std::string in_database = "format('GRANT CREATE ON DATABASE %I TO %I;', current_database(), current_user)";
  const std::string no_right = " AND NOT has_database_privilege(current_database(), 'CREATE')";
  if (!state.pending.empty()) {
    sql += " UNION SELECT " + in_database +
           " WHERE (to_regnamespace('wazo_auth') IS NULL"
           " OR NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'))" +
           no_right;
  }
  if (state.tables_missing) {
    sql += " UNION SELECT " + in_database +
           " WHERE NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'uuid-ossp')" + no_right;
  }
  if (state.tables_missing || !state.indexes.empty()) {
    sql +=
        " UNION SELECT format('GRANT CREATE ON SCHEMA public TO %I;', current_user) "
        "WHERE NOT has_schema_privilege('public', 'CREATE')";
  }
  return sql;
}

std::vector<DirectConnection::Row> missing_grants(DirectConnection& connection, const State& state) {
  auto grants = connection.run(creation_sql(state));
  const auto owners = connection.run(owners_sql);
  grants.insert(grants.end(), owners.begin(), owners.end());
  return grants;
}

// -- changes -----------------------------------------------------------------------------------------------------

std::string with_record(const SqlFile& file) {
  return std::string(file.text) + "INSERT INTO wazo_auth.migration (name) VALUES ('" + std::string(file.name) +
         "')\nON CONFLICT (name) DO UPDATE SET applied_at = now();\n";
}

// Triggers need a lock that other writers wait behind: so never wait for it long.
void in_transaction(DirectConnection& connection, const std::string& sql) {
  for (int attempt = 1;; ++attempt) {
    try {
      connection.run("BEGIN; SET LOCAL lock_timeout = '2s';\n" + sql + "\nCOMMIT");
      return;
    } catch (const SqlError& error) {
      if (error.sqlstate.empty()) throw;
      connection.run("ROLLBACK");
      if ((error.sqlstate != "55P03" && error.sqlstate != "40P01") || attempt == 60) throw;
      log::info("schema: the tables are in use, trying again");
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
  }
}

std::vector<std::string> drop_invalid(DirectConnection& connection, const SqlFile& file) {
  const auto rows = connection.run(
      "SELECT format('DROP INDEX CONCURRENTLY %s;', c.oid::regclass) "
      "FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid "
      "WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisvalid AND c.relname = ANY ($1::name[])",
      {array_literal(words_after(file.text, index_start))});
  std::vector<std::string> statements;
  for (const auto& row : rows) statements.push_back(row[0]);
  return statements;
}

// gin_trgm_ops is where pg_trgm is.
constexpr const char* find_trigrams_sql =
    "SELECT set_config('search_path', 'public, ' || quote_ident(n.nspname), false) "
    "FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'";

// Tells of each step, in the log and to whom else it may concern.
class Steps {
 public:
  Steps(std::size_t count, const std::function<void(const UpgradeStep&)>& tell) : count_(count), tell_(tell) {}

  void begin(const std::string& what) {
    ++number_;
    log::info("schema: " + what + " (" + std::to_string(number_) + " of " + std::to_string(count_) + ")");
    if (tell_) tell_({number_, count_, what});
  }

 private:
  std::size_t number_ = 0;
  const std::size_t count_;
  const std::function<void(const UpgradeStep&)>& tell_;
};

void make_indexes(DirectConnection& connection, const SqlFile& file, Steps& steps) {
  connection.run(find_trigrams_sql);
  for (const std::string& statement : drop_invalid(connection, file)) connection.run(statement);
  const auto missing = missing_indexes(connection, file);
  for (std::size_t at = file.text.find(index_start); at != file.text.npos; at = file.text.find(index_start, at + 1)) {
    const std::string statement(file.text.substr(at, file.text.find(';', at) - at));
    const std::string name = words_after(statement, index_start).front();
    if (std::find(missing.begin(), missing.end(), name) == missing.end()) continue;
    steps.begin("making index " + name);
    connection.run(statement);
  }
  connection.run("RESET search_path");
}

// Tried again and again instead of waited for: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY
// waits for the end of those.
void lock_upgrades(DirectConnection& connection) {
  for (int tries = 0; connection.value("SELECT pg_try_advisory_lock(hashtext('wazo_auth.migration'))") != "t";
       ++tries) {
    if (tries == 20) log::info("schema: another upgrade of this database is at work, waiting for its end");
    if (tries == 6000) throw std::runtime_error("another upgrade of this database doesn't end");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

std::size_t count_steps(DirectConnection& connection, const State& state) {
  std::size_t count = state.pending.size() + (state.tables_missing ? 1 : 0);
  for (const SqlFile& file : state.indexes) count += missing_indexes(connection, file).size();
  return count;
}

void apply(DirectConnection& connection, const State& state, Steps& steps) {
  if (state.tables_missing) {
    steps.begin("creating the tables of wazo-auth");
    in_transaction(connection, std::string(schema_files().front().text));
  }
  for (const SqlFile& file : state.pending) {
    steps.begin("applying " + std::string(file.name));
    in_transaction(connection, with_record(file));
  }
  for (const SqlFile& file : state.indexes) make_indexes(connection, file, steps);
}

// -- the script ----------------------------------------------------------------------------------------------------

// Rights that `owner` needs for the time of the script.
std::vector<std::string> rights_to_lend(DirectConnection& connection, const std::string& owner) {
  std::vector<std::string> rights;
  if (connection.value("SELECT has_database_privilege($1, current_database(), 'CREATE')", {owner}) != "t")
    rights.push_back("CREATE ON DATABASE " + connection.value("SELECT quote_ident(current_database())"));
  if (connection.value("SELECT has_schema_privilege($1, 'public', 'CREATE')", {owner}) != "t")
    rights.emplace_back("CREATE ON SCHEMA public");
  return rights;
}

std::string script(DirectConnection& connection, const State& state) {
  if (state.nothing_to_do()) return "-- This database is up to date.\n";
  const std::string user = connection.value("SELECT current_user");
  std::string owner =
      connection.value("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('public.auth_token')");
  if (owner.empty()) owner = user;
  const auto rights = rights_to_lend(connection, owner);
  const std::string quoted = connection.identifier(owner);

  std::string text = "-- For psql, as a superuser, in database " + connection.value("SELECT current_database()") + "\n";
  text += "\\set ON_ERROR_STOP on\n";
  for (const std::string& right : rights) text += "GRANT " + right + " TO " + quoted + ";\n";
  if (state.tables_missing) text += "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;\n";
  text += "SET ROLE " + quoted + ";\n";
  if (state.tables_missing) text += "BEGIN;\n" + std::string(schema_files().front().text) + "COMMIT;\n";
  for (const SqlFile& file : state.pending) text += "BEGIN;\n" + with_record(file) + "COMMIT;\n";
  for (const SqlFile& file : state.indexes) {
    for (const std::string& statement : drop_invalid(connection, file)) text += statement + "\n";
    text += std::string(find_trigrams_sql) + " \\gset ignored_\n" + std::string(file.text) + "RESET search_path;\n";
  }
  text += "RESET ROLE;\n";
  for (const std::string& right : rights) text += "REVOKE " + right + " FROM " + quoted + ";\n";
  if (user == owner) return text;
  const std::string to = " IN SCHEMA wazo_auth TO " + connection.identifier(user) + ";\n";
  text += "GRANT USAGE ON SCHEMA wazo_auth TO " + connection.identifier(user) + ";\n";
  text += "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES" + to + "GRANT USAGE ON ALL SEQUENCES" + to;
  for (const auto& grant : missing_on_tables(connection)) text += grant[0] + "\n";
  return text;
}

void refuse_lacks(const State& state) {
  if (!state.lacks.empty())
    throw std::runtime_error(SchemaFit{state.newer, state.lacks}.text() + ". Nothing was changed");
}

}  // namespace

std::string SchemaFit::text() const {
  const std::string tables =
      "the tables of wazo-auth have " +
      (newer.empty() ? "revision " + std::string(marker) : "revision " + newer + ", which this version doesn't know");
  if (lacks.empty()) return newer.empty() ? "" : tables + ". All that it uses is there";
  std::string list;
  for (const std::string& lack : lacks) list += (list.empty() ? "" : "; ") + lack;
  return tables + (newer.empty() ? ", but this version lacks: " : ", and it lacks: ") + list;
}

SchemaFit check_schema(const std::string& conninfo) {
  DirectConnection connection(conninfo);
  State state = inspect(connection);
  SchemaFit fit{std::move(state.newer), std::move(state.lacks), !state.tables_missing && state.pending.empty(),
                state.nothing_to_do()};
  if (fit.ours) require_use(connection);
  return fit;
}

SchemaFit upgrade_database(const std::string& conninfo, const std::function<void(const UpgradeStep&)>& tell) {
  DirectConnection connection(conninfo);
  lock_upgrades(connection);
  const State state = inspect(connection);
  refuse_lacks(state);
  if (!state.nothing_to_do()) {
    const auto grants = missing_grants(connection, state);
    if (!grants.empty()) refuse_rights(connection.value("SELECT current_user"), grants);
    Steps steps(count_steps(connection, state), tell);
    apply(connection, state, steps);
  }
  require_use(connection);
  return {state.newer, {}, true, true};
}

std::string IndexWatch::look() {
  return connection_.value(
      "SELECT concat_ws(', ', phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total || ' %' "
      "WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total || ' %' END) "
      "FROM pg_stat_progress_create_index WHERE datname = current_database() LIMIT 1");
}

std::string print_upgrade(const std::string& conninfo) {
  DirectConnection connection(conninfo);
  const State state = inspect(connection);
  refuse_lacks(state);
  return script(connection, state);
}

void detach(const std::string& conninfo) {
  DirectConnection connection(conninfo);
  lock_upgrades(connection);
  // Without the triggers an nginx would go on for seconds with tokens that are revoked.
  const std::string listeners = connection.value(
      "SELECT coalesce(string_agg(concat_ws(' from ', 'process ' || pid, host(client_addr)), ', ' ORDER BY pid), '') "
      "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% listen'");
  if (!listeners.empty()) {
    throw std::runtime_error(
        "an nginx still uses this database (" + listeners +
        "): stop it, or take wazo_auth_* out of its configuration and restart it. Nothing was changed");
  }
  in_transaction(connection, text_of("schema/detach.sql"));
}

}  // namespace wazoauth

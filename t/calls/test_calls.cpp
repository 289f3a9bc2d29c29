// Requests of the API on a real PostgreSQL, without nginx: what their steps commit, and what happens between them.
#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "../unit/check.h"
#include "platform.h"
#include "wazoauth/base/log.h"
#include "wazoauth/cache/node_state.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/node/seed.h"
#include "wazoauth/store/migration.h"
#include "wazoauth/store/token_key.h"
#include "wazoauth/user/bootstrap.h"

using namespace wazoauth;
using check::equal;

namespace {

constexpr char root[] = "root", root_password[] = "t0p-s3cret", password[] = "0pen-sesame";

std::string conninfo() {
  const char* given = std::getenv("WAZO_AUTH_TEST_DATABASE");
  if (!given) throw std::runtime_error("run it through t/with_postgres.py");
  return given;
}

class Lock : public ZoneLock {
 public:
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// What all tests of this file share: the users that they make have names of their own.
struct Stand {
  Stand() : memory(4 << 20), sql(conninfo()) {
    upgrade_database(conninfo());
    std::vector<std::string> warnings;
    Zone::format(memory.data(), memory.size());
    zone.emplace(memory.data(), memory.size(), lock, node);
    platform.emplace(conninfo(), &*zone);
    seed(platform->services().database, platform->services().settings, [] {});
    create_initial_user(platform->services().database, root, root_password, "internal",
                        "wazo_default_master_user_policy");
    token = platform->log_in(root, root_password);
  }

  std::string count(const std::string& from) { return sql.value("SELECT count(*) FROM " + from); }
  std::string new_user(const std::string& name) {
    const Answer made = platform->send("POST", "/users", token, user(name));
    check::equal(made.status, 200, made.body.dump());
    return std::string(made.body.get("uuid").text());
  }
  static Json user(const std::string& name) { return Json::object({{"username", name}, {"password", password}}); }
  void end_connections() {
    sql.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  }

  Lock lock;
  NodeState node;
  std::vector<char> memory;
  std::optional<Zone> zone;
  std::optional<Platform> platform;
  DirectConnection sql;
  std::string token;  // of root
};

Stand& stand() {
  static Stand stand;
  return stand;
}

// Runs the steps before the one that waits for `lane`.
void advance_to(Call& call, Lane lane) {
  while (call.lane() != lane) check::never(call.step(), "the answer is ready");
}
void advance(Call& call, Lane lane) {
  advance_to(call, lane);
  while (call.lane() == lane) check::never(call.step(), "the answer is ready");
}

void a_login_hashes_without_a_connection(void**) {
  Stand& s = stand();
  s.new_user("lanes");
  Call login = s.platform->begin_login("lanes", password);
  const Answer answer = finish(login);
  equal(answer.status, 200);
  check::that(answer.lanes == std::vector{Lane::database, Lane::hashing, Lane::database}, "lanes of a login");
  equal(s.count("auth_token WHERE uuid = '" + std::string(answer.body.get("data").get("token").text()) + "'"), "1");
}

void a_login_that_is_given_up_leaves_nothing(void**) {
  Stand& s = stand();
  const std::string uuid = s.new_user("gone");
  {
    Call login = s.platform->begin_login("gone", password);
    advance(login, Lane::hashing);
  }
  equal(s.count("auth_token WHERE auth_id = '" + uuid + "'"), "0");
  equal(s.count("pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"), "0");
}

// Both verified the old password before either wrote.
void one_of_two_password_changes_wins(void**) {
  Stand& s = stand();
  const std::string path = "/users/" + s.new_user("twice") + "/password";
  const auto change = [&](const char* wanted) {
    return s.platform->begin("PUT", path, s.token,
                             Json::object({{"old_password", password}, {"new_password", wanted}}));
  };
  Call changes[] = {change("first-one"), change("second-one")};
  for (Call& each : changes) {
    advance(each, Lane::hashing);  // the old one
    advance(each, Lane::hashing);  // the new one
  }
  equal(finish(changes[1]).status, 204);
  equal(finish(changes[0]).status, 401);
  check::never(s.platform->log_in("twice", "second-one").empty(), "the winner's password opens nothing");
  Call loser = s.platform->begin_login("twice", "first-one");
  equal(finish(loser).status, 401);
}

void one_of_two_users_of_a_name_wins(void**) {
  Stand& s = stand();
  const auto make = [&] { return s.platform->begin("POST", "/users", s.token, Stand::user("same")); };
  Call made[] = {make(), make()};
  for (Call& each : made) advance(each, Lane::hashing);
  equal(finish(made[0]).status, 200);
  equal(finish(made[1]).status, 409);
  equal(s.count("auth_user WHERE username = 'same'"), "1");
}

void an_event_is_committed_with_its_change(void**) {
  Stand& s = stand();
  const auto add_tenant = [&](const char* name) {
    return s.platform->send("POST", "/tenants", s.token, Json::object({{"name", name}})).status;
  };
  const std::string told = "wazo_auth.outbox WHERE headers::text LIKE '%auth_tenant_added%'";
  const std::string before = s.count(told);
  s.sql.run(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
      "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON auth_tenant DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "WHEN (NEW.name = 'refused') EXECUTE FUNCTION refuse()");
  const int refused = add_tenant("refused");
  s.sql.run("DROP TRIGGER refuse ON auth_tenant; DROP FUNCTION refuse");
  equal(refused, 500);
  equal(s.count("auth_tenant WHERE name = 'refused'"), "0");
  equal(s.count(told), before);
  equal(add_tenant("accepted"), 200);
  equal(s.count(told), std::to_string(std::stoi(before) + 1));
}

void a_deleted_token_is_refused_before_its_answer_is_sent(void**) {
  Stand& s = stand();
  s.new_user("ended");
  const std::string token = s.platform->log_in("ended", password);
  equal(s.platform->send("DELETE", "/token/" + token).status, 200);
  TokenFacts facts;
  check::that(s.zone->check(ShownToken(token), nullptr, facts) == Lookup::revoked, "the zone refuses it");
  equal(s.platform->send("GET", "/token/" + token).status, 404);
}

void a_connection_that_broke_between_steps_is_replaced(void**) {
  Stand& s = stand();
  s.new_user("patient");
  Call login = s.platform->begin_login("patient", password);
  advance_to(login, Lane::hashing);
  s.end_connections();
  equal(finish(login).status, 200);
}

void a_database_that_is_away_is_told_from_an_empty_one(void**) {
  Platform away("host=127.0.0.1 port=1 user=nobody dbname=nothing", nullptr);
  const Answer answer = away.send("GET", "/users", "6fa459ea-ee8a-4ca4-894e-db77e160355e");
  equal(answer.status, 503);
  const auto retry = std::find_if(answer.headers.begin(), answer.headers.end(),
                                  [](const auto& header) { return header.first == "Retry-After"; });
  check::that(retry != answer.headers.end(), "Retry-After");
}

// Transactions that make a row of this name fail so often, as those that collide with others do.
struct Collisions {
  Collisions(Stand& s, const std::string& name, int number, std::string rows = "auth_tenant",
             const std::string& column = "name")
      : stand(s), table(std::move(rows)) {
    stand.sql.run(
        "CREATE SEQUENCE collisions; GRANT USAGE ON collisions TO PUBLIC;"
        "CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('collisions') <= " +
        std::to_string(number) +
        " THEN RAISE 'others were faster' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW; END $$;"
        "CREATE TRIGGER collide BEFORE INSERT ON " +
        table + " FOR EACH ROW WHEN (NEW." + column + " = '" + name + "') EXECUTE FUNCTION collide()");
  }
  ~Collisions() {
    stand.sql.run("DROP TRIGGER collide ON " + table + "; DROP FUNCTION collide; DROP SEQUENCE collisions");
  }
  std::string tries() const { return stand.sql.value("SELECT last_value FROM collisions"); }
  Stand& stand;
  std::string table;
};

// Runs the request, and adds up its pauses without making them.
int status_after(Call& call, std::chrono::milliseconds& pauses, int& stops) {
  while (!call.step()) {
    check::that(call.pause().count() > 0, "a pause before the next try");
    pauses += call.pause();
    ++stops;
    equal(stand().count("pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"),
          "0");
  }
  return call.response().status;
}

void a_transaction_that_collides_is_tried_again_later(void**) {
  Stand& s = stand();
  const Collisions collisions(s, "crowded", 8);
  Call call = s.platform->begin("POST", "/tenants", s.token, Json::object({{"name", "crowded"}}));
  std::chrono::milliseconds pauses{0};
  int stops = 0;
  equal(status_after(call, pauses, stops), 200);
  equal(stops, 8);
  equal(collisions.tries(), "9");
  equal(s.count("auth_tenant WHERE name = 'crowded'"), "1");
}

void collisions_without_end_have_an_end(void**) {
  Stand& s = stand();
  const Collisions collisions(s, "hopeless", 1000000);
  Call call = s.platform->begin("POST", "/tenants", s.token, Json::object({{"name", "hopeless"}}));
  std::chrono::milliseconds pauses{0};
  int stops = 0;
  equal(status_after(call, pauses, stops), 503);
  equal(stops, 9);
  equal(collisions.tries(), "10");
  check::that(pauses <= std::chrono::milliseconds(2200), "the client has its answer soon");
  equal(s.count("auth_tenant WHERE name = 'hopeless'"), "0");
}

Json lock_body() {
  return Json::object({{"reason", "a test"}});
}

// The password was right, and the lock came before the token.
void a_login_that_began_before_a_lock_gets_no_token(void**) {
  Stand& s = stand();
  const std::string uuid = s.new_user("locked");
  const std::string before = s.platform->log_in("locked", password);
  Call login = s.platform->begin_login("locked", password);
  advance(login, Lane::hashing);
  equal(s.platform->send("PUT", "/locks/user/" + uuid, s.token, lock_body()).status, 200);
  equal(s.platform->send("GET", "/token/" + before).status, 404);
  equal(finish(login).status, 401);
  // Nobody deletes what has been ended while there is no nginx.
  equal(s.count("auth_token WHERE auth_id = '" + uuid +
                "' AND session_uuid NOT IN (SELECT session_uuid FROM wazo_auth.ended_session)"),
        "0");
  equal(s.platform->send("DELETE", "/locks/user/" + uuid, s.token).status, 204);
  equal(s.platform->send("GET", "/token/" + before).status, 404);
  check::never(s.platform->log_in("locked", password).empty(), "it is over");
}

// The transaction that stores a token is open when the lock is made: the lock waits for it, and ends the token.
void a_token_that_is_being_stored_ends_with_the_lock(void**) {
  Stand& s = stand();
  const std::string uuid = s.new_user("racing"),
                    tenant = s.sql.value("SELECT uuid FROM auth_tenant WHERE uuid = parent_uuid");
  DirectConnection other(conninfo());
  other.run("BEGIN");
  other.run("INSERT INTO auth_session (uuid, mobile, tenant_uuid) VALUES ('racing', false, '" + tenant + "')");
  other.run("INSERT INTO auth_token (auth_id, session_uuid) VALUES ('" + uuid + "', 'racing')");
  int status = 0;
  std::thread locker([&] { status = s.platform->send("PUT", "/locks/user/" + uuid, s.token, lock_body()).status; });
  const auto waits = [&] { return s.count("pg_locks WHERE locktype = 'advisory' AND NOT granted") != "0"; };
  bool waited = false;
  for (int tries = 0; !waited && tries < 500; ++tries) {
    waited = waits();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  other.run("COMMIT");
  locker.join();
  check::that(waited, "the lock waits for the token");
  equal(status, 200);
  equal(s.count("wazo_auth.ended_session WHERE session_uuid = 'racing'"), "1");
}

Json import_of(std::vector<Json> rows, bool dry_run = false) {
  return Json::object({{"users", Json(std::move(rows))}, {"dry_run", dry_run}});
}

Json named(const std::string& name, const Json& groups = Json::array(), const Json& policies = Json::array()) {
  return Json::object({{"username", name}, {"groups", groups}, {"policies", policies}});
}

std::string outcomes_of(const Json& answer) {
  std::string words;
  for (const Json& item : answer.get("items").items())
    words += (words.empty() ? "" : " ") + item.text_or("outcome", "?");
  return words;
}

// A group and a policy, each with this slug.
void make_group_and_policy(Stand& s, const std::string& slug) {
  for (const char* const path : {"/groups", "/policies"})
    equal(s.platform->send("POST", path, s.token, Json::object({{"name", slug}, {"slug", slug}})).status, 200);
}

// The last thing that each failing row asks for is what fails.
void a_row_that_fails_leaves_nothing(void**) {
  Stand& s = stand();
  make_group_and_policy(s, "whole");
  const std::string ended = s.new_user("import-ended"), kept = s.new_user("import-kept");
  const std::string ended_token = s.platform->log_in("import-ended", password),
                    kept_token = s.platform->log_in("import-kept", password);
  const std::string told = "wazo_auth.outbox WHERE headers::text LIKE '%auth_session_deleted%'",
                    audit = "wazo_auth.audit";
  const int events = std::stoi(s.count(told)), entries = std::stoi(s.count(audit));
  const auto disabled = [](const char* name, const Json& policies) {
    return named(name, Json::array({"whole"}), policies).set("enabled", false);
  };
  const Answer answer = s.platform->send(
      "POST", "/users/import", s.token,
      import_of({named("import-half", Json::array({"whole"}), Json::array({"whole", "nowhere"})),
                 disabled("import-kept", Json::array({"nowhere"})), disabled("import-ended", Json::array({"whole"})),
                 named("import-whole", Json::array({"whole"}), Json::array({"whole"})), named("import-kept")}));
  check::equal(answer.status, 200, answer.body.dump());
  check::equal(outcomes_of(answer.body), "failed failed changed created unchanged", answer.body.dump());
  equal(answer.body.get("items").at(1).get("status").integer(), 404);
  equal(s.count("auth_user WHERE username = 'import-half'"), "0");
  equal(s.count("auth_user_group WHERE user_uuid = '" + kept + "'"), "1");  // that of all users
  equal(s.platform->send("GET", "/token/" + kept_token).status, 200);
  equal(s.platform->send("GET", "/token/" + ended_token).status, 404);
  equal(s.count("auth_user WHERE uuid = '" + ended + "' AND NOT enabled"), "1");
  equal(std::stoi(s.count(told)), events + 1);
  // Of who is changed: the user, the group, the policy, the end of the session. Of who is new: the user, two groups,
  // the policy.
  equal(std::stoi(s.count(audit)), entries + 8);
}

void a_preview_says_what_the_import_does_and_does_nothing(void**) {
  Stand& s = stand();
  make_group_and_policy(s, "seen");
  const std::string old = s.new_user("preview-old"), token = s.platform->log_in("preview-old", password);
  const std::vector<Json> rows = {
      named("preview-new", Json::array({"seen"}), Json::array({"seen"})).set("password", password),
      Json::object({{"uuid", old}, {"username", "preview-renamed"}, {"enabled", false}}),
      named("preview-old"),  // a name that is free by now
      named("preview-new", Json::array({"seen"}), Json::array({"seen"})),
      named("preview-new").set("purpose", "none"),
      named("preview-new", Json::array({"nowhere"})),
  };
  const auto all = [&] { return s.count("auth_user") + s.count("wazo_auth.audit") + s.count("wazo_auth.outbox"); };
  const std::string before = all();
  const Answer preview = s.platform->send("POST", "/users/import", s.token, import_of(rows, true));
  equal(all(), before);
  check::that(preview.lanes == std::vector{Lane::database}, "a preview hashes nothing");
  equal(s.platform->send("GET", "/token/" + token).status, 200);
  const Answer done = s.platform->send("POST", "/users/import", s.token, import_of(rows));
  check::equal(outcomes_of(preview.body), "created changed created unchanged failed failed", preview.body.dump());
  equal(outcomes_of(done.body), outcomes_of(preview.body));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const Json &said = preview.body.get("items").at(row), &did = done.body.get("items").at(row);
    check::equal(said.get("changes").dump(), did.get("changes").dump());
    check::equal(said.get("status").dump(), did.get("status").dump());
  }
  check::never(s.platform->log_in("preview-new", password).empty(), "the password is the row's");
}

void an_import_hashes_without_a_connection(void**) {
  Stand& s = stand();
  s.new_user("hashed-before");
  Call call = s.platform->begin("POST", "/users/import", s.token,
                                import_of({Stand::user("hashed-one"), named("hashed-none"), Stand::user("hashed-two"),
                                           Stand::user("hashed-before")}));
  advance_to(call, Lane::cpu);
  equal(s.count("pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"), "0");
  equal(s.count("auth_user WHERE username = 'hashed-one'"), "0");
  const Answer answer = finish(call);
  check::equal(outcomes_of(answer.body), "created created created unchanged", answer.body.dump());
  // None for a password that nobody gets.
  check::that(answer.lanes == std::vector{Lane::cpu, Lane::database, Lane::cpu, Lane::database}, "lanes");
}

void an_import_ends_with_its_token(void**) {
  Stand& s = stand();
  const std::string token = s.platform->log_in(root, root_password);
  Call call = s.platform->begin("POST", "/users/import", token,
                                import_of({named("in-time"), Stand::user("hashed-in-vain"), named("too-late")}));
  advance(call, Lane::cpu);
  equal(s.platform->send("DELETE", "/token/" + token).status, 200);
  equal(finish(call).status, 401);
  equal(s.count("auth_user WHERE username IN ('in-time', 'hashed-in-vain', 'too-late')"), "1");
}

void two_imports_of_a_user_make_one(void**) {
  Stand& s = stand();
  const auto import = [&] {
    return s.platform->begin("POST", "/users/import", s.token,
                             import_of({named("import-once").set("password", password)}));
  };
  Call imports[] = {import(), import()};
  for (Call& each : imports) advance(each, Lane::cpu);
  equal(outcomes_of(finish(imports[0]).body), "created");
  equal(outcomes_of(finish(imports[1]).body), "unchanged");
}

void a_row_that_collides_is_tried_again(void**) {
  Stand& s = stand();
  const Collisions collisions(s, "import-crowded", 2, "auth_user", "username");
  const Answer answer =
      s.platform->send("POST", "/users/import", s.token,
                       import_of({named("import-before"), named("import-crowded"), named("import-after")}));
  check::equal(outcomes_of(answer.body), "created created created", answer.body.dump());
  equal(collisions.tries(), "3");
  equal(s.count("auth_user WHERE username LIKE 'import-%' AND username ~ '(before|crowded|after)'"), "3");
}

// Each takes the users in an order of its own.
void imports_and_previews_at_once_all_come_through(void**) {
  Stand& s = stand();
  make_group_and_policy(s, "crowd");
  std::vector<Json> rows;
  for (int i = 0; i < 40; ++i) rows.push_back(named("crowd-" + std::to_string(i), Json::array({"crowd"})));
  std::vector<std::string> wrong(6);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    threads.emplace_back([&, i] {
      std::vector<Json> own = rows;
      if (i % 2 == 1) std::reverse(own.begin(), own.end());
      for (Json& row : own) row.set("firstname", std::to_string(i));
      const Answer answer = s.platform->send("POST", "/users/import", s.token, import_of(own, i >= 4));
      if (answer.status != 200 || answer.body.get("failed").integer() != 0) wrong[i] = answer.body.dump();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& each : wrong) equal(each, "");
  equal(s.count("auth_user WHERE username LIKE 'crowd-%'"), "40");
}

}  // namespace

int main() {
  log::set_level(log::Level::error);
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_login_hashes_without_a_connection),
      cmocka_unit_test(a_login_that_is_given_up_leaves_nothing),
      cmocka_unit_test(one_of_two_password_changes_wins),
      cmocka_unit_test(one_of_two_users_of_a_name_wins),
      cmocka_unit_test(an_event_is_committed_with_its_change),
      cmocka_unit_test(a_deleted_token_is_refused_before_its_answer_is_sent),
      cmocka_unit_test(a_connection_that_broke_between_steps_is_replaced),
      cmocka_unit_test(a_login_that_began_before_a_lock_gets_no_token),
      cmocka_unit_test(a_token_that_is_being_stored_ends_with_the_lock),
      cmocka_unit_test(a_database_that_is_away_is_told_from_an_empty_one),
      cmocka_unit_test(a_transaction_that_collides_is_tried_again_later),
      cmocka_unit_test(collisions_without_end_have_an_end),
      cmocka_unit_test(a_row_that_fails_leaves_nothing),
      cmocka_unit_test(a_preview_says_what_the_import_does_and_does_nothing),
      cmocka_unit_test(an_import_hashes_without_a_connection),
      cmocka_unit_test(an_import_ends_with_its_token),
      cmocka_unit_test(two_imports_of_a_user_make_one),
      cmocka_unit_test(a_row_that_collides_is_tried_again),
      cmocka_unit_test(imports_and_previews_at_once_all_come_through),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

#include "wazoauth/node/listener.h"

#include <poll.h>

#include <algorithm>
#include <charconv>

#include "wazoauth/base/deadline.h"
#include "wazoauth/base/json.h"
#include "wazoauth/base/log.h"
#include "wazoauth/cache/token_notice.h"
#include "wazoauth/cache/token_store.h"
#include "wazoauth/store/statements.h"

namespace wazoauth {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds beat_every{500}, row_every{10000}, overlap_limit{1200};

}  // namespace

void Listener::run() {
  while (!options_.wake->stopping() && !superseded()) {
    if (!serve()) {
      see_database(false);
      connection_.reset();
      set_redis({});
      if (!options_.wake->wait(milliseconds(200))) break;
    }
  }
}

bool Listener::serve() {
  try {
    return connect() && listen();
  } catch (const std::exception& e) {
    trouble_.is(std::string("LISTEN: ") + e.what());
    return false;
  }
}

bool Listener::superseded() const {
  return in_charge_ && node_.housekeeper() != options_.id;
}

bool Listener::connect() {
  connection_.reset(PQconnectdb(options_.conninfo.c_str()));
  if (PQstatus(connection_.get()) == CONNECTION_OK) return true;
  see_database(false);
  trouble_.is(std::string("LISTEN: ") + PQerrorMessage(connection_.get()));
  return false;
}

void Listener::see_database(bool there) {
  if (options_.meters) options_.meters->see(&Meters::database, there);
}

bool Listener::exec(const std::string& sql, std::string* value) {
  PGconn* const connection = connection_.get();
  if (PQsendQuery(connection, sql.c_str()) == 0) return false;
  const Deadline deadline(NodeState::good_for);
  bool good = true;
  for (;;) {
    while (PQisBusy(connection) != 0) {
      if (options_.wake->stopping() || deadline.passed() || !pump(deadline.left())) return false;
    }
    PGresult* const result = PQgetResult(connection);
    if (!result) return good;
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      trouble_.is(std::string("LISTEN: ") + PQresultErrorMessage(result));
      good = false;
    }
    if (value && status == PGRES_TUPLES_OK && PQntuples(result) > 0)
      *value = PQgetvalue(result, PQntuples(result) - 1, 0);
    PQclear(result);
  }
}

// Handles the notifications that libpq has read. False: there is none.
bool Listener::handle_notifications() {
  bool any = false;
  while (PGnotify* const notification = PQnotifies(connection_.get())) {
    any = true;
    handle(*notification);
    PQfreemem(notification);
  }
  return any;
}

// Handles notifications, and waits for the first of them, or for the end, for so long. False: the connection is lost.
bool Listener::pump(milliseconds limit) {
  // One that came with the end of an answer lies in libpq already: the socket has nothing more to say.
  if (handle_notifications()) return true;
  pollfd descriptors[] = {{PQsocket(connection_.get()), POLLIN, 0}, {options_.wake->end(), POLLIN, 0}};
  if (poll(descriptors, 2, static_cast<int>(limit.count())) < 0 && errno != EINTR) return false;
  if (PQconsumeInput(connection_.get()) == 0) return false;
  handle_notifications();
  return true;
}

void Listener::handle(const PGnotify& notification) {
  const std::string_view channel = notification.relname;
  if (channel == "wazo_auth_tokens") {
    const TokenNotice notice = parse_token_notice(notification.extra);
    apply(*options_.zone, notice);
    measure(notice);
    if (notice.everything) {
      // Records of this life are those of dead tokens, and the life that is being asked for may still be this one.
      set_redis({});
      all_died_ = true;
    }
  } else if (channel == "wazo_auth_tenants") {
    node_.raise_tenant_generation();
  } else if (channel == "wazo_auth_locks") {
    locks_changed_ = true;
    options_.clean_up->poke();
  } else if (channel == "wazo_auth_outbox") {
    options_.wake->poke();
  } else {
    heartbeat_seen_ = true;
  }
}

// From here on they are refused. Rather too long than too short, by what the last heartbeat's question took.
void Listener::measure(const TokenNotice& notice) {
  if (!options_.meters || !database_clock_ || notice.told_at == 0 || notice.revoked.empty()) return;
  const auto since_zero = std::chrono::steady_clock::now().time_since_epoch();
  options_.meters->revocations.add(since_zero + *database_clock_ - std::chrono::microseconds(notice.told_at));
}

// Registered first; a new row may not have been seen by transactions that run now, see settle().
bool Listener::register_node() {
  const std::string row = "FROM wazo_auth.node WHERE redis AND last_seen > clock_timestamp() - interval '60 seconds'";
  const std::string id = "'" + std::to_string(options_.id) + "'";
  std::string sql = "BEGIN; SELECT pg_advisory_xact_lock(hashtext('wazo_auth.node')); SELECT EXISTS (SELECT 1 " + row +
                    " AND id = " + id + ");";
  if (options_.uses_redis)
    sql += "UPDATE wazo_auth.redis_life SET nonce = gen_random_uuid() WHERE NOT EXISTS (SELECT 1 " + row + ");";
  sql +=
      "DELETE FROM wazo_auth.node WHERE last_seen < clock_timestamp() - interval '1 day';"
      "INSERT INTO wazo_auth.node (id, redis, last_seen) VALUES (" +
      id + ", " + (options_.uses_redis ? "true" : "false") +
      ", clock_timestamp()) ON CONFLICT (id) DO UPDATE SET last_seen = clock_timestamp(); COMMIT";
  std::string renewed;
  if (!exec(sql, &renewed)) return false;
  if (!options_.uses_redis || renewed == "t") return true;
  settled_ = false;
  return exec("SELECT coalesce(array_agg(x), '{}') FROM pg_snapshot_xip(pg_current_snapshot()) AS x", &unseen_by_);
}

// Redis is used from when all have finished who may not have seen that this nginx uses it: what they kill isn't in the
// outbox. What of it is committed was heard; a heartbeat makes sure that it has arrived.
bool Listener::settle() {
  if (settled_ || !options_.uses_redis) return true;
  std::string running;
  if (!exec("SELECT count(*) FROM unnest('" + unseen_by_ + "'::xid8[]) AS x WHERE pg_xact_status(x) = 'in progress'",
            &running))
    return false;
  if (running != "0") return true;
  if (!beat() || !read_pending()) return false;
  if (must_register_) return true;
  settled_ = true;
  return beat();  // tells which life counts: read after what was pending
}

bool Listener::read_pending() {
  std::string items;
  if (!exec("SELECT string_agg(d, ',') FROM wazo_auth.outbox, jsonb_array_elements_text(body->'deaths') AS d "
            "WHERE target = 'redis'",
            &items))
    return false;
  apply(*options_.zone, parse_token_notice(items));
  return true;
}

bool Listener::read_locks(bool whatever) {
  locks_changed_ = false;
  std::string list;
  if (!exec(fragment("locks.addresses"), &list)) return false;
  options_.address_locks->replace(parse_address_locks(list), whatever);
  return true;
}

// Who was here before heard everything as long as its heartbeats go on after we listen too: then nothing was missed.
// Otherwise every token has to be confirmed once.
bool Listener::take_over(BootTime listening_since) {
  bool overlapped = false;
  if (!in_charge_ && node_.housekeeper() != 0 && node_.database_life() == life_) {
    const Deadline deadline(overlap_limit);
    while (!overlapped && !deadline.passed() && !options_.wake->stopping()) {
      if (!pump(milliseconds(50))) return false;
      overlapped = node_.last_heartbeat() > listening_since;
    }
  }
  node_.set_housekeeper(options_.id);
  in_charge_ = true;
  node_.set_database_life(life_);
  if (!overlapped) forget_all();
  return true;
}

void Listener::forget_all() {
  set_redis({});
  node_.raise_epoch();
  node_.raise_tenant_generation();
}

void Listener::set_redis(const RedisLife& life) {
  if (in_charge_ && !superseded()) node_.set_redis_life(life);
}

// The database may have been restored under us, or its triggers were switched off for a while.
void Listener::see(const Life& life) {
  if (life.database != life_) {
    log::warning("the database was restored, or its triggers were changed: every token is confirmed anew");
    life_ = life.database;
    node_.set_database_life(life_);
    forget_all();
    settled_ = false;
    must_register_ = true;
    options_.schema_changed();
  }
  if (settled_ && !all_died_ && options_.uses_redis) set_redis(life.redis);
}

// One that became read-only isn't the database any more: the others of the conninfo are asked which of them is. Where
// it is the only one, nobody writes what could be heard.
bool Listener::notify_and_ask(Told* told) {
  const std::string ask =
      "SELECT concat_ws(' ', current_setting('transaction_read_only'), told, life, "
      "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint) FROM (";
  std::string text;
  if (!exec("NOTIFY " + heartbeat_channel() + ";" + ask + fragment("node.life") + ") AS l, (" +
                fragment("node.deaths_are_told") + ") AS d",
            &text))
    return false;
  if (!text.starts_with("off ")) {
    trouble_.is("LISTEN: the server is read-only");
    return false;
  }
  told->deaths = text.starts_with("off t ");
  told->life = parse_life(std::string_view(text).substr(std::min<std::size_t>(6, text.size())));
  std::int64_t now = 0;
  std::from_chars(text.data() + text.rfind(' ') + 1, text.data() + text.size(), now);
  told->now = std::chrono::microseconds(now);
  return true;
}

// What a heartbeat that came back proves is that everything before its NOTIFY has arrived, so that is its time.
bool Listener::beat() {
  const BootTime sent = BootClock::now();
  const auto began = std::chrono::steady_clock::now();
  const Deadline deadline(NodeState::good_for);
  heartbeat_seen_ = all_died_ = false;
  Told told;
  if (!notify_and_ask(&told)) return false;
  database_clock_ = told.now - std::chrono::duration_cast<std::chrono::microseconds>(began.time_since_epoch());
  while (!heartbeat_seen_) {
    if (deadline.passed() || options_.wake->stopping() || !pump(deadline.left())) return false;
  }
  see_database(true);
  if (options_.meters) options_.meters->heartbeats.add(std::chrono::steady_clock::now() - began);
  if (superseded()) return true;
  const std::uint64_t life_before = life_;
  see(told.life);
  if ((locks_changed_ || life_ != life_before) && !read_locks(life_ != life_before)) return false;
  if (!told.deaths) {
    // The last heartbeat grows old meanwhile: PostgreSQL is asked for each token.
    set_redis({});
    trouble_.is(
        "LISTEN: triggers of ours on auth_token are missing or switched off, so nobody tells of revoked tokens. "
        "wazo-auth-upgrade-db makes them again");
    return true;
  }
  trouble_.over();
  node_.set_last_heartbeat(sent);
  return true;
}

// A migration altered them, or our tables were restored: what serving needs may be missing.
bool Listener::look_at_tables() {
  std::string number;
  if (!exec(fragment("node.tables"), &number)) return false;
  if (!tables_.empty() && tables_ != number) options_.schema_changed();
  tables_ = number;
  return true;
}

std::string Listener::heartbeat_channel() const {
  return "wazo_auth_heartbeat_" + std::to_string(options_.id);
}

bool Listener::listen() {
  // Named, so that pg_stat_activity tells it from the pool's.
  if (!exec(options_.settings +
            "SELECT set_config('application_name', current_setting('application_name') || ' listen', false);"
            "LISTEN wazo_auth_locks; LISTEN wazo_auth_tokens; LISTEN wazo_auth_tenants; LISTEN wazo_auth_outbox; "
            "LISTEN " +
            heartbeat_channel()))
    return false;
  const BootTime since = BootClock::now();
  std::string life;
  if (!exec(fragment("node.life"), &life)) return false;
  life_ = parse_life(life).database;
  settled_ = false;
  unseen_by_ = "{}";
  if (!read_locks(true) || !take_over(since) || !register_node() || !look_at_tables()) return false;
  log::info("listening for revoked tokens");
  options_.wake->poke();
  BootTime next_row = BootClock::now() + row_every;
  while (!options_.wake->stopping() && !superseded()) {
    const BootTime next_beat = BootClock::now() + beat_every;
    if (!beat()) return false;
    if (BootClock::now() >= next_row || must_register_) {
      // After a long stop of this process others may have taken the node for gone.
      must_register_ = false;
      if (!register_node() || !look_at_tables()) return false;
      next_row = BootClock::now() + row_every;
    }
    if (!settle()) return false;
    while (!options_.wake->stopping() && !must_register_) {
      const milliseconds left = next_beat - BootClock::now();
      if (left.count() <= 0) break;
      if (!pump(left)) return false;
      if (locks_changed_ && !read_locks(false)) return false;
    }
  }
  return true;
}

}  // namespace wazoauth

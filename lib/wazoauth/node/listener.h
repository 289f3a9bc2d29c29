// The LISTEN connection of an nginx: revocations enter the zone as tombstones, and a heartbeat of our own that comes
// back through it proves, every half second, that no notification was missed.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "wazoauth/base/clock.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/life.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/store/token_notice.h"

namespace wazoauth {

class Listener {
 public:
  struct Options {
    std::string conninfo;  // for libpq
    std::string settings;  // SQL, run first
    Zone* zone;
    AddressLocks* address_locks;
    std::uint64_t id;         // of this nginx's housekeeper
    bool uses_redis = false;  // register as such, and find out which keys count
    Wake* wake;               // stop, and poke for new rows of the outbox
    Wake* clean_up;           // poke when locks have changed
    std::function<void()> schema_changed;
    Meters* meters = nullptr;  // null: nothing is measured
  };
  explicit Listener(Options options) : options_(std::move(options)), node_(options_.zone->node()) {}

  void run();  // until wake->stop(), or until a newer housekeeper of this nginx took over

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  bool serve();  // false: the connection is lost
  bool connect();
  bool exec(const std::string& sql, std::string* value = nullptr);  // false: failed, or took over 2 s
  bool beat();                                                      // false: it didn't come back
  struct Told {
    bool deaths = false;              // by triggers, to whoever listens
    std::chrono::microseconds now{};  // since 1970, by the database's clock
    Life life;
  };
  bool notify_and_ask(Told* told);  // a heartbeat; false: the server is read-only, or the connection is lost
  std::string heartbeat_channel() const;
  void see(const Life& life);
  void see_database(bool there);
  void forget_all();  // any token may have died unheard
  void set_redis(const RedisLife& life);
  bool register_node();
  bool look_at_tables();
  bool settle();
  bool read_pending();
  bool read_locks(bool whatever);  // `whatever`: the list that is known may be of another life of the database
  bool take_over(BootTime listening_since);
  bool listen();  // false: the connection is lost
  bool handle_notifications();
  bool pump(std::chrono::milliseconds limit);
  void handle(const PGnotify& notification);
  void measure(const TokenNotice& notice);
  bool superseded() const;

  Options options_;
  NodeState& node_;
  std::unique_ptr<PGconn, Close> connection_;
  Trouble trouble_{log::Level::warning};
  std::uint64_t life_ = 0;  // of the database, as it was seen last
  std::string tables_;      // a number: as they were seen last
  // What the database's clock showed when ours, which nobody sets, showed zero, or a little less.
  std::optional<std::chrono::microseconds> database_clock_;
  bool heartbeat_seen_ = false;
  bool locks_changed_ = false;
  bool all_died_ = false;  // heard since the last heartbeat
  bool in_charge_ = false;
  bool must_register_ = false;
  bool settled_ = true;    // all who run know that this nginx uses Redis
  std::string unseen_by_;  // ids of the transactions that may not, as an array
};

}  // namespace wazoauth

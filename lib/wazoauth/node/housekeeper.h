// The background work of an nginx: prepares the database, listens for revocations, relays the outboxes, cleans up.
//
// One worker of each generation of workers has one; after a reload the new one takes over and the old one ends by
// itself.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "wazoauth/base/trouble.h"
#include "wazoauth/base/wake.h"
#include "wazoauth/bus/relay.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/mail/relay.h"
#include "wazoauth/store/migration.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

struct HousekeeperOptions {
  Settings settings;
  DatabaseOptions database;  // its conninfo and `prepared` count
  Zone* zone = nullptr;
  AddressLocks* address_locks = nullptr;
  std::string redis_uri;                              // "" for none
  std::function<void(std::uint64_t)> events_dropped;  // told to the metrics; may be empty
};

class Housekeeper {
 public:
  explicit Housekeeper(HousekeeperOptions options);
  ~Housekeeper();  // stop() must have been called

  void start();
  void start_rest();  // what couldn't begin for want of threads; call it every now and then

  void close();  // from now on nothing is begun, and threads end
  // Closes, and waits for the threads. False: one of them didn't end within the limit; it still uses what it uses.
  bool stop(std::chrono::milliseconds limit);

 private:
  struct Work {
    const char* name;
    std::function<void()> work;
  };
  void run(const Work& work);
  void look_after_database();
  SchemaFit prepare_schema();
  void report(const SchemaFit& fit);
  bool wait_for_change(bool good);  // of the schema, or a little where it isn't good; false: this ends
  void seed_database();
  std::function<void()> on_schema(std::function<void()> work);  // the work, begun when our tables are there
  void listen();
  void sweep();
  void clean_up();
  void clean_up_locks(Database& database);
  void keep_audit(Database& database);
  void relay_audit();
  void tell_saml_expiry(Database& database);
  void count_outbox(Database& database);
  std::chrono::milliseconds clean_up_round(Database& database);  // returns when the next one is due, from now on
  void clean_up_once(Database& database);

  HousekeeperOptions options_;
  std::uint64_t id_;
  Wake wake_, clean_up_wake_;  // stopped together
  Trouble locks_trouble_{log::Level::warning}, audit_trouble_{log::Level::warning};
  bool audit_switched_ = false;
  std::string saml_seen_;  // which configurations the metrics know
  std::atomic<bool> schema_is_there_{false};
  std::atomic<bool> schema_changed_{false};  // since it was looked at
  std::atomic<bool> seeding_{false};
  std::string reported_;  // what was said of it last
  std::unique_ptr<BusRelay> bus_;
  std::unique_ptr<MailRelay> mails_;
  std::vector<Work> rest_;  // what has no thread yet
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t ended_ = 0;  // threads
};

}  // namespace wazoauth

// Waiting for what brokers tell about authorizations: a WebSocket for each, all of a process on one thread.
//
// Who waits is written in the row of each (pending_authorization.holder), and renewed. When a process ends, others take
// over: it lets go of its rows first and stays connected until they have been taken. After a crash its rows are free
// when they haven't been renewed for a while. Whoever hears the answer takes the row, gets the tokens for it and stores
// them; and goes on with rows that somebody took who has died since.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "wazoauth/cache/zone.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/outgoing/web_sockets.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::external {

struct Authorization;

class Waits {
 public:
  struct Options {
    const Settings* settings;
    DatabaseOptions database;
    const Zone* zone;  // null: the database is there
  };
  explicit Waits(Options options);
  ~Waits();  // stop() must have been called
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;

  // For the row of an authorization that this process will wait for: "" when it is about to end.
  std::string holder() const;

  // From now on, when the row is there, until the authorization expires. Never blocks.
  void listen(const std::string& state, const std::string& websocket);
  bool is_opening(const std::string& state) const;  // false: it is open, or couldn't be opened at the first try

  // Ends an authorization that was taken: with what its service gives for what was told. Waits for the service and, for
  // a while, for a database that is away.
  enum class End { stored, failed, gone };
  End complete(const Authorization& authorization, const Json& told);

  // Repeats the work for half a minute while the database is away, then: false. For what mustn't be lost.
  bool in_database(const std::function<void(UnitOfWork&)>& work);

  void take_over();  // from now on also what others let go of; one process of an nginx does
  void let_go();     // this process ends soon

  // Waits for others to take over, and for answers that are being dealt with. False: a thread didn't end within the
  // limit; it still uses what it uses.
  bool stop(std::chrono::milliseconds limit);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Phase { opening, open, closed };
  struct Held {
    std::string websocket;
    Phase phase;
    std::chrono::milliseconds back_off;
    Clock::time_point retry{};  // when it is closed
  };

  // Called by the WebSockets' thread.
  void opened(const std::string& state);
  void told(const std::string& state, const std::string& text);
  void closed(const std::string& state, const std::string& why);
  void give_up(const std::string& state, const std::string& why);

  void start();
  void run();
  void work();
  void round();
  void open_again();
  void renew();
  void adopt();
  void let_go_of_rows();
  std::vector<std::string> held();
  bool adopts() const;
  std::chrono::milliseconds pause();

  void later(std::function<void()> job);
  void take(const std::string& state, const Json& message);
  bool finish(const Authorization& authorization, const Json& message);

  const Options options_;
  const std::string id_;
  const std::vector<std::string> types_;
  Database database_;
  WebSockets sockets_;
  mutable std::mutex mutex_;
  std::condition_variable changed_, jobs_changed_;
  std::map<std::string, Held> held_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t alive_ = 0, busy_ = 0;
  bool adopts_ = false, letting_go_ = false, let_go_ = false, handed_over_ = false, stopping_ = false;
  Clock::time_point renewed_{};
  std::string last_trouble_;
};

}  // namespace wazoauth::external

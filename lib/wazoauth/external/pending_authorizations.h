// The authorizations whose answers this process awaits at brokers: a WebSocket for each, all of them on one thread.
//
// Each row names the process that awaits its answer (pending_authorization.holder), and the process renews that. When a
// process ends, another one takes over: the first one lets go of its rows and stays connected until they have been
// taken. After a crash its rows are free when nothing has renewed them for a while. The process that hears an answer
// claims the row, gets the tokens for it and stores them; it also resumes rows whose claiming process has died.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "wazoauth/cache/node_state.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/external/completion.h"
#include "wazoauth/outgoing/web_sockets.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::external {

class PendingAuthorizations {
 public:
  struct Options {
    const Settings* settings;
    Database* database;
    const NodeState* node;  // null: the database is there
  };
  explicit PendingAuthorizations(Options options);
  ~PendingAuthorizations();  // stop() must have been called
  PendingAuthorizations(const PendingAuthorizations&) = delete;
  PendingAuthorizations& operator=(const PendingAuthorizations&) = delete;

  // This process, for the row of an authorization whose answer it will await: "" when it is about to end.
  std::string holder() const;

  // From now on, when the row is there, until the authorization expires. Never blocks.
  void listen(const std::string& state, const std::string& websocket);
  bool is_opening(const std::string& state) const;  // false: it is open, or couldn't be opened at the first try

  Completion& completion() { return completion_; }

  void start_rest();  // what couldn't begin for want of a thread; call it every now and then

  void take_over();  // from now on also adopts rows that others let go of; one process of an nginx does
  void let_go();     // this process ends soon

  // Waits for others to take over, and for answers that are being completed. False: a thread didn't end within the
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
  void answered(const std::string& state, const std::string& text);
  void closed(const std::string& state, const std::string& why);
  void give_up(const std::string& state, const std::string& why);

  void start();
  void run();
  void round();
  void open(const std::string& state, Held& held);
  void open_again();
  void renew();
  void adopt();
  void let_go_of_rows();
  std::vector<std::string> held();
  bool adopts() const;
  std::chrono::milliseconds pause();

  const Options options_;
  const std::string id_;
  const std::vector<std::string> types_;
  Database& database_;
  Completion completion_;
  WebSockets sockets_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Held> held_;
  std::thread thread_;
  bool running_ = false;  // the thread has begun and hasn't ended
  bool adopts_ = false, letting_go_ = false, let_go_ = false, handed_over_ = false, stopping_ = false;
  Clock::time_point renewed_{};
  std::string last_trouble_;
};

}  // namespace wazoauth::external

// Completes answered authorizations: gets the tokens and stores them. For answers of brokers it has threads of its own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "wazoauth/config/settings.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth::external {

struct Authorization;

std::string state_in_logs(const std::string& state);  // "authorization abcdef...": all of it is a secret

class Completion {
 public:
  using Clock = std::chrono::steady_clock;

  Completion(const Settings& settings, Database& database);  // both live as long as this
  ~Completion();                                             // stop() must have been called
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  // Ends an authorization that was claimed: stores what its service gives for the answer. Waits for the service and,
  // for a while, for a database that is away.
  enum class End { stored, failed, gone };
  End complete(const Authorization& authorization, const Json& answer);

  // Repeats the work for half a minute while the database is away, then: false. For what mustn't be lost.
  bool in_database(const std::function<void(UnitOfWork&)>& work);

  void start_rest();  // a thread for jobs that couldn't get one; call it every now and then
  void claim_later(const std::string& state, const Json& answer);               // claims the row and completes it
  void complete_later(const Authorization& authorization, const Json& answer);  // of a row that is claimed

  void finish(Clock::time_point limit);  // waits for the jobs
  bool stop(Clock::time_point limit);    // false: a thread didn't end in time; it still uses what it uses

 private:
  void work();
  void grow();  // with the lock held
  void later(std::function<void()> job);
  void claim(const std::string& state, const Json& answer);
  bool store(const Authorization& authorization, const Json& answer);

  const Settings& settings_;
  Database& database_;
  std::mutex mutex_;
  std::condition_variable changed_, jobs_changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t alive_ = 0, busy_ = 0;  // threads
  bool stopping_ = false;
};

}  // namespace wazoauth::external

#include "wazoauth/base/start_thread.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <exception>
#include <string>
#include <utility>

#include "wazoauth/base/log.h"

namespace wazoauth {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds between_lines{1000};

// Threads inherit the mask: signals are for the process's first one.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

void say(const char* name, const char* why) {
  static std::atomic<Clock::time_point> next{Clock::time_point::min()};
  const Clock::time_point now = Clock::now();
  Clock::time_point due = next.load();
  if (now < due || !next.compare_exchange_strong(due, now + between_lines)) return;
  log::emergency(std::string("the system has no thread to spare for ") + name + ": " + why);
}

}  // namespace

std::thread start_thread(const char* name, std::function<void()> work) {
  const SignalsBlocked blocked;
  try {
    return std::thread([name, work = std::move(work)] {
      pthread_setname_np(pthread_self(), name);
      work();
    });
  } catch (const std::exception& e) {
    say(name, e.what());
    return {};
  }
}

}  // namespace wazoauth

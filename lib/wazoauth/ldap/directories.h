// How many logins are under way at each directory. One that is slow or gone must not take the threads that logins at
// others need: the number is limited, and much more so while it gives no answers.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace wazoauth::ldap {

class Directories {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Directories(std::size_t most) : most_(most) {}

  // A place for one login; it ends with the object.
  class Place {
   public:
    Place(Directories& all, std::string directory) : all_(all), directory_(std::move(directory)) {}
    ~Place() { all_.leave(directory_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void answered(bool did) { all_.note(directory_, did, Clock::now()); }

   private:
    Directories& all_;
    std::string directory_;
  };

  // `directory` tells one from another. Null: too many are there already.
  std::unique_ptr<Place> enter(const std::string& directory, Clock::time_point now = Clock::now());

 private:
  struct State {
    std::size_t inside = 0;
    Clock::time_point silent_until{};  // it gave no answer lately
  };

  void leave(const std::string& directory);
  void note(const std::string& directory, bool answered, Clock::time_point now);
  void forget(Clock::time_point now);

  const std::size_t most_;
  std::mutex mutex_;
  std::map<std::string, State> states_;
};

}  // namespace wazoauth::ldap

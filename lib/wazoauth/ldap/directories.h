// How many logins are under way at the directory of each tenant. One that is slow or gone must not take the threads
// that logins at others need: the number is limited, and much more so while it gives no answers.
//
// It is the tenant that counts, not the address: another tenant may name the same one, in a way that it can't answer,
// and who may change the address must not get more threads by that.
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
    Place(Directories& all, std::string tenant_uuid) : all_(all), tenant_uuid_(std::move(tenant_uuid)) {}
    ~Place() { all_.leave(tenant_uuid_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    // True: that is news.
    bool answered(bool did) { return all_.note(tenant_uuid_, did, Clock::now()); }

   private:
    Directories& all_;
    std::string tenant_uuid_;
  };

  // Null: too many are there already.
  std::unique_ptr<Place> enter(const std::string& tenant_uuid, Clock::time_point now = Clock::now());

 private:
  struct State {
    std::size_t inside = 0;
    Clock::time_point silent_until{};  // it gave no answer lately
  };

  void leave(const std::string& tenant_uuid);
  bool note(const std::string& tenant_uuid, bool answered, Clock::time_point now);
  void forget(Clock::time_point now);

  const std::size_t most_;
  std::mutex mutex_;
  std::map<std::string, State> states_;
};

}  // namespace wazoauth::ldap

// What wazo_auth_enforce shadow would have refused: counters of each operation of the documents, and of each location
// with an access of its own, in memory that the workers share. A reload keeps them, but for operations that are new or
// need something else than before.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "context.h"
#include "wazoauth/base/json.h"

namespace wazoauth::nginx {

class Shadow {
 public:
  struct Totals {
    std::string document;
    std::uint64_t passed = 0, refused = 0, undecided = 0;
  };

  // While the configuration is read. `need`: what it needs, as far as a change of it begins anew.
  std::size_t add(std::string document, std::string operation, const std::string& need);
  std::size_t size() const { return slots_.size(); }
  bool declare(ngx_conf_t* cf);  // after the last one. False: logged

  void passed(std::size_t slot);
  void undecided(std::size_t slot);  // nobody could tell whether the token lives
  // True: the first one of its slot in this second.
  bool refused(ngx_http_request_t* r, const RequestContext& context);
  const std::string& operation(std::size_t slot) const { return slots_[slot].operation; }

  Json report() const;
  std::vector<Totals> totals() const;  // by document

 private:
  // Whom an operation would have refused. Written without a lock: who finds another one at it leaves it alone.
  struct Recent {
    std::atomic<std::uint32_t> version{0};  // odd while it is written
    Reason reason = Reason::none;
    std::int64_t last = 0;  // 0: nobody
    std::uint64_t times = 0;
    char who[NGX_SOCKADDR_STRLEN + 1] = {};  // the user's UUID, else the client's address
  };
  static constexpr std::size_t recents = 5;
  struct Record {
    std::uint64_t key = 0;
    std::int64_t since = 0;
    std::atomic<std::uint64_t> passed{0}, undecided{0};
    std::atomic<std::uint64_t> refused[static_cast<std::size_t>(Reason::names)] = {};
    std::atomic<std::int64_t> last_refused{0}, last_logged{0};
    Recent recent[recents];
  };
  struct Slot {
    std::string document, operation;
    std::uint64_t key;
  };
  // At the beginning of the memory; the records follow.
  struct Head {
    std::uint64_t count;
    Record* records() { return reinterpret_cast<Record*>(this + 1); }
  };
  static_assert(sizeof(Head) % alignof(Record) == 0);

  static ngx_int_t init(ngx_shm_zone_t* zone, void* old);
  bool make(ngx_shm_zone_t* zone);
  static void take_over(const Record& from, Record& to);
  static void remember(Record& record, std::string_view who, Reason reason);
  Json report(const Slot& slot, const Record& record) const;

  std::vector<Slot> slots_;
  Head* before_ = nullptr;     // of the configuration that this one replaces
  Record* records_ = nullptr;  // one for each slot
};

}  // namespace wazoauth::nginx

// What is measured, in memory that all workers of one nginx share. Nothing waits for a lock, and none of it grows:
// whoever measures adds to a number, whoever asks reads what is there at that moment. All of it is good as zeros.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/clock.h"

namespace wazoauth {

// Upper bounds of a histogram's buckets, in nanoseconds; the last bucket has none.
struct ShortTimes {
  static constexpr std::uint64_t bounds[] = {
      1'000,       2'500,       5'000,      10'000,     25'000,      50'000,      100'000,    250'000,
      500'000,     1'000'000,   2'500'000,  5'000'000,  10'000'000,  25'000'000,  50'000'000, 100'000'000,
      250'000'000, 500'000'000, 1000000000, 2500000000, 5'000000000, 10000000000,
  };
};
// Those of Prometheus' client for Python, which the dashboards of the Python daemon know.
struct RequestTimes {
  static constexpr std::uint64_t bounds[] = {
      5'000'000,   10'000'000,  25'000'000, 50'000'000,  75'000'000, 100'000'000, 250'000'000,
      500'000'000, 750'000'000, 1000000000, 2'500000000, 5000000000, 7'500000000, 10000000000,
  };
};

template <class Scale>
class Histogram {
 public:
  static constexpr std::size_t buckets = std::size(Scale::bounds) + 1;

  void add(std::chrono::nanoseconds time) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::chrono::nanoseconds::rep>(time.count(), 0));
    const auto at = std::lower_bound(std::begin(Scale::bounds), std::end(Scale::bounds), ns) - Scale::bounds;
    counts_[at].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(ns, std::memory_order_relaxed);
  }
  std::uint64_t count(std::size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  double sum_seconds() const { return static_cast<double>(sum_.load(std::memory_order_relaxed)) / 1e9; }

 private:
  std::atomic<std::uint64_t> counts_[buckets] = {};
  std::atomic<std::uint64_t> sum_{0};
};

// Values by name, made when they are asked for first. Names that are too many share the value of "other"; one that is
// too long is shown without its end.
template <class Value, std::size_t most, std::size_t length>
class MeterTable {
 public:
  Value& at(std::string_view name) {
    const std::uint64_t key = hash(name);
    for (std::size_t i = 0; i < most; ++i) {
      Entry& entry = entries_[(key + i) % most];
      std::uint64_t found = entry.key.load(std::memory_order_acquire);
      if (found == 0 && entry.key.compare_exchange_strong(found, key, std::memory_order_acq_rel)) found = key;
      if (found != key) continue;
      // Whoever comes in between writes the same.
      if (!entry.named.load(std::memory_order_acquire)) write(entry, name);
      return entry.value;
    }
    return other_;
  }
  Value& other() { return other_; }

  template <class Visit>
  void each(Visit visit) const {
    for (const Entry& entry : entries_) {
      if (entry.named.load(std::memory_order_acquire)) visit(read(entry), entry.value);
    }
  }

 private:
  struct Entry {
    std::atomic<std::uint64_t> key{0};  // 0: free
    std::atomic<bool> named{false};
    std::atomic<char> name[length] = {};
    Value value;
  };

  // FNV-1a: the key outlives the process that made it, over a reload.
  static std::uint64_t hash(std::string_view text) {
    std::uint64_t value = 0xcbf29ce484222325;
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return value != 0 ? value : 1;
  }
  static void write(Entry& entry, std::string_view name) {
    name = name.substr(0, length - 1);
    for (std::size_t i = 0; i < name.size(); ++i) entry.name[i].store(name[i], std::memory_order_relaxed);
    entry.named.store(true, std::memory_order_release);
  }
  static std::string read(const Entry& entry) {
    std::string name;
    for (const auto& c : entry.name) {
      const char one = c.load(std::memory_order_relaxed);
      if (one == 0) break;
      name += one;
    }
    return name;
  }

  Entry entries_[most];
  Value other_;
};

// Until when things hold, of those that end first. One thread writes them.
class Expiries {
 public:
  static constexpr std::size_t most = 32;
  struct Named {
    std::string name;
    std::int64_t end;  // Unix seconds
  };

  // Those that end first in front.
  void set(const std::vector<Named>& all) {
    for (std::size_t i = 0; i < most; ++i) {
      Entry& entry = entries_[i];
      entry.end.store(0);  // whoever reads its name meanwhile passes over it
      if (i >= all.size()) continue;
      for (std::size_t j = 0; j < length; ++j) entry.name[j].store(j < all[i].name.size() ? all[i].name[j] : '\0');
      entry.end.store(all[i].end);
    }
  }
  template <class Visit>
  void each(Visit visit) const {
    for (const Entry& entry : entries_) {
      const std::int64_t end = entry.end.load();
      std::string name;
      for (std::size_t i = 0; end != 0 && i < length && entry.name[i].load() != '\0'; ++i) name += entry.name[i].load();
      if (end != 0 && entry.end.load() == end) visit(name, end);
    }
  }

 private:
  static constexpr std::size_t length = 256;  // domains have 253 at most
  struct Entry {
    std::atomic<std::int64_t> end{0};  // 0: there is none
    std::atomic<char> name[length] = {};
  };
  Entry entries_[most];
};

// What the library measures.
struct Meters {
  enum Target : unsigned { bus, redis, mail, targets };
  static constexpr std::string_view target_names[targets] = {"bus", "redis", "mail"};

  // Of a server, as whoever talks to it saw it last. `unknown`: nobody of this nginx has had a reason to.
  enum class Seen : std::uint32_t { unknown, there, away };

  struct Waiting {
    std::atomic<std::uint64_t> rows{0};
    std::atomic<double> oldest_seconds{0};  // when it was read
  };

  MeterTable<Histogram<ShortTimes>, 64, 32> statements;  // by the file of sql/queries
  Histogram<ShortTimes> heartbeats;                      // from its NOTIFY to its arrival through LISTEN
  Histogram<ShortTimes> revocations;                     // from the statement to the refusal here
  Waiting outbox[targets];
  std::atomic<BootTime> outbox_read{BootTime()};  // BootTime(): not yet
  std::atomic<Seen> broker{Seen::unknown}, mail_server{Seen::unknown}, redis_server{Seen::unknown},
      database{Seen::unknown};

  Expiries idp_metadata;  // by the domain of its tenant

  void see(std::atomic<Seen> Meters::*server, bool there) {
    (this->*server).store(there ? Seen::there : Seen::away, std::memory_order_relaxed);
  }
  // 0 when nothing waits.
  double oldest_seconds(Target target, BootTime now) const {
    const Waiting& waiting = outbox[target];
    if (waiting.rows.load(std::memory_order_relaxed) == 0) return 0;
    return waiting.oldest_seconds.load(std::memory_order_relaxed) +
           std::chrono::duration<double>(now - outbox_read.load(std::memory_order_relaxed)).count();
  }
};
static_assert(std::atomic<double>::is_always_lock_free && std::atomic<BootTime>::is_always_lock_free);

}  // namespace wazoauth

#include "wazoauth/cache/address_locks.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>

#include "wazoauth/base/json.h"
#include "wazoauth/base/log.h"
#include "wazoauth/cache/zone_layout.h"

namespace wazoauth {

namespace {

struct Entry {
  std::uint8_t address[16];
  std::int64_t ends_t;
  char tenant_uuid[40];
  std::uint8_t v4, length, everywhere;
};
constexpr std::size_t entry_words = sizeof(Entry) / 8;
static_assert(sizeof(Entry) == 72);

Entry entry_of(const AddressLock& lock) {
  Entry entry{};
  std::copy(lock.prefix.first.bytes.begin(), lock.prefix.first.bytes.end(), entry.address);
  entry.ends_t = lock.ends_t;
  std::memcpy(entry.tenant_uuid, lock.tenant_uuid.data(),
              std::min(lock.tenant_uuid.size(), sizeof(entry.tenant_uuid) - 1));
  entry.v4 = lock.prefix.first.v4;
  entry.length = static_cast<std::uint8_t>(lock.prefix.length);
  entry.everywhere = lock.everywhere;
  return entry;
}

AddressLock lock_of(const Entry& entry) {
  AddressLock lock;
  lock.prefix.first.v4 = entry.v4 != 0;
  std::copy_n(entry.address, 16, lock.prefix.first.bytes.begin());
  lock.prefix.length = entry.length;
  lock.tenant_uuid.assign(entry.tenant_uuid, strnlen(entry.tenant_uuid, sizeof(entry.tenant_uuid)));
  lock.everywhere = entry.everywhere != 0;
  lock.ends_t = entry.ends_t;
  return lock;
}

class Guard {
 public:
  explicit Guard(ZoneLock& lock) : lock_(lock) { lock_.lock(); }
  ~Guard() { lock_.unlock(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  ZoneLock& lock_;
};

}  // namespace

// Two lists, of which the version says which is the one that counts: the other is written next. So a writer that dies
// leaves what there was, and a reader that was overtaken sees another version.
struct AddressLocks::Shared {
  using List = std::array<std::uint64_t, capacity * entry_words>;
  std::atomic<std::uint32_t> count{0};
  std::atomic<std::uint64_t> version{0};  // 0: not read yet
  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::uint32_t> counts[2]{};
  List lists[2];
};

std::size_t AddressLocks::size() {
  return sizeof(Shared);
}

void AddressLocks::format(void* memory) {
  new (memory) Shared;
}

AddressLocks::AddressLocks(void* memory, ZoneLock& lock) : shared_(static_cast<Shared*>(memory)), lock_(lock) {}

bool AddressLocks::known() const {
  return version() != 0;
}
std::uint32_t AddressLocks::count() const {
  return shared_->count.load(std::memory_order_relaxed);
}
std::uint64_t AddressLocks::version() const {
  return shared_->version.load(std::memory_order_acquire);
}

void AddressLocks::replace(const AddressLockList& list, bool whatever) {
  const Guard guard(lock_);
  const std::uint64_t version = shared_->version.load();
  if (version != 0 && !whatever && list.generation <= shared_->generation.load()) return;
  if (list.locks.size() > capacity) log::error("more locks of addresses than there is room for: some don't count");
  const auto count = static_cast<std::uint32_t>(std::min(list.locks.size(), capacity));
  const std::size_t side = (version + 1) % 2;
  for (std::size_t i = 0; i < count; ++i) {
    const Entry entry = entry_of(list.locks[i]);
    zone::copy_in(&shared_->lists[side][i * entry_words], &entry, entry_words);
  }
  shared_->counts[side].store(count);
  shared_->generation.store(list.generation);
  shared_->version.store(version + 1, std::memory_order_release);
  shared_->count.store(count);
}

void AddressLocks::refresh(Database& database) {
  replace(parse_address_locks(UnitOfWork(database, Mode::read_only).run("locks.addresses").text(0, "list")));
}

AddressLocks::Snapshot AddressLocks::read() const {
  for (;;) {
    Snapshot snapshot;
    snapshot.version = version();
    const std::size_t side = snapshot.version % 2;
    const std::size_t count = std::min<std::size_t>(shared_->counts[side].load(), capacity);
    for (std::size_t i = 0; i < count; ++i) {
      Entry entry;
      zone::copy_out(&entry, &shared_->lists[side][i * entry_words], entry_words);
      const AddressLock lock = lock_of(entry);
      snapshot.locks[{lock.prefix.first.v4, lock.prefix.length}].emplace(lock.prefix.first, lock);
    }
    std::atomic_thread_fence(std::memory_order_acquire);
    if (version() == snapshot.version) return snapshot;
  }
}

std::shared_ptr<const AddressLocks::Snapshot> AddressLocks::current() const {
  const std::lock_guard lock(mutex_);
  if (!snapshot_ || snapshot_->version != version()) snapshot_ = std::make_shared<const Snapshot>(read());
  return snapshot_;
}

std::vector<AddressLock> AddressLocks::holding(std::string_view text, std::int64_t unix_now) const {
  std::vector<AddressLock> found;
  if (count() == 0) return found;
  const auto address = parse_address(text);
  if (!address) return found;
  const auto snapshot = current();
  for (const auto& [kind, locks] : snapshot->locks) {
    const auto& [v4, length] = kind;
    if (v4 != address->v4) continue;
    const auto [begin, end] = locks.equal_range(masked(*address, length));
    for (auto at = begin; at != end; ++at) {
      if (at->second.ends_t == 0 || unix_now < at->second.ends_t) found.push_back(at->second);
    }
  }
  return found;
}

bool AddressLocks::locked_everywhere(std::string_view address, std::int64_t unix_now) const {
  const auto found = holding(address, unix_now);
  return std::any_of(found.begin(), found.end(), [](const AddressLock& lock) { return lock.everywhere; });
}

AddressLockList parse_address_locks(const std::string& text) {
  const auto list = Json::parse(text);
  if (!list || !list->get("generation").is_integer() || !list->get("locks").is_array())
    throw std::runtime_error("the list of locked addresses can't be read");
  AddressLockList result{static_cast<std::uint64_t>(list->get("generation").integer()), {}};
  for (const Json& item : list->get("locks").items()) {
    const auto prefix = parse_prefix(item.at(0).text());
    if (!prefix) continue;
    result.locks.push_back({*prefix, std::string(item.at(1).text()), item.at(2).boolean(), item.at(3).integer()});
  }
  return result;
}

}  // namespace wazoauth

#include "wazoauth/cache/zone_layout.h"

#include <algorithm>
#include <bit>

namespace wazoauth::zone {
namespace {

// Hands out pieces of the memory, each beginning on a cache line.
class Cutter {
 public:
  Cutter(void* memory, std::size_t size) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    const std::size_t skip = (64 - address % 64) % 64;
    at_ = static_cast<char*>(memory) + skip;
    left_ = (size - skip) / 64 * 64;
  }

  template <class T>
  T* take(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + 63) / 64 * 64;
    auto* piece = reinterpret_cast<T*>(at_);
    at_ += bytes;
    left_ -= bytes;
    return piece;
  }

  std::size_t left() const { return left_; }

 private:
  char* at_;
  std::size_t left_;
};

}  // namespace

Areas::Areas(void* memory, std::size_t size) {
  Cutter cutter(memory, size);
  header = cutter.take<SharedHeader>(1);
  const std::size_t total = cutter.left();
  ring_entries = std::clamp<std::size_t>(std::bit_floor(total / 64 / sizeof(RingEntry)), 256, 4096);
  ring = cutter.take<RingEntry>(ring_entries);
  tombstone_buckets = total / 20 / (ways * sizeof(Tombstone));
  tombstones = cutter.take<Tombstone>(tombstone_buckets * ways);
  unknown_entries = total / 100 / sizeof(Unknown);
  unknown = cutter.take<Unknown>(unknown_entries);
  buckets = total / 100 * 73 / (sizeof(TagLine) + ways * (sizeof(Slot) + sizeof(std::uint32_t)));
  tags = cutter.take<TagLine>(buckets);
  slots = cutter.take<Slot>(buckets * ways);
  chains = cutter.take<std::uint32_t>(buckets * ways);
  blob_index_entries = std::bit_floor(cutter.left() / 256);
  blob_index = cutter.take<std::uint32_t>(blob_index_entries);
  blob_bytes = cutter.left();
  blobs = cutter.take<char>(blob_bytes);
}

}  // namespace wazoauth::zone

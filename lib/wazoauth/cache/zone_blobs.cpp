#include "wazoauth/cache/zone_blobs.h"

#include <algorithm>
#include <limits>

#include "wazoauth/acl/block.h"

namespace wazoauth::zone {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

Blobs::Blobs(const Areas& areas)
    : header_(*areas.header),
      index_(areas.blob_index),
      index_mask_(areas.blob_index_entries - 1),
      arena_(areas.blobs),
      units_(static_cast<std::uint32_t>(
          std::min<std::size_t>(areas.blob_bytes / unit, std::numeric_limits<std::uint32_t>::max()))) {}

Blobs::Cell& Blobs::cell(std::uint32_t number) const {
  return *reinterpret_cast<Cell*>(arena_ + std::size_t{number} * unit);
}

std::string_view Blobs::bytes(std::uint32_t number, std::uint32_t size) const {
  return {arena_ + (std::size_t{number} + 1) * unit, size};
}

std::string_view Blobs::view(Ref ref) const {
  if (ref.blob >= units_ || ref.generation == 0) return {};
  const Cell& found = cell(ref.blob);
  const std::uint32_t size = get(found.size);
  if (get(found.generation) != ref.generation) return {};
  if (size > (std::size_t{units_} - ref.blob - 1) * unit) return {};
  return bytes(ref.blob, size);
}

std::size_t Blobs::largest() const {
  return std::size_t{units_} / 4 * unit;
}

void Blobs::clear() {
  std::fill_n(index_, index_mask_ + 1, 0);
  format();
}

void Blobs::format() {
  Cell& all = cell(0);
  put(all.generation, 0u);
  all.units = units_;
  header_.blob_cursor.store(0, relaxed);
  header_.blobs.store(0, relaxed);
  header_.blob_bytes_used.store(0, relaxed);
}

std::optional<Blobs::Ref> Blobs::intern(std::string_view block) {
  const std::uint64_t hash = acl::block::read<acl::block::Header>(block.data()).content_hash;
  if (const auto known = find(block, hash)) return Ref{*known, get(cell(*known).generation)};
  if (header_.blobs.load(relaxed) >= index_mask_ / 2) return std::nullopt;
  const auto number = allocate(static_cast<std::uint32_t>(1 + (block.size() + unit - 1) / unit));
  if (!number) return std::nullopt;
  Cell& made = cell(*number);
  std::uint32_t generation = header_.generation.load(relaxed) + 1;
  if (generation == 0) generation = 1;
  header_.generation.store(generation, relaxed);
  std::memcpy(arena_ + (std::size_t{*number} + 1) * unit, block.data(), block.size());
  made.hash = hash;
  made.mark = header_.mark.load(relaxed);
  put(made.size, static_cast<std::uint32_t>(block.size()));
  put(made.generation, generation);
  index(*number, hash);
  header_.blobs.fetch_add(1, relaxed);
  header_.blob_bytes_used.fetch_add(made.units * unit, relaxed);
  return Ref{*number, generation};
}

std::optional<std::uint32_t> Blobs::find(std::string_view block, std::uint64_t hash) const {
  for (std::size_t at = hash & index_mask_; index_[at] != 0; at = (at + 1) & index_mask_) {
    const std::uint32_t number = index_[at] - 1;
    if (cell(number).hash == hash && bytes(number, cell(number).size) == block) return number;
  }
  return std::nullopt;
}

void Blobs::index(std::uint32_t number, std::uint64_t hash) {
  std::size_t at = hash & index_mask_;
  while (index_[at] != 0) at = (at + 1) & index_mask_;
  index_[at] = number + 1;
}

// The next free space after the last one that was given away.
std::optional<std::uint32_t> Blobs::allocate(std::uint32_t need) {
  std::uint32_t number = header_.blob_cursor.load(relaxed);
  for (std::uint64_t seen = 0; seen <= std::uint64_t{units_} * 2;) {
    if (number >= units_) number = 0;
    Cell& here = cell(number);
    if (here.generation == 0 && merge_free(number) >= need) {
      const std::uint32_t left = here.units - need;
      if (left != 0) {
        here.units = need;
        cell(number + need).units = left;
        put(cell(number + need).generation, 0u);
      }
      header_.blob_cursor.store(number + need, relaxed);
      return number;
    }
    seen += here.units;
    number += here.units;
  }
  header_.blob_cursor.store(0, relaxed);  // the cell where it stood may have become part of another one
  return std::nullopt;
}

std::uint32_t Blobs::merge_free(std::uint32_t number) {
  Cell& here = cell(number);
  while (number + here.units < units_ && cell(number + here.units).generation == 0) {
    here.units += cell(number + here.units).units;
  }
  return here.units;
}

void Blobs::begin_collection() {
  header_.mark.fetch_add(1, relaxed);
}

void Blobs::mark(std::uint32_t blob) {
  if (blob < units_) cell(blob).mark = header_.mark.load(relaxed);
}

void Blobs::end_collection() {
  const std::uint32_t mark = header_.mark.load(relaxed);
  std::fill_n(index_, index_mask_ + 1, 0);
  std::uint64_t blobs = 0, used = 0;
  for (std::uint32_t number = 0; number < units_; number += cell(number).units) {
    Cell& here = cell(number);
    if (here.generation == 0) continue;
    if (here.mark == mark) {
      index(number, here.hash);
      ++blobs;
      used += std::uint64_t{here.units} * unit;
    } else {
      put(here.generation, 0u);
    }
  }
  for (std::uint32_t number = 0; number < units_; number += cell(number).units) {
    if (cell(number).generation == 0) merge_free(number);
  }
  header_.blob_cursor.store(0, relaxed);
  header_.blobs.store(blobs, relaxed);
  header_.blob_bytes_used.store(used, relaxed);
}

}  // namespace wazoauth::zone

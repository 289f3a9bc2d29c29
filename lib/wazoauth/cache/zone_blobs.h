// Compiled access lists in the zone: each different one is there once.
//
// The arena is a row of cells. A cell is found by its number (in units of 32 bytes) and its generation; a cell that
// is freed and used again has another generation. Only cells to which no slot refers are freed: a reader whose slot
// is unchanged after the matching has matched against the right bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wazoauth/cache/zone_layout.h"

namespace wazoauth::zone {

class Blobs {
 public:
  struct Ref {
    std::uint32_t blob, generation;
  };

  explicit Blobs(const Areas& areas);

  std::string_view view(Ref ref) const;                                // "" when it is gone
  std::size_t largest() const;                                         // bytes that a blob may have
  std::size_t capacity() const { return std::size_t{units_} * unit; }  // bytes of all

  // The rest is for writers.
  void clear();
  void format();                                      // the same where all is zeros
  std::optional<Ref> intern(std::string_view block);  // nullopt: no space
  // Collection: begin, mark what is used, free the rest.
  void begin_collection();
  void mark(std::uint32_t blob);
  void end_collection();

 private:
  static constexpr std::size_t unit = 32;

  struct Cell {
    std::uint32_t units;       // with this header
    std::uint32_t generation;  // 0: free
    std::uint64_t hash;
    std::uint32_t size;  // of the blob, which follows
    std::uint32_t mark;
    std::uint64_t reserved;
  };
  static_assert(sizeof(Cell) == unit);

  Cell& cell(std::uint32_t number) const;
  std::string_view bytes(std::uint32_t number, std::uint32_t size) const;
  std::optional<std::uint32_t> find(std::string_view block, std::uint64_t hash) const;
  std::optional<std::uint32_t> allocate(std::uint32_t need);
  std::uint32_t merge_free(std::uint32_t number);
  void index(std::uint32_t number, std::uint64_t hash);

  SharedHeader& header_;
  std::uint32_t* index_;
  std::size_t index_mask_;
  char* arena_;
  std::uint32_t units_;
};

}  // namespace wazoauth::zone

// One required access, matched against many patterns' programs.
//
// The engine keeps the set of positions that a program has reached so far, as bits. Time is bounded by the product of
// the two lengths, whatever the pattern: there is no backtracking.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "wazoauth/acl/holder.h"

namespace wazoauth::acl {

// A program is a sequence of these; `literal` is followed by its size (2 bytes, machine order) and its bytes.
enum class Op : unsigned char { literal = 1, star, hash, me, my_session, edit };

class Text {
 public:
  // Keeps views of both.
  Text(std::string_view text, const Holder& holder);

  // Does the program consume the text from `start` to its end, or to the newline that ends it? A broken program matches
  // nothing.
  bool matches(std::string_view program, std::size_t start);

 private:
  using Word = std::uint64_t;
  static constexpr std::size_t inline_words = 1024 / 64 + 1;

  bool step(Op op, std::string_view& program);
  void prepare_runs();
  Word equal_bits(std::size_t word, char c, Word where) const;
  void spread(const Word* run);
  void literal(std::string_view bytes);
  void either(std::string_view a, std::string_view b);
  void advance(std::string_view bytes);
  bool at_end() const;

  std::string_view text_;
  const Holder& holder_;
  std::size_t words_;
  bool runs_ready_ = false;
  std::array<Word, 4 * inline_words> inline_;
  std::unique_ptr<Word[]> heap_;
  Word *reached_, *next_, *star_run_, *hash_run_;
};

}  // namespace wazoauth::acl

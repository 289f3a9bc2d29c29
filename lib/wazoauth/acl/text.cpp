#include "wazoauth/acl/text.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "wazoauth/acl/block.h"

namespace wazoauth::acl {
namespace {

constexpr std::uint64_t low_bits = 0x7f7f7f7f7f7f7f7f;
constexpr std::uint64_t ones = 0x0101010101010101;

// One bit for each of 8 bytes that is equal to the byte that `pattern` repeats.
std::uint64_t equal_bytes(std::uint64_t bytes, std::uint64_t pattern) {
  const std::uint64_t difference = bytes ^ pattern;
  const std::uint64_t zero = ~(((difference & low_bits) + low_bits) | difference | low_bits);
  return (zero >> 7) * 0x0102040810204080 >> 56;
}

}  // namespace

Text::Text(std::string_view text, const Holder& holder) : text_(text), holder_(holder), words_(text.size() / 64 + 1) {
  Word* memory = inline_.data();
  if (words_ > inline_words) {
    heap_ = std::make_unique_for_overwrite<Word[]>(4 * words_);
    memory = heap_.get();
  }
  reached_ = memory;
  next_ = memory + words_;
  star_run_ = memory + 2 * words_;
  hash_run_ = memory + 3 * words_;
}

bool Text::matches(std::string_view program, std::size_t start) {
  std::fill_n(reached_, words_, 0);
  reached_[start / 64] = Word{1} << start % 64;
  while (!program.empty()) {
    const auto op = static_cast<Op>(block::read<unsigned char>(program.data()));
    program.remove_prefix(1);
    if (!step(op, program)) return false;
  }
  return at_end();
}

// False when nothing is reached any more.
bool Text::step(Op op, std::string_view& program) {
  switch (op) {
    case Op::literal: {
      if (program.size() < sizeof(std::uint16_t)) return false;
      const auto size = block::read<std::uint16_t>(program.data());
      program.remove_prefix(sizeof size);
      if (program.size() < size) return false;
      literal(program.substr(0, size));
      program.remove_prefix(size);
      break;
    }
    case Op::star:
      prepare_runs();
      spread(star_run_);
      return true;
    case Op::hash:
      prepare_runs();
      spread(hash_run_);
      return true;
    case Op::me:
      either("me", holder_.auth_id);
      break;
    case Op::my_session:
      either("my_session", holder_.session_uuid);
      break;
    case Op::edit:
      either("edit", "update");
      break;
    default:
      return false;
  }
  return std::any_of(reached_, reached_ + words_, [](Word word) { return word != 0; });
}

// Which characters the wildcards may run over.
void Text::prepare_runs() {
  if (runs_ready_) return;
  runs_ready_ = true;
  for (std::size_t i = 0; i < words_; ++i) {
    const std::size_t size = std::min<std::size_t>(64, text_.size() - i * 64);
    const Word all = size == 64 ? ~Word{0} : (Word{1} << size) - 1;
    star_run_[i] = all & ~(equal_bits(i, '.', all) | equal_bits(i, '#', all));
    hash_run_[i] = all & ~equal_bits(i, '\n', all);
  }
}

// Those positions of `where`, in the given word of a set, at which the text has `c`.
Text::Word Text::equal_bits(std::size_t word, char c, Word where) const {
  const std::uint64_t pattern = static_cast<unsigned char>(c) * ones;
  Word result = 0;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    const std::size_t position = word * 64 + shift;
    if ((where >> shift & 0xff) == 0 || position >= text_.size()) continue;
    const std::size_t size = std::min<std::size_t>(8, text_.size() - position);
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text_.data() + position, size);
    const Word valid = (Word{1} << size) - 1;
    result |= (equal_bytes(bytes, pattern) & valid) << shift;
  }
  return result & where;
}

// From every position that is reached on to the end of its run: adding the set to the runs makes each carry flip the
// bits from there to the first one after the run.
void Text::spread(const Word* run) {
  Word carry = 0;
  for (std::size_t i = 0; i < words_; ++i) {
    const Word from = reached_[i] & run[i];
    Word sum;
    Word carried = __builtin_add_overflow(from, run[i], &sum) ? 1 : 0;
    carried |= __builtin_add_overflow(sum, carry, &sum) ? 1 : 0;
    reached_[i] |= sum ^ run[i];
    carry = carried;
  }
}

void Text::literal(std::string_view bytes) {
  std::fill_n(next_, words_, 0);
  advance(bytes);
  std::swap(reached_, next_);
}

void Text::either(std::string_view a, std::string_view b) {
  std::fill_n(next_, words_, 0);
  advance(a);
  advance(b);
  std::swap(reached_, next_);
}

// Adds to `next_` where the text goes on after `bytes`.
void Text::advance(std::string_view bytes) {
  if (bytes.empty()) {
    for (std::size_t i = 0; i < words_; ++i) next_[i] |= reached_[i];
    return;
  }
  for (std::size_t i = 0; i < words_; ++i) {
    Word left = reached_[i];
    if (!std::has_single_bit(left) && left != 0) left = equal_bits(i, bytes.front(), left);
    for (; left != 0; left &= left - 1) {
      const std::size_t position = i * 64 + std::countr_zero(left);
      if (text_.size() - position < bytes.size()) return;
      const std::size_t after = position + bytes.size();
      if (std::memcmp(text_.data() + position, bytes.data(), bytes.size()) == 0) {
        next_[after / 64] |= Word{1} << after % 64;
      }
    }
  }
}

bool Text::at_end() const {
  const std::size_t size = text_.size();
  const auto is_reached = [&](std::size_t position) { return (reached_[position / 64] >> position % 64 & 1) != 0; };
  return is_reached(size) || (size > 0 && text_.back() == '\n' && is_reached(size - 1));
}

}  // namespace wazoauth::acl

// A queue in which nobody waits for all that another has put into it: whoever has something in it takes turns, and has
// the first of it out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <utility>

namespace wazoauth {

template <typename Item>
class FairQueue {
 public:
  // Of one owner at most so many. False: they are there.
  bool push(Item item, std::uint64_t owner, std::size_t most) {
    auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& each) { return each.owner == owner; });
    if (line == lines_.end()) line = lines_.insert(line, {owner, {}});
    if (line->items.size() >= most) return false;
    line->items.push_back(std::move(item));
    ++size_;
    return true;
  }

  Item pop() {
    Line& line = lines_.front();
    Item item = std::move(line.items.front());
    line.items.pop_front();
    --size_;
    if (line.items.empty())
      lines_.pop_front();
    else
      lines_.splice(lines_.end(), lines_, lines_.begin());
    return item;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void clear() {
    lines_.clear();
    size_ = 0;
  }

 private:
  struct Line {
    std::uint64_t owner;
    std::deque<Item> items;
  };
  std::list<Line> lines_;  // in the order of their turns; none is empty
  std::size_t size_ = 0;
};

}  // namespace wazoauth

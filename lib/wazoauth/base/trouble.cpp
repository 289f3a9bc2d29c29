#include "wazoauth/base/trouble.h"

namespace wazoauth {

namespace {
constexpr std::chrono::seconds hush{60};  // for a line that was written before the trouble was over
constexpr std::size_t most_lines = 20;    // that are remembered
}  // namespace

void Trouble::is(const std::string& line) {
  const BootTime now = BootClock::now();
  {
    const std::lock_guard lock(mutex_);
    if (!there_) {
      began_ = now;
      told_ = false;
    }
    there_ = true;
    const auto last = last_.find(line);
    if (last != last_.end() && (last->second >= began_ || now - last->second < hush)) return;
    if (last_.size() >= most_lines) last_.clear();
    last_[line] = now;
    told_ = true;
  }
  log::write(level_, line);
}

void Trouble::over() {
  if (!there_) return;
  {
    const std::lock_guard lock(mutex_);
    if (!there_.exchange(false) || !told_ || over_.empty()) return;
  }
  log::info(over_);
}

}  // namespace wazoauth

// Where long work is: a bar on a terminal, which the next state replaces, and lines elsewhere.
#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <thread>

#include "tool.h"
#include "wazoauth/base/log.h"
#include "wazoauth/store/migration.h"

namespace wazoauth::tool {

// On the standard error. No colours.
class Progress {
 public:
  explicit Progress(const std::string& conninfo)
      : on_terminal_(isatty(STDERR_FILENO) && environment("TERM", "dumb") != "dumb"),
        watcher_([this, conninfo] { watch(conninfo); }) {
    if (!on_terminal_) return;
    // The bar says what is done. All else stands above it.
    log::set_level(log::Level::warning);
    log::set_sink([this](const log::Line& line) { above(line); });
  }
  ~Progress() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    watcher_.join();
    log::set_sink(nullptr);
    if (drawn_) std::cerr << "\r\x1b[K" << std::flush;
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void at(const UpgradeStep& step) {
    const std::lock_guard lock(mutex_);
    step_ = step;
    said_ = std::chrono::steady_clock::now();
    if (on_terminal_) draw("");
  }

 private:
  static constexpr std::size_t bar_size = 20;
  static constexpr std::chrono::milliseconds look_every{500};
  static constexpr std::chrono::seconds line_every{10};

  static std::size_t columns() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }

  void draw(const std::string& detail) {
    const std::size_t done = bar_size * (step_.number - 1) / step_.count;
    std::string text = "[" + std::string(done, '#') + std::string(bar_size - done, '.') + "] " +
                       std::to_string(step_.number) + " of " + std::to_string(step_.count) + ": " + step_.what;
    if (!detail.empty()) text += " (" + detail + ")";
    // A line that wraps can't be replaced.
    text.resize(std::min(text.size(), columns() - 1));
    std::cerr << '\r' << text << "\x1b[K" << std::flush;
    drawn_ = true;
  }

  void above(const log::Line& line) {
    const std::lock_guard lock(mutex_);
    std::cerr << (drawn_ ? "\r\x1b[K" : "") << log::name_of(line.level) << ": " << line.message << '\n';
    if (step_.count) draw("");
  }

  void tell(const std::string& detail) {
    if (step_.count == 0) return;
    if (on_terminal_) return draw(detail);
    const auto now = std::chrono::steady_clock::now();
    if (detail.empty() || now - said_ < line_every) return;
    said_ = now;
    log::info("schema: " + step_.what + ": " + detail);
  }

  // Without a second connection one sees the steps alone.
  void watch(const std::string& conninfo) {
    std::optional<IndexWatch> indexes;
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, look_every, [this] { return over_; })) {
      lock.unlock();
      std::string detail;
      try {
        if (!indexes) indexes.emplace(conninfo);
        detail = indexes->look();
      } catch (const std::exception&) {
        indexes.reset();
      }
      lock.lock();
      if (!over_) tell(detail);
    }
  }

  const bool on_terminal_;
  std::mutex mutex_;  // of those that follow
  std::condition_variable ended_;
  UpgradeStep step_{};
  std::chrono::steady_clock::time_point said_;
  bool drawn_ = false, over_ = false;
  std::thread watcher_;  // the last one: it uses the others
};

}  // namespace wazoauth::tool

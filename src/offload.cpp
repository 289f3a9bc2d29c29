#include "offload.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <list>

#include "own_logs.h"
#include "wazoauth/base/start_thread.h"

namespace wazoauth::nginx {

namespace {

constexpr ngx_msec_t hold_ms = 60000;
constexpr std::size_t most_lines = 4096;
// CPU work must not take the processor from the event loops, and has to go on beside others' work: with 5, a worker
// whose core it shares keeps three quarters of it. p99 of HEAD /token/{token} beside a flood of logins is the same with
// 5 and 19, and beside a busy process on that core there were 3.5 logins a second with 5, and none with 19.
constexpr int nicer_by = 5;
// As long as eight passwords take side by side. Workers share the permits, and nobody else may have one meanwhile.
constexpr std::chrono::milliseconds hashing_turn(200);

// The calling thread's. Relative: nginx may have a priority of its own (worker_priority).
void lower_priority() {
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + nicer_by);
}

}  // namespace

Offload::Offload(unsigned connections, unsigned cpu_threads, CpuPermits& permits)
    : permits_(permits), loop_(std::this_thread::get_id()) {
  for (std::size_t lane = 0; lane < std::size(lanes); ++lane) {
    pools_[lane].most = lanes[lane].threads(connections, cpu_threads);
    pools_[lane].threads.reserve(pools_[lane].most);
  }
}

Offload::~Offload() {
  if (connection_) ngx_close_connection(connection_);  // closes the descriptor, too
}

bool Offload::start(ngx_cycle_t* cycle) {
  fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd_ == -1) {
    ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "eventfd() failed");
    return false;
  }
  connection_ = ngx_get_connection(fd_, cycle->log);
  if (!connection_) {
    ::close(fd_);
    return false;
  }
  connection_->data = this;
  ngx_event_t* event = connection_->read;
  event->handler = on_event;
  event->log = cycle->log;
  // As nginx marks its own channels: an exiting worker neither waits for it nor reports a leak.
  event->channel = 1;
  ngx_uint_t flags = NGX_LEVEL_EVENT;
  if (ngx_event_flags & NGX_USE_CLEAR_EVENT) flags = NGX_CLEAR_EVENT;
  if (ngx_add_event(event, NGX_READ_EVENT, flags) != NGX_OK) return false;
  hold_.handler = on_hold;
  hold_.log = cycle->log;
  hold_.data = this;
  return true;
}

bool Offload::grow(Lane lane) {
  std::thread thread = start_thread(size_of(lane).thread_name, [this, lane] { run(lane); });
  if (!thread.joinable()) return false;
  pool_of(lane).threads.push_back(std::move(thread));
  ++alive_;
  return true;
}

bool Offload::post(Lane lane, std::function<void()> work, std::function<void()> done) {
  return post(lane, {std::move(work), std::move(done), nullptr}, size_of(lane).queue);
}

bool Offload::post_hashing(std::uint64_t origin, std::function<PasswordToHash*()> to_hash, std::function<void()> work,
                           std::function<void()> done) {
  return post(Lane::hashing, {std::move(work), std::move(done), std::move(to_hash), origin},
              size_of(Lane::hashing).queue / 4);
}

// `most`: of the job's origin.
bool Offload::post(Lane lane, Job job, std::size_t most) {
  Pool& pool = pool_of(lane);
  {
    const std::lock_guard lock(pool.mutex);
    if (pool.stopping || pool.queue.size() >= size_of(lane).queue) return false;
    // Those that were woken for a job, and haven't taken it yet, count as idle.
    const bool short_of_threads = pool.queue.size() >= pool.idle && pool.threads.size() < pool.most;
    if (short_of_threads && !grow(lane) && pool.threads.empty()) return false;
    const std::uint64_t origin = job.origin;
    if (!pool.queue.push(std::move(job), origin, most)) return false;
  }
  pool.wake.notify_one();
  ++pending_;
  hold();
  return true;
}

Offload::Usage Offload::usage(Lane lane) {
  Pool& pool = pool_of(lane);
  const std::lock_guard lock(pool.mutex);
  return {pool.queue.size(), pool.threads.size(), pool.threads.size() - pool.idle};
}

bool Offload::wait_for_job(Pool& pool, std::unique_lock<std::mutex>& lock) {
  ++pool.idle;
  pool.wake.wait(lock, [&] { return pool.stopping || !pool.queue.empty(); });
  --pool.idle;
  return !pool.stopping;
}

void Offload::run(Lane lane) {
  if (lane == Lane::cpu || lane == Lane::hashing) lower_priority();
  lane == Lane::hashing ? hash(pool_of(lane)) : work(pool_of(lane));
  --alive_;
}

void Offload::work(Pool& pool) {
  std::unique_lock lock(pool.mutex);
  while (wait_for_job(pool, lock)) {
    Job job = pool.queue.pop();
    lock.unlock();
    finish(job);
    lock.lock();
  }
}

void Offload::hash(Pool& pool) {
  std::unique_lock lock(pool.mutex);
  while (wait_for_job(pool, lock)) {
    lock.unlock();
    take_turn_at_hashing(pool);
    lock.lock();
  }
}

// What comes in its first moments is hashed beside what is being hashed; then it ends, and another worker may have the
// permit.
void Offload::take_turn_at_hashing(Pool& pool) {
  const CpuPermit permit(permits_);
  const auto last_join = std::chrono::steady_clock::now() + hashing_turn;
  const auto next_job = [&](Job& job) {
    const std::lock_guard lock(pool.mutex);
    if (pool.queue.empty() || std::chrono::steady_clock::now() >= last_join) return false;
    job = pool.queue.pop();
    return true;
  };
  struct Running {
    Job job;
    PasswordToHash* password = nullptr;  // asked for only once: whoever waits may go meanwhile
  };
  std::list<Running> all;
  try {
    PasswordLanes passwords;
    do {
      while (passwords.has_room()) {
        Running& next = all.emplace_back();
        if (!next_job(next.job)) {
          all.pop_back();
          break;
        }
        next.password = next.job.to_hash();
        if (next.password) passwords.join(*next.password);
      }
      if (!passwords.empty()) passwords.advance();
      all.remove_if([this](Running& each) {
        if (each.password && each.password->hash.empty()) return false;
        finish(each.job);
        return true;
      });
    } while (!passwords.empty());
  } catch (const std::exception&) {
    // No memory: each one's work hashes its own, and tells of the trouble.
  }
  for (Running& each : all) finish(each.job);
}

void Offload::finish(Job& job) {
  job.work();
  job.work = nullptr;
  {
    const std::lock_guard lock(mutex_);
    finished_.push_back(std::move(job.done));
  }
  notify();
}

void Offload::notify() {
  const std::uint64_t one = 1;
  // A full counter means that the loop is going to be woken anyway.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
}

void Offload::on_event(ngx_event_t* event) {
  auto* self = static_cast<Offload*>(static_cast<ngx_connection_t*>(event->data)->data);
  std::uint64_t count;
  while (read(self->fd_, &count, sizeof(count)) == sizeof(count)) {
  }
  self->drain();
}

void Offload::drain() {
  drain_lines();
  std::vector<std::function<void()>> finished;
  {
    const std::lock_guard lock(mutex_);
    finished.swap(finished_);
  }
  for (auto& done : finished) {
    --pending_;
    done();
  }
  hold();
}

void Offload::hold() {
  if (pending_ && !hold_.timer_set) ngx_add_timer(&hold_, hold_ms);
  if (!pending_ && hold_.timer_set) ngx_del_timer(&hold_);
}

void Offload::on_hold(ngx_event_t* event) {
  static_cast<Offload*>(event->data)->hold();
}

void Offload::log(log::Line line) {
  if (std::this_thread::get_id() == loop_) return write_log(std::move(line));
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= most_lines) {
      ++lost_lines_;
      return;
    }
    lines_.push_back(std::move(line));
  }
  notify();
}

void Offload::drain_lines() {
  std::deque<log::Line> lines;
  std::size_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(lines_);
    std::swap(lost, lost_lines_);
  }
  for (log::Line& line : lines) write_log(std::move(line));
  if (lost) log::warning(std::to_string(lost) + " lines were too many for the log");
}

void Offload::close() {
  for (Pool& pool : pools_) {
    const std::lock_guard lock(pool.mutex);
    pool.stopping = true;
    pool.queue.clear();
    pool.wake.notify_all();
  }
}

bool Offload::stop(std::chrono::milliseconds limit) {
  close();
  const auto end = std::chrono::steady_clock::now() + limit;
  while (alive_ && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const bool all_ended = alive_ == 0;
  for (Pool& pool : pools_) {
    for (std::thread& thread : pool.threads) all_ended ? thread.join() : thread.detach();
    pool.threads.clear();
  }
  drain_lines();
  if (hold_.timer_set) ngx_del_timer(&hold_);
  return all_ended;
}

void write_log(log::Line line) {
  std::string text = log::traced_message(line);
  // A client's text must not be able to look like another line.
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  ngx_log_error(nginx_level(line.level), ngx_cycle->log, 0, "(%s) (wazo_auth) %s", log::name_of(line.level),
                text.c_str());
  write_own_logs(std::move(line));
}

}  // namespace wazoauth::nginx

#include "wazoauth/external/pending_authorizations.h"

#include <algorithm>

#include "wazoauth/base/log.h"
#include "wazoauth/base/start_thread.h"
#include "wazoauth/base/uuid.h"
#include "wazoauth/external/authorization.h"

namespace wazoauth::external {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds tick{1000}, renew_every{5000}, hand_over_poll{50}, first_back_off{1000}, longest_back_off{30000};
// For the end, of the whole limit: others take over, they connect, WebSockets close.
constexpr double hand_over_share = 0.6, overlap_share = 0.075, sockets_share = 0.25;

// Other nginx on this database may know other services.
std::vector<std::string> known_types(const Settings& settings) {
  std::vector<std::string> types;
  for (const OAuth2Service& service : settings.external.oauth2_services) {
    if (!service.token_url.empty()) types.push_back(service.type);
  }
  for (const StoredService& service : settings.external.stored_services) {
    if (!service.awaited.empty()) types.push_back(service.type);
  }
  return types;
}

}  // namespace

PendingAuthorizations::PendingAuthorizations(Options options)
    : options_(options),
      id_(new_uuid()),
      types_(known_types(*options_.settings)),
      database_(*options_.database),
      completion_(*options_.settings, database_),
      sockets_({.rules = options_.settings->outgoing,
                .ca = options_.settings->external.ca,
                .on_open = [this](const std::string& state) { opened(state); },
                .on_message = [this](const std::string& state, const std::string& text) { answered(state, text); },
                .on_close = [this](const std::string& state, const std::string& why) { closed(state, why); }}) {}

PendingAuthorizations::~PendingAuthorizations() {
  if (thread_.joinable()) thread_.detach();
}

std::string PendingAuthorizations::holder() const {
  const std::lock_guard lock(mutex_);
  return letting_go_ ? "" : id_;
}

void PendingAuthorizations::listen(const std::string& state, const std::string& websocket) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  Held& held = held_[state] = {websocket, Phase::opening, first_back_off};
  start();
  open(state, held);
  changed_.notify_all();
}

bool PendingAuthorizations::is_opening(const std::string& state) const {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  return found != held_.end() && found->second.phase == Phase::opening && found->second.back_off == first_back_off;
}

void PendingAuthorizations::take_over() {
  const std::lock_guard lock(mutex_);
  adopts_ = true;
  start();
}

void PendingAuthorizations::let_go() {
  const std::lock_guard lock(mutex_);
  letting_go_ = true;
  changed_.notify_all();
}

bool PendingAuthorizations::stop(milliseconds limit) {
  const auto end = Clock::now() + limit;
  const auto share = [&](double part) { return std::chrono::duration_cast<milliseconds>(limit * part); };
  let_go();
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, share(hand_over_share), [this] { return held_.empty(); });
  // The process that took over still has to connect.
  if (handed_over_) changed_.wait_for(lock, share(overlap_share), [] { return false; });
  lock.unlock();
  // First no further answers, then an end of those that are here.
  const bool silent = sockets_.stop(share(sockets_share));
  completion_.finish(end);
  const auto last = std::max(end, Clock::now() + share(sockets_share));
  lock.lock();
  stopping_ = true;
  changed_.notify_all();
  lock.unlock();
  const bool completed = completion_.stop(last);
  lock.lock();
  if (!changed_.wait_until(lock, last, [this] { return !running_; }) || !completed) return false;
  lock.unlock();
  if (thread_.joinable()) thread_.join();
  return silent;
}

// -- answers of brokers
// ------------------------------------------------------------------------------------------------

void PendingAuthorizations::opened(const std::string& state) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  if (found == held_.end()) return;
  found->second.phase = Phase::open;
  changed_.notify_all();
}

void PendingAuthorizations::closed(const std::string& state, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  if (found == held_.end()) return;
  Held& held = found->second;
  const bool first = held.back_off == first_back_off;
  log::write(first ? log::Level::warning : log::Level::debug,
             state_in_logs(state) + ": no connection to the broker: " + why);
  held.phase = Phase::closed;
  held.retry = Clock::now() + held.back_off;
  held.back_off = std::min(held.back_off * 2, longest_back_off);
  changed_.notify_all();
}

// Connects again, but not at once.
void PendingAuthorizations::give_up(const std::string& state, const std::string& why) {
  sockets_.close(state);
  closed(state, why);
}

void PendingAuthorizations::answered(const std::string& state, const std::string& text) {
  Json answer;
  try {
    answer = parse_answer(text, state);
  } catch (const std::exception& e) {
    return give_up(state, e.what());
  }
  {
    const std::lock_guard lock(mutex_);
    held_.erase(state);
    changed_.notify_all();
  }
  sockets_.close(state);
  completion_.claim_later(state, answer);
}

// -- the rows ---------------------------------------------------------------------------------------------------------

void PendingAuthorizations::start_rest() {
  const std::lock_guard lock(mutex_);
  if (!stopping_ && (adopts_ || !held_.empty())) start();
}

// Without a thread: start_rest() tries again.
void PendingAuthorizations::start() {
  if (thread_.joinable()) return;
  thread_ = start_thread("wazo-waits", [this] {
    run();
    // Notified under the lock: the thread that waits in stop() may destroy this right afterwards.
    const std::lock_guard lock(mutex_);
    running_ = false;
    changed_.notify_all();
  });
  running_ = thread_.joinable();
}

milliseconds PendingAuthorizations::pause() {
  if (let_go_ && !held_.empty()) return hand_over_poll;
  return adopts_ || !held_.empty() ? tick : std::chrono::hours(1);
}

void PendingAuthorizations::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool must_let_go = letting_go_ && !let_go_;
    lock.unlock();
    try {
      if (must_let_go) let_go_of_rows();
      if (!options_.node || options_.node->started()) round();
      last_trouble_.clear();
    } catch (const std::exception& e) {
      if (last_trouble_ != e.what()) log::warning(std::string("authorizations: ") + e.what());
      last_trouble_ = e.what();
    }
    lock.lock();
    const auto waiting = held_.size();
    changed_.wait_for(lock, pause(),
                      [&] { return stopping_ || (letting_go_ && !let_go_) || (waiting == 0 && !held_.empty()); });
  }
}

void PendingAuthorizations::round() {
  completion_.start_rest();
  open_again();
  renew();
  if (adopts()) adopt();
}

void PendingAuthorizations::open_again() {
  const std::lock_guard lock(mutex_);
  for (auto& [state, held] : held_) {
    if (held.phase == Phase::closed && held.retry <= Clock::now()) open(state, held);
  }
}

void PendingAuthorizations::open(const std::string& state, Held& held) {
  held.phase = Phase::opening;
  if (sockets_.open(state, held.websocket)) return;
  held.phase = Phase::closed;
  held.retry = Clock::now() + held.back_off;
}

// Rows that are no longer ours were used, have expired, or have been taken over.
void PendingAuthorizations::renew() {
  const std::vector<std::string> states = held();
  if (states.empty() || (!let_go_ && Clock::now() < renewed_ + renew_every)) return;
  UnitOfWork unit(database_);
  const Rows rows = let_go_ ? unit.run("authorizations.without_holder", {Param(states)})
                            : unit.run("authorizations.hold", {id_, Param(states)});
  unit.commit();
  renewed_ = Clock::now();
  std::set<std::string> ours;
  for (std::size_t i = 0; i < rows.size(); ++i) ours.insert(rows.text(i, "state"));
  for (const std::string& state : states) {
    if (ours.contains(state)) continue;
    // The connection of one that was taken over stays till the end: the other process may not be connected yet.
    if (!let_go_) sockets_.close(state);
    const std::lock_guard lock(mutex_);
    held_.erase(state);
    handed_over_ = let_go_;
    changed_.notify_all();
  }
}

void PendingAuthorizations::adopt() {
  UnitOfWork unit(database_);
  const Rows rows = unit.run("authorizations.take_over", {id_, Param(types_)});
  const std::vector<Answered> answered = resume(unit, *options_.settings, types_);
  unit.commit();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string state = rows.text(i, "state"), websocket = rows.text(i, "websocket");
    log::info("awaiting " + state_in_logs(state));
    const std::lock_guard lock(mutex_);
    open(state, held_[state] = {websocket, Phase::opening, first_back_off});
  }
  for (const auto& [authorization, answer] : answered) {
    log::info("resuming " + state_in_logs(authorization.state));
    completion_.complete_later(authorization, answer);
  }
}

void PendingAuthorizations::let_go_of_rows() {
  if (!held().empty()) {
    UnitOfWork unit(database_);
    unit.run("authorizations.let_go", {id_});
    unit.commit();
  }
  const std::lock_guard lock(mutex_);
  let_go_ = true;
}

bool PendingAuthorizations::adopts() const {
  const std::lock_guard lock(mutex_);
  return adopts_ && !letting_go_;
}

std::vector<std::string> PendingAuthorizations::held() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> states;
  for (const auto& [state, held] : held_) states.push_back(state);
  return states;
}

}  // namespace wazoauth::external

#include "wazoauth/external/waits.h"

#include <pthread.h>

#include <algorithm>

#include "wazoauth/base/log.h"
#include "wazoauth/base/text.h"
#include "wazoauth/external/authorization.h"

namespace wazoauth::external {

namespace {

using std::chrono::milliseconds;

constexpr unsigned workers = 4;
constexpr milliseconds tick{1000}, renew_every{5000}, hand_over_poll{50}, first_back_off{1000}, longest_back_off{30000};
constexpr milliseconds hand_over_limit{2500}, overlap{300}, sockets_limit{1000};
constexpr milliseconds database_retry{1000};
constexpr int database_tries = 30;

DatabaseOptions own(DatabaseOptions options) {
  options.connections = 2;
  options.acquire_timeout = milliseconds(5000);
  options.connect_timeout = milliseconds(2000);
  options.statement_timeout = milliseconds(5000);
  return options;
}

// A state is shown by its beginning: whoever knows all of it can use it.
std::string shown(const std::string& state) {
  return "authorization " + state.substr(0, 6) + "...";
}

// Other nginx on this database may know other services.
std::vector<std::string> known_types(const Settings& settings) {
  std::vector<std::string> types;
  for (const OAuth2Service& service : settings.oauth2_services) {
    if (!service.token_url.empty()) types.push_back(service.type);
  }
  for (const StoredService& service : settings.stored_services) {
    if (!service.awaited.empty()) types.push_back(service.type);
  }
  return types;
}

}  // namespace

Waits::Waits(Options options)
    : options_(std::move(options)),
      id_(new_uuid()),
      types_(known_types(*options_.settings)),
      database_(own(options_.database)),
      sockets_({.rules = options_.settings->outgoing,
                .ca = options_.settings->external_auth_ca,
                .on_open = [this](const std::string& state) { opened(state); },
                .on_message = [this](const std::string& state, const std::string& text) { told(state, text); },
                .on_close = [this](const std::string& state, const std::string& why) { closed(state, why); }}) {}

Waits::~Waits() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.detach();
  }
}

std::string Waits::holder() const {
  const std::lock_guard lock(mutex_);
  return letting_go_ ? "" : id_;
}

void Waits::listen(const std::string& state, const std::string& websocket) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  start();
  held_[state] = {websocket, Phase::opening, first_back_off};
  sockets_.open(state, websocket);
  changed_.notify_all();
}

bool Waits::is_opening(const std::string& state) const {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  return found != held_.end() && found->second.phase == Phase::opening && found->second.back_off == first_back_off;
}

void Waits::take_over() {
  const std::lock_guard lock(mutex_);
  adopts_ = true;
  start();
}

void Waits::let_go() {
  const std::lock_guard lock(mutex_);
  letting_go_ = true;
  changed_.notify_all();
}

bool Waits::stop(milliseconds limit) {
  const auto end = Clock::now() + limit;
  let_go();
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, std::min(end, Clock::now() + hand_over_limit), [this] { return held_.empty(); });
  // Who took over has to connect yet.
  if (handed_over_) changed_.wait_for(lock, overlap, [] { return false; });
  // First nothing more is told, then what was told is dealt with.
  lock.unlock();
  const bool silent = sockets_.stop(sockets_limit);
  lock.lock();
  changed_.wait_until(lock, end, [this] { return jobs_.empty() && busy_ == 0; });
  stopping_ = true;
  changed_.notify_all();
  jobs_changed_.notify_all();
  if (!changed_.wait_until(lock, std::max(end, Clock::now() + sockets_limit), [this] { return alive_ == 0; }))
    return false;
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  return silent;
}

// -- what brokers tell ------------------------------------------------------------------------------------------------

void Waits::opened(const std::string& state) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  if (found == held_.end()) return;
  found->second.phase = Phase::open;
  changed_.notify_all();
}

void Waits::closed(const std::string& state, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(state);
  if (found == held_.end()) return;
  Held& held = found->second;
  const bool first = held.back_off == first_back_off;
  log::write(first ? log::Level::warning : log::Level::debug, shown(state) + ": no connection to the broker: " + why);
  held.phase = Phase::closed;
  held.retry = Clock::now() + held.back_off;
  held.back_off = std::min(held.back_off * 2, longest_back_off);
  changed_.notify_all();
}

// The broker is asked again, but not at once.
void Waits::give_up(const std::string& state, const std::string& why) {
  sockets_.close(state);
  closed(state, why);
}

void Waits::told(const std::string& state, const std::string& text) {
  Json message;
  try {
    message = parse_told(text, state);
  } catch (const std::exception& e) {
    return give_up(state, e.what());
  }
  {
    const std::lock_guard lock(mutex_);
    held_.erase(state);
    changed_.notify_all();
  }
  sockets_.close(state);
  later([this, state, message] { take(state, message); });
}

// -- what is done then ------------------------------------------------------------------------------------------------

void Waits::later(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  jobs_changed_.notify_one();
}

void Waits::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    jobs_changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    ++busy_;
    lock.unlock();
    try {
      job();
    } catch (const std::exception& e) {
      log::error(std::string("an authorization was lost: ") + e.what());
    }
    lock.lock();
    --busy_;
    changed_.notify_all();
  }
}

bool Waits::in_database(const std::function<void(UnitOfWork&)>& work) {
  for (int tries = 1;; ++tries) {
    try {
      UnitOfWork unit(database_);
      work(unit);
      unit.commit();
      return true;
    } catch (const SerializationFailure&) {
      if (tries >= database_tries) return false;
    } catch (const Unavailable&) {
      std::unique_lock lock(mutex_);
      if (tries >= database_tries || stopping_) return false;
      changed_.wait_for(lock, database_retry, [this] { return stopping_; });
    }
  }
}

void Waits::take(const std::string& state, const Json& message) {
  std::optional<Authorization> taken;
  const bool done = in_database(
      [&](UnitOfWork& unit) { taken = external::take(unit, *options_.settings, state, message, Told::by_broker); });
  if (!done) log::warning(shown(state) + " was answered, but the database isn't there");
  if (taken) complete(*taken, message);
}

Waits::End Waits::complete(const Authorization& authorization, const Json& told) {
  const std::string what = authorization.type + ": the authorization of user " + authorization.user;
  try {
    const bool stored = finish(authorization, told);
    log::write(stored ? log::Level::info : log::Level::warning, what + (stored ? " is stored" : " can't be stored"));
    return stored ? End::stored : End::gone;
  } catch (const std::exception& e) {
    in_database([&](UnitOfWork& unit) { end(unit, authorization); });
    log::warning(what + " failed: " + e.what());
    return End::failed;
  }
}

bool Waits::finish(const Authorization& authorization, const Json& message) {
  bool stored = false;
  if (const StoredService* service = stored_service(*options_.settings, authorization.type)) {
    in_database([&](UnitOfWork& unit) { stored = add_awaited(unit, *service, authorization, message); });
    return stored;
  }
  const OAuth2Service* service = oauth2_service(*options_.settings, authorization.type);
  if (!service) throw std::runtime_error("the service isn't configured here");
  const std::string code = message.text_or("code", "");
  if (code.empty()) throw std::runtime_error("the service, or who was asked, said no");
  Client client;
  if (!in_database([&](UnitOfWork& unit) { client = client_of(unit, authorization); })) return false;
  const Grant grant{code, authorization.redirect_uri, authorization.verifier};
  const Json data = redeem(*options_.settings, *service, client, grant, authorization.scope);
  in_database([&](UnitOfWork& unit) { stored = store(unit, authorization, data); });
  return stored;
}

// -- the rows ---------------------------------------------------------------------------------------------------------

void Waits::start() {
  if (!threads_.empty()) return;
  alive_ = 1 + workers;
  const auto begin = [this](const char* name, void (Waits::*member)()) {
    threads_.emplace_back([this, name, member] {
      pthread_setname_np(pthread_self(), name);
      (this->*member)();
      // Notified under the lock: whoever waits may destroy this right afterwards.
      const std::lock_guard lock(mutex_);
      --alive_;
      changed_.notify_all();
    });
  };
  begin("wazo-waits", &Waits::run);
  for (unsigned i = 0; i < workers; ++i) begin("wazo-redeem", &Waits::work);
}

milliseconds Waits::pause() {
  if (let_go_ && !held_.empty()) return hand_over_poll;
  return adopts_ || !held_.empty() ? tick : std::chrono::hours(1);
}

void Waits::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool must_let_go = letting_go_ && !let_go_;
    lock.unlock();
    try {
      if (must_let_go) let_go_of_rows();
      if (!options_.zone || options_.zone->started()) round();
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

void Waits::round() {
  open_again();
  renew();
  if (adopts()) adopt();
}

void Waits::open_again() {
  const std::lock_guard lock(mutex_);
  for (auto& [state, held] : held_) {
    if (held.phase != Phase::closed || held.retry > Clock::now()) continue;
    held.phase = Phase::opening;
    sockets_.open(state, held.websocket);
  }
}

// Those that aren't ours any more were used, have expired, or have been taken over.
void Waits::renew() {
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
    // The connection of one that was taken over stays till the end: the other one may not be there yet.
    if (!let_go_) sockets_.close(state);
    const std::lock_guard lock(mutex_);
    held_.erase(state);
    handed_over_ = let_go_;
    changed_.notify_all();
  }
}

void Waits::adopt() {
  UnitOfWork unit(database_);
  const Rows rows = unit.run("authorizations.take_over", {id_, Param(types_)});
  const std::vector<Unfinished> unfinished = go_on(unit, *options_.settings, types_);
  unit.commit();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string state = rows.text(i, "state"), websocket = rows.text(i, "websocket");
    log::info(shown(state) + " is waited for here now");
    const std::lock_guard lock(mutex_);
    held_[state] = {websocket, Phase::opening, first_back_off};
    sockets_.open(state, websocket);
  }
  for (const auto& [authorization, told] : unfinished) {
    log::info(shown(authorization.state) + " is gone on with here");
    later([this, authorization = authorization, told = told] { complete(authorization, told); });
  }
}

void Waits::let_go_of_rows() {
  if (!held().empty()) {
    UnitOfWork unit(database_);
    unit.run("authorizations.let_go", {id_});
    unit.commit();
  }
  const std::lock_guard lock(mutex_);
  let_go_ = true;
}

bool Waits::adopts() const {
  const std::lock_guard lock(mutex_);
  return adopts_ && !letting_go_;
}

std::vector<std::string> Waits::held() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> states;
  for (const auto& [state, held] : held_) states.push_back(state);
  return states;
}

}  // namespace wazoauth::external

#include "wazoauth/external/completion.h"

#include "wazoauth/base/log.h"
#include "wazoauth/base/start_thread.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/store/retry_pause.h"

namespace wazoauth::external {

namespace {

using std::chrono::milliseconds;

constexpr unsigned workers = 4;
constexpr milliseconds database_retry{1000};
constexpr int database_tries = 30;

}  // namespace

std::string state_in_logs(const std::string& state) {
  return "authorization " + state.substr(0, 6) + "...";
}

Completion::Completion(const Settings& settings, Database& database) : settings_(settings), database_(database) {
  threads_.reserve(workers);
}

Completion::~Completion() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.detach();
  }
}

// -- one authorization ------------------------------------------------------------------------------------------------

bool Completion::in_database(const std::function<void(UnitOfWork&)>& work) {
  for (int tries = 1;; ++tries) {
    try {
      UnitOfWork unit(database_);
      work(unit);
      unit.commit();
      return true;
    } catch (const SerializationFailure&) {
      if (tries >= database_tries) return false;
      std::this_thread::sleep_for(retry_pause(tries));
    } catch (const Unavailable&) {
      std::unique_lock lock(mutex_);
      if (tries >= database_tries || stopping_) return false;
      changed_.wait_for(lock, database_retry, [this] { return stopping_; });
    }
  }
}

void Completion::claim(const std::string& state, const Json& answer) {
  std::optional<Authorization> claimed;
  const bool done = in_database(
      [&](UnitOfWork& unit) { claimed = external::claim(unit, settings_, state, answer, AnsweredBy::broker); });
  if (!done) log::warning(state_in_logs(state) + " was answered, but the database isn't there");
  if (claimed) complete(*claimed, answer);
}

Completion::End Completion::complete(const Authorization& authorization, const Json& answer) {
  const std::string what = authorization.type + ": the authorization of user " + authorization.user;
  try {
    const bool stored = store(authorization, answer);
    log::write(stored ? log::Level::info : log::Level::warning, what + (stored ? " is stored" : " can't be stored"));
    return stored ? End::stored : End::gone;
  } catch (const std::exception& e) {
    in_database([&](UnitOfWork& unit) { end(unit, authorization); });
    log::warning(what + " failed: " + e.what());
    return End::failed;
  }
}

bool Completion::store(const Authorization& authorization, const Json& answer) {
  bool stored = false;
  if (const StoredService* service = stored_service(settings_, authorization.type)) {
    in_database([&](UnitOfWork& unit) { stored = add_awaited(unit, *service, authorization, answer); });
    return stored;
  }
  const OAuth2Service* service = oauth2_service(settings_, authorization.type);
  if (!service) throw std::runtime_error("the service isn't configured here");
  const std::string code = answer.text_or("code", "");
  if (code.empty()) throw std::runtime_error(refusal(answer.text_or("error", "")));
  Client client;
  if (!in_database([&](UnitOfWork& unit) { client = client_of(unit, authorization); })) return false;
  const Grant grant{code, authorization.redirect_uri, authorization.verifier};
  const Json data = redeem(settings_, *service, client, grant, authorization.scope);
  in_database([&](UnitOfWork& unit) { stored = external::store(unit, authorization, data); });
  return stored;
}

// -- the threads ------------------------------------------------------------------------------------------------------

// One for each job that would wait otherwise, up to the limit.
void Completion::grow() {
  if (stopping_ || alive_ == workers || jobs_.size() + busy_ <= alive_) return;
  std::thread thread = start_thread("wazo-redeem", [this] {
    work();
    // Notified under the lock: the thread that waits in stop() may destroy this right afterwards.
    const std::lock_guard last(mutex_);
    --alive_;
    changed_.notify_all();
  });
  if (!thread.joinable()) return;
  threads_.push_back(std::move(thread));
  ++alive_;
}

void Completion::start_rest() {
  const std::lock_guard lock(mutex_);
  grow();
}

void Completion::later(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  grow();
  jobs_changed_.notify_one();
}

void Completion::claim_later(const std::string& state, const Json& answer) {
  later([this, state, answer] { claim(state, answer); });
}

void Completion::complete_later(const Authorization& authorization, const Json& answer) {
  later([this, authorization, answer] { complete(authorization, answer); });
}

void Completion::work() {
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

void Completion::finish(Clock::time_point limit) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, limit, [this] { return jobs_.empty() && busy_ == 0; });
}

bool Completion::stop(Clock::time_point limit) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  jobs_changed_.notify_all();
  if (!changed_.wait_until(lock, limit, [this] { return alive_ == 0; })) return false;
  lock.unlock();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  return true;
}

}  // namespace wazoauth::external

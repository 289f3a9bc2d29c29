#include "wazoauth/node/housekeeper.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "wazoauth/audit/file.h"
#include "wazoauth/audit/keep.h"
#include "wazoauth/audit/relay.h"
#include "wazoauth/audit/syslog.h"
#include "wazoauth/base/clock.h"
#include "wazoauth/base/deadline.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/base/start_thread.h"
#include "wazoauth/cache/redis_relay.h"
#include "wazoauth/lock/locks.h"
#include "wazoauth/node/listener.h"
#include "wazoauth/node/seed.h"
#include "wazoauth/saml/cleanup.h"
#include "wazoauth/saml/expiry.h"
#include "wazoauth/store/connection_string.h"
#include "wazoauth/store/leader.h"
#include "wazoauth/token/cleanup.h"

namespace wazoauth {

namespace {

constexpr std::chrono::milliseconds start_retry{2000}, change_poll{500}, sweep_every{5000}, lead_retry{5000},
    schema_poll{20}, start_poll{100}, locks_every{10000};

std::uint64_t random_id() {
  std::random_device random;
  const std::uint64_t id = (static_cast<std::uint64_t>(random()) << 32) | random();
  return id != 0 ? id : 1;
}

DatabaseOptions start_options(DatabaseOptions options) {
  options.connections = 1;
  options.connect_timeout = std::chrono::milliseconds(3000);
  options.statement_timeout = std::chrono::milliseconds(60000);
  return options;
}

DatabaseOptions clean_up_options(DatabaseOptions options) {
  options = leader_options(std::move(options));
  options.statement_timeout = std::chrono::milliseconds(60000);
  options.generic_plans = false;
  return options;
}

}  // namespace

Housekeeper::Housekeeper(HousekeeperOptions options) : options_(std::move(options)), id_(random_id()) {}

Housekeeper::~Housekeeper() {
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.detach();
  }
}

void Housekeeper::start() {
  const Settings& settings = options_.settings;
  BusRelay::Options bus;
  bus.servers = settings.amqp_servers;
  bus.exchange_name = settings.amqp_exchange_name;
  bus.exchange_type = settings.amqp_exchange_type;
  bus.exchange_durable = settings.amqp_exchange_durable;
  bus.origin_uuid = settings.xivo_uuid;
  bus.session_event_lifetime = std::chrono::seconds(settings.session_event_lifetime);
  bus.dropped = options_.events_dropped;
  bus.database = options_.database;
  bus.wake = &wake_;
  bus_ = std::make_unique<BusRelay>(std::move(bus));
  mails_ = std::make_unique<MailRelay>(MailRelay::Options{settings.mail.smtp, options_.database, &wake_});
  rest_ = {{"wazo-start", [this] { look_after_database(); }},   {"wazo-sweep", [this] { sweep(); }},
           {"wazo-listen", on_schema([this] { listen(); })},    {"wazo-bus", on_schema([this] { bus_->run(); })},
           {"wazo-mail", on_schema([this] { mails_->run(); })}, {"wazo-clean-up", on_schema([this] { clean_up(); })}};
  if (!options_.redis_uri.empty())
    rest_.push_back({"wazo-redis", on_schema([this] {
                       RedisRelay({options_.redis_uri, options_.database, &wake_}).run();
                     })});
  if (settings.audit && (!settings.audit_file.empty() || settings.audit_syslog.way != SyslogServer::Way::none))
    rest_.push_back({"wazo-audit", on_schema([this] { relay_audit(); })});
  threads_.reserve(rest_.size());
  start_rest();
}

// In their order: without the first one there is no database for the others.
void Housekeeper::start_rest() {
  while (!rest_.empty() && !wake_.stopping()) {
    std::thread thread = start_thread(rest_.front().name, [this, work = rest_.front()] { run(work); });
    if (!thread.joinable()) return;
    threads_.push_back(std::move(thread));
    rest_.erase(rest_.begin());
  }
}

void Housekeeper::close() {
  wake_.stop();
  clean_up_wake_.stop();
  bus_->interrupt();
}

std::function<void()> Housekeeper::on_schema(std::function<void()> work) {
  return [this, work = std::move(work)] {
    while (!schema_is_there_) {
      if (!wake_.wait(schema_poll)) return;
    }
    work();
  };
}

void Housekeeper::run(const Work& work) {
  try {
    work.work();
  } catch (const std::exception& e) {
    log::error(std::string(work.name) + " ended: " + e.what());
  }
  // Notified under the lock: the thread that waits in stop() may destroy this right afterwards.
  const std::lock_guard lock(mutex_);
  ++ended_;
  changed_.notify_all();
}

bool Housekeeper::stop(std::chrono::milliseconds limit) {
  close();
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, limit, [this] { return ended_ == threads_.size(); })) return false;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  return true;
}

// -- start ------------------------------------------------------------------------------------------------------------

// Not over when it is ready: wazo-auth's own migrations go on underneath.
void Housekeeper::look_after_database() {
  std::string last;
  bool seeded = false, good = false;
  do {
    good = schema_changed_ = false;
    try {
      const SchemaFit fit = seeded ? check_schema(options_.database.conninfo) : prepare_schema();
      report(fit);
      if (!fit.ours) throw std::runtime_error("schema wazo_auth is incomplete: wazo-auth-upgrade-db completes it");
      schema_is_there_ = true;
      good = fit.lacks.empty();
      if (good && !seeded) {
        seed_database();
        seeded = true;
        log::info("the database is ready");
      }
      options_.zone->node().set_started(true);
      last.clear();
    } catch (const std::exception& e) {
      good = false;
      if (last != e.what()) log::error((seeded ? "database: " : "start: ") + std::string(e.what()));
      last = e.what();
    }
    seeding_ = false;
  } while (wait_for_change(good));
}

// Both again after every reload, beside running service. Where only wazo-auth's tables lack something, what works
// without it is served.
SchemaFit Housekeeper::prepare_schema() {
  const std::string& conninfo = options_.database.conninfo;
  SchemaFit fit = check_schema(conninfo);
  const bool upgrade = options_.settings.db_upgrade_on_startup && fit.lacks.empty() && !fit.complete;
  return upgrade || !fit.ours ? upgrade_database(conninfo) : fit;
}

void Housekeeper::report(const SchemaFit& fit) {
  const std::string text = fit.text();
  if (text == std::exchange(reported_, text)) return;
  if (!fit.lacks.empty())
    log::error("schema: " + text + ". Requests that need it get 503");
  else if (!text.empty())
    log::warning("schema: " + text);
  else
    log::info("schema: it is as this version knows it");
}

bool Housekeeper::wait_for_change(bool good) {
  const Deadline deadline(start_retry);
  while (wake_.wait(change_poll)) {
    if (schema_changed_ || (!good && deadline.passed())) return true;
  }
  return false;
}

// It goes on beside service, by the connection that is the clean-up's afterwards.
void Housekeeper::seed_database() {
  seeding_ = true;
  Database database(start_options(options_.database));
  seed(database, options_.settings, [this] { options_.zone->node().set_started(true); });
}

// -- beside running service -------------------------------------------------------------------------------------------

void Housekeeper::listen() {
  const DatabaseOptions database = leader_options(options_.database);
  Listener({connection_string(database), session_settings(database), options_.zone, options_.address_locks, id_,
            !options_.redis_uri.empty(), &wake_, &clean_up_wake_, [this] { schema_changed_ = true; },
            options_.database.meters})
      .run();
  // Another housekeeper of this nginx took over: then it does the rest as well.
  close();
}

void Housekeeper::sweep() {
  do options_.zone->sweep(unix_seconds(), BootClock::now());
  while (wake_.wait(sweep_every));
}

// Rounds, of one nginx for all; and what locks leave behind, of whoever comes first.
void Housekeeper::clean_up() {
  using Clock = std::chrono::steady_clock;
  const bool rounds = options_.settings.token_cleanup_interval >= 1;
  Database database(clean_up_options(options_.database));
  Clock::time_point next_round = Clock::now();
  std::uint64_t seen = 0;
  for (std::chrono::milliseconds pause{0}; clean_up_wake_.wait(pause, seen);) {
    pause = start_poll;
    if (!options_.zone->node().started() || seeding_) continue;
    pause = locks_every;
    clean_up_locks(database);
    keep_audit(database);
    count_outbox(database);
    tell_saml_expiry(database);
    if (!rounds) continue;
    if (Clock::now() >= next_round) next_round = Clock::now() + clean_up_round(database);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next_round - Clock::now());
    pause = std::clamp(left, std::chrono::milliseconds(0), locks_every);
  }
}

void Housekeeper::clean_up_locks(Database& database) {
  try {
    locks::clean_up(database, [this] { return !wake_.stopping(); });
    locks_trouble_.over();
  } catch (const std::exception& e) {
    locks_trouble_.is(std::string("clean-up of locks: ") + e.what());
  }
}

void Housekeeper::keep_audit(Database& database) {
  try {
    if (!audit_switched_) audit::enable(database, options_.settings.audit);
    audit_switched_ = true;
    audit::keep(database, options_.settings);
    audit_trouble_.over();
  } catch (const std::exception& e) {
    audit_trouble_.is(std::string("audit: ") + e.what());
  }
}

void Housekeeper::relay_audit() {
  const Settings& settings = options_.settings;
  audit::Relay::Options relay{"audit.syslog", {}, options_.database, &wake_};
  if (settings.audit_file.empty()) {
    relay.deliver = [&](const auto& entries) { audit::send_to_syslog(settings.audit_syslog, entries); };
  } else {
    relay.to = "audit.file " + settings.audit_file;
    relay.deliver = [&](const auto& entries) { audit::append_to_file(settings.audit_file, entries); };
  }
  audit::Relay(std::move(relay)).run();
}

// For those who ask how it is: they never wait for the database.
void Housekeeper::count_outbox(Database& database) {
  Meters* const meters = options_.database.meters;
  if (!meters) return;
  try {
    const Rows rows = UnitOfWork(database, Mode::read_only).run("node.outbox");
    for (std::size_t i = 0; i < Meters::targets; ++i) {
      meters->outbox[i].oldest_seconds = static_cast<double>(rows.integer(i, "oldest"));
      meters->outbox[i].rows = static_cast<std::uint64_t>(rows.integer(i, "waiting"));
    }
    meters->outbox_read = BootClock::now();
  } catch (const std::exception&) {
    // The age of what was read last grows meanwhile.
  }
}

void Housekeeper::tell_saml_expiry(Database& database) {
  if (!options_.database.meters) return;
  try {
    saml::tell_expiry(database, *options_.database.meters, saml_seen_);
  } catch (const std::exception&) {
    // What was read last goes on being told.
  }
}

std::chrono::milliseconds Housekeeper::clean_up_round(Database& database) {
  const std::chrono::duration<double> interval(options_.settings.token_cleanup_interval);
  const auto began = std::chrono::steady_clock::now();
  try {
    if (!take_lead(database, "wazo_auth.clean_up")) return lead_retry;
    clean_up_once(database);
  } catch (const std::exception& e) {
    log::warning(std::string("clean-up: ") + e.what());
  }
  const auto left = interval - (std::chrono::steady_clock::now() - began);
  return std::max(std::chrono::milliseconds(0), std::chrono::duration_cast<std::chrono::milliseconds>(left));
}

void Housekeeper::clean_up_once(Database& database) {
  const auto keep_going = [this] { return !wake_.stopping(); };
  const BootTime began = BootClock::now();
  const std::int64_t now = unix_seconds();
  UnitOfWork(database, Mode::read_only).run("node.prune");
  UnitOfWork(database, Mode::read_only).run("authorizations.prune");
  clean_expired(database, now, std::max<std::int64_t>(1, options_.settings.token_cleanup_batch_size), keep_going);
  saml::clean_up(database, options_.settings.saml.session_lifetime);
  const double interval = options_.settings.token_cleanup_interval;
  // A second more than to the next round: times are whole seconds here, and that round may come a little late.
  announce_expiring(database, now, static_cast<std::int64_t>(std::ceil(interval)) + 1, keep_going);
  if (BootClock::now() - began > std::chrono::duration<double>(interval))
    log::warning("clean-up took longer than its interval");
}

}  // namespace wazoauth

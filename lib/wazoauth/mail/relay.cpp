#include "wazoauth/mail/relay.h"

#include <algorithm>

#include "wazoauth/base/log.h"
#include "wazoauth/base/meters.h"
#include "wazoauth/store/leader.h"

namespace wazoauth {

namespace {

constexpr std::string_view lead = "wazo_auth.mail_relay";
constexpr std::chrono::milliseconds idle{5000}, lead_retry{10000}, first_retry{500}, last_retry{30000};
constexpr std::chrono::milliseconds first_delay{5000}, last_delay{600000};

}  // namespace

MailRelay::MailRelay(Options options) : options_(std::move(options)), database_(leader_options(options_.database)) {}

void MailRelay::run() {
  std::uint64_t seen = 0;
  std::string last_trouble;
  std::chrono::milliseconds pause{0}, back_off = first_retry;
  while (options_.wake->wait(pause, seen)) {
    try {
      if (!take_lead(database_, lead)) {
        if (options_.database.meters)
          options_.database.meters->mail_server = Meters::Seen::unknown;  // another nginx knows
        pause = lead_retry;
        continue;
      }
      pause = relay() ? std::chrono::milliseconds(0) : idle;
      if (!last_trouble.empty() && pause.count() == 0) {
        log::info("mails: the server is back");
        last_trouble.clear();
      }
      back_off = first_retry;
    } catch (const std::exception& e) {
      if (options_.wake->stopping()) break;
      if (last_trouble != e.what()) log::warning(std::string("mails wait in the outbox: ") + e.what());
      last_trouble = e.what();
      give_way();
      // Rows that are written meanwhile are no reason to try sooner.
      if (!options_.wake->wait(back_off)) break;
      back_off = std::min(back_off * 2, last_retry);
      pause = std::chrono::milliseconds(0);
    }
  }
}

// Each nginx may have a mail server of its own, and another one's may be there.
void MailRelay::give_way() {
  try {
    give_up_lead(database_);
  } catch (const std::exception&) {
    // Without its connection it is no leader any more.
  }
}

// No transaction is open while this waits for the server.
bool MailRelay::relay() {
  drop_expired();
  UnitOfWork reading(database_);
  require_lead(reading, lead);
  const Rows rows = reading.run("mails.waiting", {Param(delayed())});
  reading.commit();
  for (std::size_t i = 0; i < rows.size() && !options_.wake->stopping(); ++i) send(rows, i);
  return !rows.empty();
}

// Throws when no other mail would fare better.
void MailRelay::send(const Rows& rows, std::size_t row) {
  const std::string id = rows.text(row, "id");
  try {
    deliver(options_.server, {rows.text(row, "sender"), rows.text(row, "recipient")}, rows.text(row, "message"),
            [this] { return options_.wake->stopping(); });
    see_server(true);
    settle(id);
  } catch (const SmtpError& e) {
    see_server(!e.concerns_all);
    if (e.concerns_all) throw;
    e.kind == SmtpError::Kind::never ? refuse(id, e.what()) : postpone(id, e.what());
  }
}

void MailRelay::see_server(bool there) {
  if (Meters* const meters = options_.database.meters) meters->see(&Meters::mail_server, there);
}

void MailRelay::settle(const std::string& id) {
  UnitOfWork unit(database_);
  unit.run("node.done", {Param(std::vector<std::string>{id})});
  unit.commit();
  delays_.erase(id);
  log::info("mail " + id + " is delivered");
}

void MailRelay::refuse(const std::string& id, const std::string& reason) {
  log::error("mail " + id + " is refused for good: " + reason);
  UnitOfWork unit(database_);
  unit.run("node.refused", {Param(std::vector<std::string>{id}), reason});
  unit.commit();
  delays_.erase(id);
}

void MailRelay::postpone(const std::string& id, const std::string& reason) {
  const auto known = delays_.find(id);
  const auto length = known == delays_.end() ? first_delay : std::min(known->second.length * 2, last_delay);
  delays_[id] = {length, Clock::now() + length};
  if (known == delays_.end()) log::warning("mail " + id + " is not taken yet: " + reason);
}

void MailRelay::drop_expired() {
  UnitOfWork unit(database_);
  const Rows gone = unit.run("mails.drop_expired");
  unit.commit();
  for (std::size_t i = 0; i < gone.size(); ++i) {
    delays_.erase(gone.text(i, "id"));
    log::error("mail " + gone.text(i, "id") + " was not delivered before the link in it expired: dropped");
  }
}

std::vector<std::string> MailRelay::delayed() {
  std::vector<std::string> ids;
  const Clock::time_point now = Clock::now();
  for (const auto& [id, delay] : delays_) {
    if (delay.until > now) ids.push_back(id);
  }
  return ids;
}

}  // namespace wazoauth

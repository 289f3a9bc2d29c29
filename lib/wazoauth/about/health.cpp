#include "wazoauth/about/health.h"

namespace wazoauth {

namespace {

// What waits for longer isn't on its way any more. A mail server may ask for some minutes.
constexpr double longest_wait[Meters::targets] = {60, 60, 900};

double seconds_between(BootTime from, BootTime to) {
  return std::chrono::duration<double>(to - from).count();
}

class Examination {
 public:
  void add(const std::string& name, bool good, Json about = Json::object()) {
    about.set("status", good ? "ok" : "fail");
    health_.components.set(name, std::move(about));
    if (good) return;
    health_.why.push_back(name);
    if (health_.state == Health::State::ready) health_.state = Health::State::degraded;
  }
  void useless() { health_.state = Health::State::live; }
  Health result() { return std::move(health_); }

 private:
  Health health_;
};

// A heartbeat that has come back says that it is there. Without one, a second one may be late.
bool has_database(const NodeState& node, const Meters& meters, BootTime now) {
  if (node.listening(now)) return true;
  return meters.database.load() == Meters::Seen::there && !node.database_away(now);
}

void add_outbox(const Meters& meters, BootTime now, Examination& all) {
  bool good = true;
  Json about = Json::object();
  const bool known = meters.outbox_read.load() != BootTime();
  for (unsigned i = 0; known && i < Meters::targets; ++i) {
    const double oldest = meters.oldest_seconds(static_cast<Meters::Target>(i), now);
    good = good && oldest <= longest_wait[i];
    about.set(std::string(Meters::target_names[i]),
              Json::object({{"waiting", static_cast<std::int64_t>(meters.outbox[i].rows.load())},
                            {"oldest_seconds", static_cast<std::int64_t>(oldest)}}));
  }
  all.add("outbox", good, std::move(about));
}

}  // namespace

std::string_view state_name(Health::State state) {
  switch (state) {
    case Health::State::live:
      return "live";
    case Health::State::degraded:
      return "degraded";
    default:
      return "ready";
  }
}

Health health_of(const NodeState& node, const Meters& meters, BootTime now) {
  Examination all;
  const bool started = node.started(), database = has_database(node, meters, now);
  all.add("rest_api", started);
  all.add("database", database);
  const BootTime heartbeat = node.last_heartbeat();
  Json age = Json::object();
  if (heartbeat != BootTime())
    age.set("age_milliseconds", static_cast<std::int64_t>(seconds_between(heartbeat, now) * 1000));
  all.add("notifications", node.listening(now), std::move(age));
  add_outbox(meters, now, all);
  // Those that nobody has needed are none of its troubles.
  all.add("redis", meters.redis_server.load() != Meters::Seen::away);
  all.add("broker", meters.broker.load() != Meters::Seen::away);
  all.add("mail", meters.mail_server.load() != Meters::Seen::away);
  if (!started || !database) all.useless();
  return all.result();
}

Json health_body(const Health& health) {
  Json body = health.components;
  body.set("health", Json::object({{"status", health.state == Health::State::live ? "fail" : "ok"},
                                   {"state", state_name(health.state)},
                                   {"why", Json::strings(health.why)}}));
  return body;
}

}  // namespace wazoauth

// The content handlers of wazo_auth_metrics, wazo_auth_ready and wazo_auth_shadow_report.
#include <map>

#include "answers.h"
#include "counters.h"
#include "exposition.h"
#include "handlers.h"
#include "node_report.h"
#include "process.h"
#include "wazoauth/base/version.h"

namespace wazoauth::nginx {

namespace {

constexpr auto label = Exposition::label;

// As the metrics of the first version named them.
constexpr std::pair<Status, const char*> outcomes[] = {{Status::hit, "hit"},
                                                       {Status::miss, "miss"},
                                                       {Status::grace, "miss"},
                                                       {Status::preflight, "preflight"},
                                                       {Status::denied, "denied"},
                                                       {Status::unknown, "unknown"},
                                                       {Status::no_token, "no_token"},
                                                       {Status::refused, "refused"},
                                                       {Status::unavailable, "unavailable"}};

void add_gate(SharedMeters& meters, Exposition& out) {
  std::map<std::string_view, std::uint64_t> totals;
  for (const auto& [status, name] : outcomes) totals[name];
  constexpr std::string_view of_location = "wazo_auth_gate_location_requests_total";
  out.describe(of_location, "counter", "Gated requests by location, outcome and reason.");
  const auto add = [&](const std::string& location, const GateMeter& meter) {
    for (const auto& [status, name] : outcomes) {
      for (std::size_t reason = 0; reason < GateMeter::reasons; ++reason) {
        const std::uint64_t number = meter.value(status, static_cast<Reason>(reason));
        if (number == 0) continue;
        totals[name] += number;
        out.value(of_location,
                  label("location", location) + "," + label("outcome", status_name(status)) +
                      (reason ? "," + label("reason", reason_name(static_cast<Reason>(reason))) : ""),
                  number);
      }
    }
  };
  meters.gates.each(add);
  add("other", meters.gates.other());
  out.describe("wazo_auth_gate_requests_total", "counter", "Gated requests by outcome.");
  for (const auto& [status, name] : outcomes) {
    if (status != Status::grace) out.value("wazo_auth_gate_requests_total", label("outcome", name), totals[name]);
  }
  out.describe("wazo_auth_gate_hit_duration_seconds", "histogram",
               "What the gate takes for a request whose token it knows; one of 16 is measured.");
  out.histogram("wazo_auth_gate_hit_duration_seconds", "", meters.hits);
  out.describe("wazo_auth_gate_load_duration_seconds", "histogram",
               "How long a request waits until its token is loaded or confirmed.");
  out.histogram("wazo_auth_gate_load_duration_seconds", "", meters.loads);
}

void add_api(const Counters& counters, SharedMeters& meters, Exposition& out) {
  out.describe("wazo_auth_api_answers_total", "counter",
               "Answers of the API by kind; those from the zone came without a thread.");
  out.value("wazo_auth_api_answers_total", "kind=\"zone\"", counters.value(counter::api_from_zone));
  out.value("wazo_auth_api_answers_total", "kind=\"ok\"", counters.value(counter::api_answers));
  out.value("wazo_auth_api_answers_total", "kind=\"error\"", counters.value(counter::api_errors));
  constexpr std::string_view duration = "flask_http_request_duration_seconds", total = "flask_http_request_total";
  std::map<std::string, std::uint64_t> totals;
  out.describe(duration, "histogram", "Requests of the API by endpoint, named as the Python daemon's.");
  meters.requests.each([&](const std::string& name, const Histogram<RequestTimes>& histogram) {
    const auto first = name.find(' '), second = name.find(' ', first + 1);
    const std::string method = label("method", name.substr(0, first)),
                      status = label("status", name.substr(first + 1, second - first - 1));
    out.histogram(duration, label("endpoint", name.substr(second + 1)) + "," + method + "," + status, histogram);
    for (std::size_t i = 0; i < Histogram<RequestTimes>::buckets; ++i)
      totals[method + "," + status] += histogram.count(i);
  });
  out.describe(total, "counter", "Requests of the API.");
  for (const auto& [labels, number] : totals) out.value(total, labels, number);
  out.describe("wazo_auth_login_duration_seconds", "histogram",
               "POST /token by outcome, with the time that a login has to wait after failed ones.");
  meters.logins.each([&](const std::string& outcome, const Histogram<RequestTimes>& histogram) {
    out.histogram("wazo_auth_login_duration_seconds", label("outcome", outcome), histogram);
  });
  out.describe("wazo_auth_logins_slowed_total", "counter",
               "Logins that had to wait, or were refused, after failed ones.");
  out.value("wazo_auth_logins_slowed_total", "how=\"delayed\"", counters.value(counter::logins_delayed));
  out.value("wazo_auth_logins_slowed_total", "how=\"refused\"", counters.value(counter::logins_refused));
  out.single("wazo_auth_overloads_total", "counter", "Requests that found a full queue.",
             counters.value(counter::overloads));
  out.single("wazo_auth_upgraded_connections_ended_total", "counter",
             "Upgraded connections and watched answers that ended with their token.",
             counters.value(counter::upgrades_ended));
}

void add_background(const Counters& counters, const Meters& meters, Exposition& out) {
  out.describe("wazo_auth_statement_duration_seconds", "histogram", "Statements by class, at PostgreSQL and back.");
  meters.statements.each([&](const std::string& name, const Histogram<ShortTimes>& histogram) {
    out.histogram("wazo_auth_statement_duration_seconds", label("class", name), histogram);
  });
  out.describe("wazo_auth_revocation_delay_seconds", "histogram",
               "From the statement that revokes tokens, and its commit, to their refusal by this nginx.");
  out.histogram("wazo_auth_revocation_delay_seconds", "", meters.revocations);
  out.describe("wazo_auth_notification_delay_seconds", "histogram",
               "From NOTIFY to this nginx, by heartbeats that go the way of revocations.");
  out.histogram("wazo_auth_notification_delay_seconds", "", meters.heartbeats);
  if (meters.outbox_read.load() != BootTime()) {
    const BootTime now = BootClock::now();
    out.describe("wazo_auth_outbox_rows", "gauge", "Events, deaths of tokens and mails that wait in the database.");
    for (unsigned i = 0; i < Meters::targets; ++i)
      out.value("wazo_auth_outbox_rows", label("target", Meters::target_names[i]), meters.outbox[i].rows.load());
    out.describe("wazo_auth_outbox_oldest_seconds", "gauge", "For how long the first of them has waited; 0 for none.");
    for (unsigned i = 0; i < Meters::targets; ++i)
      out.value("wazo_auth_outbox_oldest_seconds", label("target", Meters::target_names[i]),
                meters.oldest_seconds(static_cast<Meters::Target>(i), now));
  }
  out.describe("wazo_auth_server_up", "gauge", "1: whoever of this nginx talked to it last found it; 0: didn't.");
  const std::pair<const char*, const std::atomic<Meters::Seen>*> servers[] = {{"database", &meters.database},
                                                                              {"redis", &meters.redis_server},
                                                                              {"broker", &meters.broker},
                                                                              {"mail", &meters.mail_server}};
  for (const auto& [name, seen] : servers) {
    if (seen->load() != Meters::Seen::unknown)
      out.value("wazo_auth_server_up", label("server", name), seen->load() == Meters::Seen::there ? 1 : 0);
  }
  out.single("wazo_auth_events_dropped_total", "counter", "Events of sessions that waited too long for RabbitMQ.",
             counters.value(counter::events_dropped));
}

void add_zone(const Zone& zone, Exposition& out) {
  const ZoneCounters zc = zone.counters();
  out.single("wazo_auth_zone_slots", "gauge", "Tokens that the zone has room for.", zc.slots);
  out.single("wazo_auth_zone_slot_bytes", "gauge", "Bytes that these tokens may take.", zc.slot_bytes);
  out.single("wazo_auth_zone_tokens", "gauge", "Tokens in the zone.", zc.used);
  out.single("wazo_auth_zone_evictions_total", "counter", "Tokens that left for lack of room.", zc.evictions);
  out.single("wazo_auth_zone_access_lists", "gauge", "Different access lists in the zone.", zc.blobs);
  out.single("wazo_auth_zone_access_list_bytes", "gauge", "Bytes of these access lists.", zc.blob_bytes_used);
  out.single("wazo_auth_zone_access_list_capacity_bytes", "gauge", "Bytes that there are for access lists.",
             zc.blob_bytes);
  out.single("wazo_auth_zone_tombstones", "gauge", "Revoked tokens that are remembered.", zc.tombstones);
  out.single("wazo_auth_zone_tombstone_capacity", "gauge", "Revoked tokens that can be remembered.",
             zc.tombstone_capacity);
  out.single("wazo_auth_zone_tombstones_lost_total", "counter", "Tombstones dropped before their time.",
             zc.tombstones_lost);
  out.single("wazo_auth_zone_unknown_tokens", "gauge", "Unknown tokens that are remembered.", zc.negatives);
  out.single("wazo_auth_revocations_total", "counter", "Tokens revoked.", zone.revocations());
  const BootTime last_heartbeat = zone.node().last_heartbeat();
  const std::chrono::milliseconds age =
      BootClock::now() - last_heartbeat;  // the loop's time may be older than the heartbeat
  out.single("wazo_auth_listen_age_seconds", "gauge", "Time since the last heartbeat through LISTEN.",
             std::chrono::duration<double>(age).count());
}

void add_shadow(const Shadow& shadow, Exposition& out) {
  if (shadow.size() == 0) return;
  out.describe("wazo_auth_shadow_requests_total", "counter", "Requests in shadow by what the gate would have done.");
  for (const Shadow::Totals& totals : shadow.totals()) {
    const std::string document = label("document", totals.document) + ",outcome=";
    out.value("wazo_auth_shadow_requests_total", document + "\"pass\"", totals.passed);
    out.value("wazo_auth_shadow_requests_total", document + "\"refuse\"", totals.refused);
    out.value("wazo_auth_shadow_requests_total", document + "\"undecided\"", totals.undecided);
  }
}

void add_locks(const AddressLocks& locks, Exposition& out) {
  out.single("wazo_auth_address_locks", "gauge", "Locks of addresses that this nginx knows.", locks.count());
}

void add_throttle(const gate::LoginThrottle& throttle, Exposition& out) {
  const gate::LoginThrottle::Occupancy found = throttle.occupancy(BootClock::now().time_since_epoch().count());
  constexpr std::string_view used = "wazo_auth_throttle_entries", most = "wazo_auth_throttle_capacity";
  out.describe(used, "gauge", "What the throttle of logins remembers.");
  out.value(used, "table=\"failures\"", found.counted);
  out.value(used, "table=\"passwords\"", found.tried);
  out.describe(most, "gauge", "How much it can remember; then the oldest leaves.");
  out.value(most, "table=\"failures\"", found.counted_most);
  out.value(most, "table=\"passwords\"", found.tried_most);
}

void add_certificates(const std::vector<Certificate>& certificates, const Expiries& idps, Exposition& out) {
  constexpr std::string_view name = "wazo_auth_certificate_expiry_seconds";
  out.describe(name, "gauge",
               "How long the certificates of nginx's servers, as they were read, and SAML metadata still hold.");
  const std::int64_t now = unix_seconds();
  for (const Certificate& each : certificates) out.value(name, label("certificate", each.file), each.not_after - now);
  idps.each([&](const std::string& domain, std::int64_t end) {
    out.value(name, label("certificate", "SAML metadata of " + domain), end - now);
  });
}

void add_build(Exposition& out) {
  out.describe("wazo_auth_build_info", "gauge", "Always 1; the label is the version of this module.");
  out.value("wazo_auth_build_info", label("version", version), 1);
}

void add_workers(Process& process, Exposition& out) {
  process.tell_meter();
  const WorkerTotals all = worker_totals(process.meters);
  out.single("wazo_auth_workers", "gauge", "Worker processes, those that only finish what they have begun too.",
             all.workers);
  out.describe("wazo_auth_worker_jobs_waiting", "gauge", "Jobs that wait for a thread, of all workers.");
  for (std::size_t i = 0; i < std::size(lanes); ++i)
    out.value("wazo_auth_worker_jobs_waiting", label("pool", lanes[i].name), all.lanes_at[i].waiting);
  out.describe("wazo_auth_worker_threads", "gauge", "Threads of all workers.");
  for (std::size_t i = 0; i < std::size(lanes); ++i)
    out.value("wazo_auth_worker_threads", label("pool", lanes[i].name), all.lanes_at[i].threads);
  out.describe("wazo_auth_worker_threads_busy", "gauge", "Those that have a job.");
  for (std::size_t i = 0; i < std::size(lanes); ++i)
    out.value("wazo_auth_worker_threads_busy", label("pool", lanes[i].name), all.lanes_at[i].busy);
  out.single("wazo_auth_worker_jobs", "gauge", "Jobs waiting or running, of all workers.", all.jobs);
  out.single("wazo_auth_worker_loads", "gauge", "Tokens being loaded, by all workers.", all.loads);
  out.single("wazo_auth_worker_logins_delayed", "gauge", "Logins that wait, at all workers.", all.logins_delayed);
  out.single("wazo_auth_worker_upgraded_connections", "gauge",
             "Upgraded connections and watched answers, of all workers.", all.upgraded);
  out.single("wazo_auth_database_connections", "gauge", "Connections that workers have to PostgreSQL.",
             all.connections);
  out.single("wazo_auth_database_connections_in_use", "gauge", "Those that a request or a load has.", all.in_use);
  out.single("wazo_auth_database_connections_limit", "gauge", "How many there may be.", all.most);
}

// GET and HEAD of a location that tells about this nginx.
template <class Make>
ngx_int_t tell(ngx_http_request_t* r, Make make) {
  Process* const process = nginx::process();
  if (!process) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
  try {
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    return rc == NGX_OK ? send(r, make(*process)) : rc;
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

}  // namespace

ngx_int_t metrics_handler(ngx_http_request_t* r) {
  return tell(r, [](Process& process) {
    Exposition out;
    add_gate(process.meters, out);
    add_api(process.counters, process.meters, out);
    add_background(process.counters, process.meters.library, out);
    add_zone(process.zone, out);
    add_locks(process.address_locks, out);
    add_workers(process, out);
    add_shadow(process.conf.shadow, out);
    add_throttle(process.throttle, out);
    add_certificates(process.conf.certificates, process.meters.library.idp_metadata, out);
    add_build(out);
    out.single("process_start_time_seconds", "gauge", "When these counters began, in seconds since 1970.",
               static_cast<double>(process.meters.since) / 1e3);
    Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = out.text();
    return response;
  });
}

// For a load balancer: another nginx does better than one that can't do its work.
ngx_int_t ready_handler(ngx_http_request_t* r) {
  return tell(r, [](Process& process) {
    const Health health = process.app.health();
    return Response::json(health_body(health), health.state == Health::State::live ? 503 : 200);
  });
}

ngx_int_t shadow_report_handler(ngx_http_request_t* r) {
  return tell(r, [](Process& process) { return Response::json(process.conf.shadow.report()); });
}

}  // namespace wazoauth::nginx

// The content handlers of wazo_auth_metrics and wazo_auth_shadow_report.
#include "answers.h"
#include "counters.h"
#include "handlers.h"
#include "process.h"
#include "wazoauth/base/version.h"

namespace wazoauth::nginx {

namespace {

// Prometheus' text format: each name is described once, then comes its values.
class Exposition {
 public:
  void describe(std::string_view name, std::string_view type, std::string_view help) {
    text_ += "# HELP wazo_auth_" + std::string(name) + " " + std::string(help) + "\n";
    text_ += "# TYPE wazo_auth_" + std::string(name) + " " + std::string(type) + "\n";
  }
  void value(std::string_view name, std::string_view labels, std::uint64_t number) {
    text_ += "wazo_auth_" + std::string(name);
    if (!labels.empty()) text_ += "{" + std::string(labels) + "}";
    text_ += " " + std::to_string(number) + "\n";
  }
  void single(std::string_view name, std::string_view type, std::string_view help, std::uint64_t number) {
    describe(name, type, help);
    value(name, "", number);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// A value of a label.
std::string label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

void add_requests(const Counters& counters, Exposition& out) {
  out.describe("gate_requests_total", "counter", "Gated requests by outcome.");
  static constexpr std::pair<counter::Name, const char*> outcomes[] = {{counter::hits, "hit"},
                                                                       {counter::misses, "miss"},
                                                                       {counter::preflights, "preflight"},
                                                                       {counter::denied, "denied"},
                                                                       {counter::unknown, "unknown"},
                                                                       {counter::no_token, "no_token"},
                                                                       {counter::refused, "refused"},
                                                                       {counter::unavailable, "unavailable"}};
  for (const auto& [counted, name] : outcomes)
    out.value("gate_requests_total", std::string("outcome=\"") + name + "\"", counters.value(counted));
  out.describe("api_answers_total", "counter",
               "Answers of the API by kind; those from the zone came without a thread.");
  out.value("api_answers_total", "kind=\"zone\"", counters.value(counter::api_from_zone));
  out.value("api_answers_total", "kind=\"ok\"", counters.value(counter::api_answers));
  out.value("api_answers_total", "kind=\"error\"", counters.value(counter::api_errors));
  out.describe("logins_slowed_total", "counter", "Logins that had to wait, or were refused, after failed ones.");
  out.value("logins_slowed_total", "how=\"delayed\"", counters.value(counter::logins_delayed));
  out.value("logins_slowed_total", "how=\"refused\"", counters.value(counter::logins_refused));
  out.single("overloads_total", "counter", "Requests that found a full queue.", counters.value(counter::overloads));
  out.single("upgraded_connections_ended_total", "counter",
             "Upgraded connections and watched answers that ended with their token.",
             counters.value(counter::upgrades_ended));
  out.single("events_dropped_total", "counter", "Events of sessions that waited too long for RabbitMQ.",
             counters.value(counter::events_dropped));
}

void add_zone(const Zone& zone, Exposition& out) {
  const ZoneCounters zc = zone.counters();
  out.single("zone_slots", "gauge", "Tokens that the zone has room for.", zc.slots);
  out.single("zone_slot_bytes", "gauge", "Bytes that these tokens may take.", zc.slot_bytes);
  out.single("zone_tokens", "gauge", "Tokens in the zone.", zc.used);
  out.single("zone_evictions_total", "counter", "Tokens that left for lack of room.", zc.evictions);
  out.single("zone_access_lists", "gauge", "Different access lists in the zone.", zc.blobs);
  out.single("zone_access_list_bytes", "gauge", "Bytes of these access lists.", zc.blob_bytes_used);
  out.single("zone_access_list_capacity_bytes", "gauge", "Bytes that there are for access lists.", zc.blob_bytes);
  out.single("zone_tombstones", "gauge", "Revoked tokens that are remembered.", zc.tombstones);
  out.single("zone_tombstone_capacity", "gauge", "Revoked tokens that can be remembered.", zc.tombstone_capacity);
  out.single("zone_tombstones_lost_total", "counter", "Tombstones dropped before their time.", zc.tombstones_lost);
  out.single("zone_unknown_tokens", "gauge", "Unknown tokens that are remembered.", zc.negatives);
  out.single("revocations_total", "counter", "Tokens revoked.", zone.revocations());
  const BootTime last_heartbeat = zone.node().last_heartbeat();
  const std::chrono::milliseconds age =
      BootClock::now() - last_heartbeat;  // the loop's time may be older than the heartbeat
  out.single("listen_age_milliseconds", "gauge", "Time since the last heartbeat through LISTEN.",
             static_cast<std::uint64_t>(age.count()));
}

void add_shadow(const Shadow& shadow, Exposition& out) {
  if (shadow.size() == 0) return;
  out.describe("shadow_requests_total", "counter", "Requests in shadow by what the gate would have done.");
  for (const Shadow::Totals& totals : shadow.totals()) {
    const std::string document = "document=\"" + label(totals.document) + "\",outcome=";
    out.value("shadow_requests_total", document + "\"pass\"", totals.passed);
    out.value("shadow_requests_total", document + "\"refuse\"", totals.refused);
    out.value("shadow_requests_total", document + "\"undecided\"", totals.undecided);
  }
}

void add_locks(const AddressLocks& locks, Exposition& out) {
  out.single("address_locks", "gauge", "Locks of addresses that this nginx knows.", locks.count());
}

void add_build(Exposition& out) {
  out.describe("build_info", "gauge", "Always 1; the label is the version of this module.");
  out.value("build_info", "version=\"" + std::string(version) + "\"", 1);
}

void add_worker(Process& process, Exposition& out) {
  out.describe("worker_jobs_waiting", "gauge", "Jobs that wait for a thread, in the worker that answers.");
  for (std::size_t lane = 0; lane < std::size(lanes); ++lane)
    out.value("worker_jobs_waiting", "pool=\"" + std::string(lanes[lane].name) + "\"",
              process.offload.waiting(static_cast<Lane>(lane)));
  out.single("worker_jobs", "gauge", "Jobs waiting or running, in the worker that answers.", process.offload.pending());
  out.single("worker_loads", "gauge", "Tokens being loaded, in the worker that answers.", process.loads.under_way());
  out.single("worker_logins_delayed", "gauge", "Logins that wait, in the worker that answers.", process.delayed_logins);
  out.single("worker_upgraded_connections", "gauge",
             "Upgraded connections and watched answers, in the worker that answers.", process.upgrades.size());
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
    add_requests(process.counters, out);
    add_zone(process.zone, out);
    add_locks(process.address_locks, out);
    add_worker(process, out);
    add_shadow(process.conf.shadow, out);
    add_build(out);
    Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = out.text();
    return response;
  });
}

ngx_int_t shadow_report_handler(ngx_http_request_t* r) {
  return tell(r, [](Process& process) { return Response::json(process.conf.shadow.report()); });
}

}  // namespace wazoauth::nginx

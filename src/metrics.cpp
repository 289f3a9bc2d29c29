// The content handler of wazo_auth_metrics.
#include "answers.h"
#include "counters.h"
#include "handlers.h"
#include "process.h"

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

void add_requests(const Zone& zone, Exposition& out) {
  out.describe("gate_requests_total", "counter", "Gated requests by outcome.");
  static constexpr std::pair<unsigned, const char*> outcomes[] = {{counter::hits, "hit"},
                                                                  {counter::misses, "miss"},
                                                                  {counter::preflights, "preflight"},
                                                                  {counter::denied, "denied"},
                                                                  {counter::unknown, "unknown"},
                                                                  {counter::no_token, "no_token"},
                                                                  {counter::refused, "refused"},
                                                                  {counter::unavailable, "unavailable"}};
  for (const auto& [number, name] : outcomes)
    out.value("gate_requests_total", std::string("outcome=\"") + name + "\"", zone.counter(number));
  out.describe("api_answers_total", "counter",
               "Answers of the API by kind; those from the zone came without a thread.");
  out.value("api_answers_total", "kind=\"zone\"", zone.counter(counter::api_from_zone));
  out.value("api_answers_total", "kind=\"ok\"", zone.counter(counter::api_answers));
  out.value("api_answers_total", "kind=\"error\"", zone.counter(counter::api_errors));
  out.describe("logins_slowed_total", "counter", "Logins that had to wait, or were refused, after failed ones.");
  out.value("logins_slowed_total", "how=\"delayed\"", zone.counter(counter::logins_delayed));
  out.value("logins_slowed_total", "how=\"refused\"", zone.counter(counter::logins_refused));
  out.single("overloads_total", "counter", "Requests that found a full queue.", zone.counter(counter::overloads));
  out.single("upgraded_connections_ended_total", "counter", "Upgraded connections that ended with their token.",
             zone.counter(counter::upgrades_ended));
  out.single("events_dropped_total", "counter", "Events of sessions that waited too long for RabbitMQ.",
             zone.counter(counter::events_dropped));
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
  const BootTime last_good = zone.last_good();
  const std::chrono::milliseconds age =
      BootClock::now() - last_good;  // the loop's time may be older than the heartbeat
  out.single("listen_age_milliseconds", "gauge", "Time since the last heartbeat through LISTEN.",
             static_cast<std::uint64_t>(age.count()));
}

void add_worker(Process& process, Exposition& out) {
  out.describe("worker_jobs_waiting", "gauge", "Jobs that wait for a thread, in the worker that answers.");
  out.value("worker_jobs_waiting", "pool=\"database\"", process.offload.waiting(Offload::database));
  out.value("worker_jobs_waiting", "pool=\"hashing\"", process.offload.waiting(Offload::hashing));
  out.value("worker_jobs_waiting", "pool=\"loading\"", process.offload.waiting(Offload::loading));
  out.value("worker_jobs_waiting", "pool=\"mail\"", process.offload.waiting(Offload::mail));
  out.value("worker_jobs_waiting", "pool=\"directory\"", process.offload.waiting(Offload::directory));
  out.value("worker_jobs_waiting", "pool=\"external\"", process.offload.waiting(Offload::external));
  out.single("worker_jobs", "gauge", "Jobs waiting or running, in the worker that answers.", process.offload.pending());
  out.single("worker_loads", "gauge", "Tokens being loaded, in the worker that answers.", process.loads.under_way());
  out.single("worker_logins_delayed", "gauge", "Logins that wait, in the worker that answers.", process.delayed_logins);
  out.single("worker_upgraded_connections", "gauge", "Upgraded connections, in the worker that answers.",
             process.upgrades.size());
}

}  // namespace

ngx_int_t metrics_handler(ngx_http_request_t* r) {
  Process* const process = nginx::process();
  if (!process) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return NGX_HTTP_NOT_ALLOWED;
  try {
    const ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) return rc;
    Exposition out;
    add_requests(process->zone, out);
    add_zone(process->zone, out);
    add_worker(*process, out);
    Response response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = out.text();
    return send(r, std::move(response));
  } catch (const std::exception& e) {
    log::error(e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

}  // namespace wazoauth::nginx

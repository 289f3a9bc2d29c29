#include "node_report.h"

namespace wazoauth::nginx {

namespace {

// Each of them says every second what it is at; one that has been killed says nothing any more.
constexpr std::chrono::seconds alive_for{10};

constexpr Status refusals[] = {Status::denied, Status::unknown, Status::no_token, Status::refused};
constexpr Status passes[] = {Status::hit, Status::miss, Status::grace, Status::preflight};

std::uint64_t number_of(const GateMeter& meter, Status status) {
  std::uint64_t number = 0;
  for (std::size_t reason = 0; reason < GateMeter::reasons; ++reason)
    number += meter.value(status, static_cast<Reason>(reason));
  return number;
}

void add(Tally& tally, const GateMeter& meter) {
  std::uint64_t refused = 0, passed = 0;
  for (const Status status : refusals) refused += number_of(meter, status);
  for (const Status status : passes) passed += number_of(meter, status);
  const std::uint64_t failed = number_of(meter, Status::unavailable);
  tally.numbers[Tally::gate_refusals] += refused;
  tally.numbers[Tally::gate_failures] += failed;
  tally.numbers[Tally::gated_requests] += refused + passed + failed;
}

template <class Scale>
std::uint64_t count(const Histogram<Scale>& histogram) {
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < Histogram<Scale>::buckets; ++i) all += histogram.count(i);
  return all;
}

}  // namespace

void WorkerTotals::add(const WorkerMeter& worker) {
  ++workers;
  for (std::size_t i = 0; i < std::size(lanes); ++i) {
    lanes_at[i].waiting += worker.lanes_at[i].waiting;
    lanes_at[i].threads += worker.lanes_at[i].threads;
    lanes_at[i].busy += worker.lanes_at[i].busy;
  }
  jobs += worker.jobs;
  loads += worker.loads;
  logins_delayed += worker.logins_delayed;
  upgraded += worker.upgraded;
  connections += worker.connections;
  in_use += worker.connections_in_use;
  most += worker.connections_most;
}

WorkerTotals worker_totals(const SharedMeters& meters) {
  WorkerTotals all;
  const BootTime now = BootClock::now();
  for (const WorkerMeter& worker : meters.workers) {
    if (worker.pid.load() != 0 && now - worker.said.load() < alive_for) all.add(worker);
  }
  return all;
}

Tally tally(SharedMeters& meters) {
  Tally tally;
  meters.requests.each([&](const std::string& name, const Histogram<RequestTimes>& histogram) {
    const std::uint64_t requests = count(histogram);
    tally.numbers[Tally::api_requests] += requests;
    const auto status = name.find(' ');  // "method status endpoint"
    if (status != std::string::npos && name.compare(status + 1, 1, "4") >= 0)
      tally.numbers[Tally::api_errors] += requests;
  });
  meters.logins.each([&](const std::string& outcome, const Histogram<RequestTimes>& histogram) {
    tally.numbers[outcome == "success" ? Tally::logins : Tally::failed_logins] += count(histogram);
  });
  meters.gates.each([&](const std::string&, const GateMeter& meter) { add(tally, meter); });
  add(tally, meters.gates.other());
  for (std::size_t i = 0; i < Tally::delays; ++i) tally.revocations[i] = meters.library.revocations.count(i);
  tally.revocation_seconds = meters.library.revocations.sum_seconds();
  return tally;
}

NodeReport node_report(const MainConf& conf, const Zone& zone, const AddressLocks& locks) {
  SharedMeters& meters = *conf.meters.meters;
  const BootTime now = BootClock::now();
  NodeReport report;
  report.since = meters.since / 1000;
  report.samples = meters.history.read(now);
  report.samples.push_back({now, tally(meters)});
  for (const Certificate& each : conf.certificates) report.certificates.push_back({each.file, each.not_after});
  meters.library.idp_metadata.each([&](const std::string& domain, std::int64_t end) {
    report.certificates.push_back({"SAML metadata of " + domain, end});
  });
  const WorkerTotals workers = worker_totals(meters);
  report.workers = workers.workers;
  report.connections = workers.connections;
  report.connections_in_use = workers.in_use;
  report.connections_most = workers.most;
  for (std::size_t i = 0; i < std::size(lanes); ++i) {
    const auto& lane = workers.lanes_at[i];
    report.pools.push_back({std::string(lanes[i].name), lane.threads, lane.busy, lane.waiting});
  }
  report.upgraded = workers.upgraded;
  report.delayed_logins = workers.logins_delayed;
  const ZoneCounters tokens = zone.counters();
  report.known = tokens.used;
  report.room = tokens.slots;
  report.evicted = tokens.evictions;
  report.revoked = zone.revocations();
  report.address_locks = locks.count();
  return report;
}

}  // namespace wazoauth::nginx

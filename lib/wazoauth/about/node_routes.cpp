#include "wazoauth/about/node_routes.h"

#include <algorithm>
#include <cmath>

#include "wazoauth/base/iso_time.h"
#include "wazoauth/base/version.h"
#include "wazoauth/rest/context.h"

namespace wazoauth {

namespace {

constexpr std::string_view tally_names[Tally::names] = {
    "api_requests", "api_errors", "gated_requests", "gate_refusals", "gate_failures", "logins", "failed_logins"};

Json integer(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}

Json milliseconds(double seconds) {
  return std::round(seconds * 1e6) / 1e3;
}

// `ago`: what of the time before now; the clock may have been set since.
Json period(const History::Sample& from, const History::Sample& to, std::int64_t now) {
  const std::chrono::duration<double> length = to.at - from.at;
  const Tally tally = to.tally - from.tally;
  const auto ago = std::chrono::duration_cast<std::chrono::seconds>(BootClock::now() - from.at).count();
  Json json = Json::object({{"from", iso_time(now - ago)}, {"seconds", length.count()}});
  for (unsigned i = 0; i < Tally::names; ++i) json.set(tally_names[i], integer(tally.numbers[i]));
  const std::uint64_t revoked = tally.revoked();
  return json.set("revocations", integer(revoked))
      .set("revocation_milliseconds",
           revoked == 0 ? Json() : milliseconds(tally.revocation_seconds / static_cast<double>(revoked)))
      .set("slowest_revocation_milliseconds",
           revoked == 0 ? Json() : milliseconds(static_cast<double>(tally.slowest_ns()) / 1e9));
}

Json to_json(const NodeReport& report) {
  const std::int64_t now = unix_seconds();
  Json periods = Json::array(), certificates = Json::array(), pools = Json::array();
  for (std::size_t i = 1; i < report.samples.size(); ++i)
    periods.append(period(report.samples[i - 1], report.samples[i], now));
  for (const NodeReport::Certificate& each : report.certificates)
    certificates.append(Json::object({{"name", each.name}, {"ends_at", iso_time(each.ends_at)}}));
  for (const NodeReport::Pool& each : report.pools)
    pools.append(Json::object({{"name", each.name},
                               {"threads", integer(each.threads)},
                               {"busy", integer(each.busy)},
                               {"waiting", integer(each.waiting)}}));
  return Json::object({{"version", version},
                       {"since", iso_time(report.since)},
                       {"periods", std::move(periods)},
                       {"certificates", std::move(certificates)},
                       {"workers", integer(report.workers)},
                       {"pools", std::move(pools)},
                       {"database_connections", Json::object({{"open", integer(report.connections)},
                                                              {"in_use", integer(report.connections_in_use)},
                                                              {"limit", integer(report.connections_most)}})},
                       {"tokens", Json::object({{"known", integer(report.known)},
                                                {"room", integer(report.room)},
                                                {"evicted", integer(report.evicted)},
                                                {"revoked", integer(report.revoked)}})},
                       {"upgraded_connections", integer(report.upgraded)},
                       {"address_locks", integer(report.address_locks)},
                       {"delayed_logins", integer(report.delayed_logins)}});
}

Field number(std::string_view name) {
  return {.name = std::string(name), .type = Type::integer};
}

Field numbers(std::string name, const std::vector<std::string>& members) {
  std::vector<Field> fields;
  for (const std::string& member : members) fields.push_back(number(member));
  return object_of(shape("", std::move(fields)), std::move(name));
}

Field answer() {
  std::vector<Field> period = {{.name = "from"}, {.name = "seconds", .type = Type::number}};
  for (const std::string_view name : tally_names) period.push_back(number(name));
  period.push_back(number("revocations"));
  for (const char* name : {"revocation_milliseconds", "slowest_revocation_milliseconds"})
    period.push_back({.name = name, .type = Type::number, .nullable = true});
  return object_of(shape(
      "Node",
      {{.name = "version"},
       {.name = "since"},
       list_of(object_of(shape("NodePeriod", std::move(period))), "periods"),
       list_of(object_of(shape("NodeCertificate", {{.name = "name"}, {.name = "ends_at"}})), "certificates"),
       number("workers"),
       list_of(object_of(shape("NodePool", {{.name = "name"}, number("threads"), number("busy"), number("waiting")})),
               "pools"),
       numbers("database_connections", {"open", "in_use", "limit"}),
       numbers("tokens", {"known", "room", "evicted", "revoked"}),
       number("upgraded_connections"),
       number("address_locks"),
       number("delayed_logins")}));
}

}  // namespace

void add_node_route(Router& router, std::function<NodeReport()> report) {
  router.add({.method = "GET",
              .path = "/node",
              .access = "auth.node.read",
              .plugin = "status",
              .handler = [report = std::move(report)](Context&) -> Step { return Response::json(to_json(report())); },
              .mode = Mode::read_only,
              .tenancy = Tenancy::master,
              .summary = "Tell what this server did in the last hour, minute by minute, and what it is at",
              .answer = answer()});
}

}  // namespace wazoauth

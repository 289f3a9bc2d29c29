// What the gate decides, for t/platform/test_verdicts.py: reads one JSON object, writes a JSON list.
//
// {"files": [...], "overlays": [...], "prefix": "/api/calld", "auth_id": ..., "session_id": ...,
//  "ask": [[method, public path, [access list, ...]], ...]}
// [{"outcome": "matched", "need": "acl", "accesses": [filled], "query": false, "granted": [true, ...]}, ...]
#include <iostream>
#include <iterator>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"
#include "wazoauth/base/json.h"
#include "wazoauth/openapi/read.h"

namespace {

using namespace wazoauth;
using openapi::Match;
using openapi::Need;

std::vector<std::string> strings(const Json& list) {
  std::vector<std::string> found;
  for (const Json& item : list.items()) found.emplace_back(item.text());
  return found;
}

const char* name_of(Match::Outcome outcome) {
  switch (outcome) {
    case Match::Outcome::matched:
      return "matched";
    case Match::Outcome::options:
      return "options";
    case Match::Outcome::wrong_method:
      return "wrong_method";
    case Match::Outcome::unmatched:
      return "unmatched";
  }
  return "";
}

bool granted(Need need, const std::vector<std::string>& accesses, const std::vector<std::string>& list,
             const acl::Holder& holder) {
  if (need == Need::open || need == Need::token) return true;
  const std::string block = acl::compile(list);
  for (const std::string& access : accesses) {
    if (acl::AccessList(block).grants(access, holder)) return true;
  }
  return false;
}

Json decide(const openapi::RouteTable& table, const Json& question, const acl::Holder& holder) {
  const std::string path(question.at(1).text());
  const Match match = table.match(question.at(0).text(), path);
  Json answer = Json::object({{"outcome", name_of(match.outcome)}});
  if (match.outcome != Match::Outcome::matched) return answer;
  std::vector<std::string> accesses;
  for (std::size_t i = 0; i < match.operation->accesses.size(); ++i) {
    std::string access;
    if (openapi::append_access(match, i, access)) accesses.push_back(access);
  }
  Json verdicts = Json::array();
  for (const Json& list : question.at(2).items()) {
    verdicts.append(granted(match.operation->need, accesses, strings(list), holder));
  }
  answer.set("need", name_of(match.operation->need));
  answer.set("accesses", Json::strings(accesses));
  answer.set("query", match.operation->token_in_query);
  answer.set("granted", verdicts);
  return answer;
}

}  // namespace

int main() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  const Json asked = Json::parse(text).value();
  const auto reading = openapi::read_routes(
      {{strings(asked.get("files")), strings(asked.get("overlays")), std::string(asked.get("prefix").text()), ""}});
  for (const auto& finding : reading.findings) std::cerr << finding.str() << '\n';
  const acl::Holder holder{asked.get("auth_id").text(), asked.get("session_id").text()};
  Json answers = Json::array();
  for (const Json& question : asked.get("ask").items()) answers.append(decide(reading.table, question, holder));
  std::cout << answers.dump() << '\n';
  return openapi::has_errors(reading.findings) ? 1 : 0;
}

// `wazo-auth-gate report`: what wazo_auth_enforce shadow would have refused, from the counters that
// wazo_auth_shadow_report shows.
#pragma once

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iomanip>
#include <map>

#include "tool.h"
#include "wazoauth/base/json.h"
#include "wazoauth/outgoing/curl.h"

namespace wazoauth::tool::report {

inline constexpr int not_safe = 3;  // exit status

struct Options {
  std::string url, document;
  std::int64_t seconds = 7 * 86400;
};

// "90s", "10m", "12h", "7d"
inline std::int64_t duration(const std::string& text) {
  const std::map<char, std::int64_t> units = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  std::int64_t number = 0;
  const char* last = text.data() + text.size();
  const auto [end, trouble] = std::from_chars(text.data(), last, number);
  if (trouble != std::errc() || end + 1 != last || !units.contains(*end) || number < 0 || number > 100000)
    throw UsageError("\"" + text + "\" is no time such as 12h or 7d");
  return number * units.at(*end);
}

inline std::string shown(std::int64_t seconds) {
  const std::pair<std::int64_t, const char*> units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}};
  for (const auto& [unit, name] : units) {
    if (seconds >= 2 * unit) return std::to_string(seconds / unit) + name;
  }
  return std::to_string(seconds) + " s";
}

inline Options read_options(const std::vector<std::string>& given) {
  Options options;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& word = given[i];
    const auto value = [&](const std::string& name) -> std::optional<std::string> {
      if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
      if (word != name) return std::nullopt;
      if (++i == given.size()) throw UsageError(name + " needs a value, see --help");
      return given[i];
    };
    if (const auto time = value("--for")) {
      options.seconds = duration(*time);
    } else if (const auto document = value("--document")) {
      options.document = *document;
    } else if (word.starts_with("-") || !options.url.empty()) {
      throw UsageError("unexpected \"" + word + "\", see --help");
    } else {
      options.url = word;
    }
  }
  if (options.url.empty()) throw UsageError("which URL? See --help");
  return options;
}

inline std::size_t take(char* data, std::size_t, std::size_t size, void* body) {
  static_cast<std::string*>(body)->append(data, size);
  return size;
}

inline Json fetch(const std::string& url) {
  const CurlHandle handle = new_curl("http,https");
  std::string body;
  set(handle, CURLOPT_URL, url.c_str());
  set(handle, CURLOPT_TIMEOUT, 30L);
  set(handle, CURLOPT_WRITEFUNCTION, take);
  set(handle, CURLOPT_WRITEDATA, &body);
  const CURLcode result = curl_easy_perform(handle.get());
  if (result != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) throw std::runtime_error(url + ": status " + std::to_string(status));
  const auto report = Json::parse(body);
  if (!report || !report->get("now").is_integer() || !report->get("operations").is_array())
    throw std::runtime_error(url + ": that is no report of wazo_auth_shadow_report");
  return *report;
}

// One operation, as far as it is asked about.
struct Counted {
  const Json& operation;
  std::int64_t now;

  std::int64_t number(std::string_view name) const {
    const Json& value = operation.get(name);
    return value.is_integer() ? value.integer() : 0;
  }
  std::int64_t refused() const {
    std::int64_t sum = 0;
    for (const auto& [reason, times] : operation.get("refused").members()) sum += times.integer();
    return sum;
  }
  std::int64_t seen() const { return number("passed") + number("undecided") + refused(); }
  std::int64_t age() const { return now - number("since"); }
  bool refused_within(std::int64_t seconds) const {
    return operation.get("last_refused").is_integer() && now - number("last_refused") <= seconds;
  }
};

inline void print(const Counted& counted) {
  std::string reasons;
  for (const auto& [reason, times] : counted.operation.get("refused").members())
    reasons += (reasons.empty() ? "" : ", ") + std::to_string(times.integer()) + " " + reason;
  std::cout << "  " << counted.operation.text_or("operation", "") << ": " << counted.refused() << " of "
            << counted.seen() << " (" << reasons << "), the last "
            << shown(counted.now - counted.number("last_refused")) << " ago\n";
  for (const Json& each : counted.operation.get("recent").items()) {
    const Counted recent{each, counted.now};
    std::cout << "      " << each.text_or("who", "") << ": " << each.text_or("reason", "") << ", "
              << recent.number("times") << " times, the last " << shown(counted.now - recent.number("last"))
              << " ago\n";
  }
}

struct Verdict {
  std::size_t operations = 0, asked_for = 0, refusing = 0;
  std::int64_t undecided = 0, youngest = -1;

  void add(const Counted& counted, std::int64_t seconds) {
    ++operations;
    asked_for += counted.seen() > 0;
    refusing += counted.refused_within(seconds);
    undecided += counted.number("undecided");
    youngest = youngest < 0 ? counted.age() : std::min(youngest, counted.age());
  }
  bool safe(std::int64_t seconds) const { return operations > 0 && refusing == 0 && youngest >= seconds; }
};

inline void print(const std::string& document, const Verdict& verdict, std::int64_t seconds) {
  std::cout << document << ": ";
  if (verdict.refusing) {
    std::cout << "not safe to enforce: " << verdict.refusing << " of " << verdict.operations
              << " operations would have refused somebody in the last " << shown(seconds);
  } else if (!verdict.safe(seconds)) {
    std::cout << "too early to say: some of it is counted for no longer than " << shown(verdict.youngest);
  } else {
    std::cout << "safe to enforce: nobody would have been refused in the last " << shown(seconds);
  }
  std::cout << " (" << verdict.asked_for << " of " << verdict.operations << " operations were asked for";
  if (verdict.undecided) std::cout << "; " << verdict.undecided << " requests were undecided: the authority was away";
  std::cout << ")\n";
}

inline int main(const std::vector<std::string>& given) {
  const Options options = read_options(given);
  const Json report = fetch(options.url);
  std::map<std::string, Verdict> verdicts;
  bool safe = true;
  for (const Json& operation : report.get("operations").items()) {
    const std::string document = operation.text_or("document", "");
    if (!options.document.empty() && document != options.document) continue;
    verdicts[document].add({operation, report.get("now").integer()}, options.seconds);
  }
  if (verdicts.empty()) throw std::runtime_error("nothing of that is in shadow");
  for (const auto& [document, verdict] : verdicts) {
    print(document, verdict, options.seconds);
    safe = safe && verdict.safe(options.seconds);
    for (const Json& operation : report.get("operations").items()) {
      const Counted counted{operation, report.get("now").integer()};
      if (operation.text_or("document", "") == document && counted.refused_within(options.seconds)) print(counted);
    }
  }
  return safe ? 0 : not_safe;
}

}  // namespace wazoauth::tool::report

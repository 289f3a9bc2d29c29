// Any bytes as what a provider answers, what a broker tells, and what a browser brings back from a page of consent.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wazoauth/base/clock.h"
#include "wazoauth/external/authorization.h"
#include "wazoauth/external/provider.h"
#include "wazoauth/http/http.h"

namespace {

using namespace wazoauth;

constexpr const char* state = "abcdefghijklmnopqrstuvwxyz0123";

void require(bool condition) {
  if (!condition) std::abort();
}

// A line of the log, with none of the provider's own words but an error's name.
bool is_harmless(std::string_view line) {
  constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyz0123456789_ '";
  return line.size() < 80 && line.find_first_not_of(harmless) == std::string_view::npos;
}

void check_granted(long status, const std::string& body, const std::string& old_token) {
  const Json scope = Json::strings({"one"});
  try {
    const Json data = external::granted({status, body}, old_token, scope);
    require(status >= 200 && status < 300 && data.size() == 4);
    require(!data.text_or("access_token", "").empty() && !data.text_or("refresh_token", "").empty());
    require(data.get("scope").is_array());
    const std::int64_t expiration = data.get("token_expiration").integer(), now = unix_seconds();
    require(expiration >= now - 60 && expiration <= now + 11LL * 366 * 86400);
    require(Json::parse(data.dump()) == data);
  } catch (const external::ProviderError& e) {
    require(is_harmless(e.what()));
    require(!e.for_good || (status >= 400 && status < 500));
  }
}

void check_told(std::string_view message) {
  try {
    const Json told = external::parse_answer(message, state);
    require(told.is_object() && told.text_or("state", state) == state);
    require(Json::parse(told.dump()) == told);
  } catch (const std::exception& e) {
    require(is_harmless(e.what()));
  }
}

// What we send, whatever its bytes are, is read as it was.
void check_query(const std::string& input) {
  const std::string code = query_parameter(input, "code").value_or("");
  const std::string query = form_encoded({{"state", state}, {"code", code}});
  require(query_parameter(query, "code") == code && query_parameter(query, "state") == state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr long statuses[] = {200, 204, 302, 400, 401, 500, 0, 999};
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string old_token = data[0] & 8 ? "old" : "";
  for (const std::string& body : {input, R"({"access_token": "a", )" + input + "}", R"({"error": ")" + input + "\"}"})
    check_granted(statuses[data[0] % 8], body, old_token);
  check_told(input);
  check_query(input);
  return 0;
}

#include "platform.h"

#include <openssl/evp.h>

#include <stdexcept>
#include <thread>

#include "wazoauth/config/defaults.h"

namespace wazoauth {

namespace {

AppOptions options_of(const std::string& conninfo, Zone* zone) {
  std::vector<std::string> warnings;
  AppOptions options;
  options.settings = make_settings(default_config(), "", warnings);
  options.database.conninfo = conninfo;
  options.database.connections = 4;
  options.database.acquire_timeout = options.database.connect_timeout = std::chrono::milliseconds(2000);
  options.zone = zone;
  return options;
}

std::string base64(const std::string& text) {
  std::string encoded(4 * (text.size() / 3 + 1) + 1, '\0');
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()), bytes, static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

Request request_of(const std::string& method, const std::string& path, const Json& body) {
  Request request;
  request.method = method;
  request.path = "/0.1" + path;
  request.remote_addr = "192.0.2.1";
  request.host = request.own_host = "localhost";
  if (body.is_null()) return request;
  request.headers.emplace_back("content-type", "application/json");
  request.body = body.dump();
  return request;
}

}  // namespace

Platform::Platform(const std::string& conninfo, Zone* zone) : app_(options_of(conninfo, zone)) {}

Call Platform::begin(const std::string& method, const std::string& path, const std::string& token, const Json& body) {
  Request request = request_of(method, path, body);
  if (!token.empty()) request.headers.emplace_back("x-auth-token", token);
  return {app_.services(), app_.router(), std::move(request)};
}

Answer Platform::send(const std::string& method, const std::string& path, const std::string& token, const Json& body) {
  Call call = begin(method, path, token, body);
  return finish(call);
}

Call Platform::begin_login(const std::string& username, const std::string& password) {
  Request request = request_of("POST", "/token", Json::object());
  request.headers.emplace_back("authorization", "Basic " + base64(username + ":" + password));
  return {app_.services(), app_.router(), std::move(request)};
}

std::string Platform::log_in(const std::string& username, const std::string& password) {
  Call call = begin_login(username, password);
  const Answer answer = finish(call);
  if (answer.status != 200) throw std::runtime_error("no login: " + answer.body.dump());
  return std::string(answer.body.get("data").get("token").text());
}

Answer finish(Call& call) {
  std::vector<Lane> lanes;
  bool ready = false;
  while (!ready) {
    if (lanes.empty() || lanes.back() != call.lane()) lanes.push_back(call.lane());
    std::this_thread::sleep_for(call.pause());
    ready = call.step();
  }
  const Response& response = call.response();
  return {response.status, response.headers, Json::parse(response.body).value_or(Json()), lanes};
}

}  // namespace wazoauth

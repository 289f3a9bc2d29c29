#include "wazoauth/outgoing/look_up.h"

#include <netdb.h>

#include <condition_variable>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "wazoauth/base/start_thread.h"

namespace wazoauth {

namespace {

// getaddrinfo() knows no limit: it runs on a thread of its own, which look_up() abandons when it takes too long. A name
// has one such thread at most, and their number is limited.
constexpr std::size_t most_at_once = 64;

struct Result {
  int error = 0;
  std::vector<Address> addresses;
  std::string name;  // the canonical one
};

Result ask_system(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  Result result;
  result.error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (result.error) return result;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
  if (found->ai_canonname) result.name = found->ai_canonname;
  for (const addrinfo* each = found; each; each = each->ai_next)
    result.addresses.emplace_back(each->ai_addr, each->ai_addrlen);
  return result;
}

Result ask(const std::string& host, const std::string& port, int flags) noexcept {
  try {
    return ask_system(host, port, flags);
  } catch (const std::exception&) {
    return {EAI_MEMORY, {}, {}};
  }
}

struct Lookup {
  std::optional<Result> result;
};

// Shared with the threads: they may outlive everything else.
struct Lookups {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::shared_ptr<Lookup>> pending;  // by host and port
};

std::shared_ptr<Lookup> begin(const std::shared_ptr<Lookups>& all, const std::string& host, const std::string& port) {
  const std::string key = host + " " + port;
  if (const auto known = all->pending.find(key); known != all->pending.end()) return known->second;
  if (all->pending.size() >= most_at_once) throw Unreachable(host + ": too many names are being looked up");
  auto lookup = std::make_shared<Lookup>();
  std::thread thread = start_thread("wazo-look-up", [all, lookup, host, port, key]() noexcept {
    Result result = ask(host, port, AI_CANONNAME);
    const std::lock_guard lock(all->mutex);
    lookup->result = std::move(result);
    all->pending.erase(key);
    all->changed.notify_all();
  });
  if (!thread.joinable()) throw Unreachable(host + ": no thread to look it up");
  thread.detach();
  all->pending.emplace(key, lookup);
  return lookup;
}

Result wait(const std::string& host, const std::string& port, const Deadline& deadline) {
  static const auto all = std::make_shared<Lookups>();
  std::unique_lock lock(all->mutex);
  const auto lookup = begin(all, host, port);
  all->changed.wait_for(lock, deadline.left(), [&] { return lookup->result.has_value(); });
  if (!lookup->result) throw Unreachable(host + " can't be looked up in time");
  return *lookup->result;
}

}  // namespace

std::vector<Address> look_up(const std::string& host, int port, const Deadline& deadline) {
  const std::string service = std::to_string(port);
  Result result = ask(host, service, AI_NUMERICHOST);
  if (result.error == EAI_NONAME) result = wait(host, service, deadline);
  if (result.error) throw Unreachable(host + " can't be looked up: " + gai_strerror(result.error));
  return result.addresses;
}

std::string canonical_name(const std::string& host, const Deadline& deadline) {
  try {
    return wait(host, "0", deadline).name;
  } catch (const Unreachable&) {
    return "";
  }
}

}  // namespace wazoauth

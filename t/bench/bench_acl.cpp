// Nanoseconds for one match against a list of 300 accesses, as they are on a Wazo platform.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "wazoauth/acl/access_list.h"
#include "wazoauth/acl/compile.h"

namespace {

using wazoauth::acl::AccessList;
using wazoauth::acl::Holder;

std::vector<std::string> accesses() {
  const char* const shapes[] = {
      "confd.users.*.%s.read",   "confd.users.me.%s.update",
      "auth.users.me.%s.#",      "calld.users.me.%s.*.delete",
      "dird.%s.*.contacts.edit", "webhookd.%s.read",
      "chatd.users.*.%s.create", "agentd.%s.#",
      "confd.%s.read",           "events.%s.*",
  };
  std::vector<std::string> list;
  for (int i = 0; list.size() < 300; ++i) {
    const std::string word = "resource" + std::to_string(i);
    for (const std::string shape : shapes) {
      list.push_back(std::string(shape).replace(shape.find("%s"), 2, word));
    }
  }
  return list;
}

double nanoseconds(const AccessList& list, const std::vector<std::string>& required, bool expected) {
  const Holder holder{"6fa459ea-ee8a-4ca4-894e-db77e160355e", "16fd2706-8baf-433b-82eb-8c7fada847da"};
  constexpr int rounds = 20000;
  double best = 1e9;
  for (int repeat = 0; repeat < 7; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < rounds; ++i) {
      for (const std::string& access : required) {
        if (list.grants(access, holder) != expected) {
          std::printf("wrong verdict for %s\n", access.c_str());
          std::exit(1);
        }
      }
    }
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / (rounds * static_cast<double>(required.size())));
  }
  return best;
}

}  // namespace

int main() {
  const std::string user = "6fa459ea-ee8a-4ca4-894e-db77e160355e", other = "0d1b9e24-56c9-4d7c-9e0e-6f4b8c52d9f0";
  const std::vector<std::string> hits = {
      "confd.users." + other + ".resource28.read",     "confd.users." + user + ".resource17.update",
      "auth.users." + user + ".resource3.tokens.read", "calld.users." + user + ".resource29.x.delete",
      "dird.resource12.personal.contacts.update",      "webhookd.resource7.read",
      "chatd.users." + other + ".resource9.create",    "agentd.resource14.by-id.1.login",
  };
  const std::vector<std::string> misses = {
      "confd.users." + other + ".resource31.read", "confd.users." + other + ".resource17.update",
      "auth.users." + user + ".resource3",         "calld.users." + other + ".resource29.x.delete",
      "dird.resource12.personal.contacts.read",    "webhookd.resource7.update",
      "chatd.users." + other + ".resource9.read",  "plugind.plugins.read",
  };
  const std::string block = wazoauth::acl::compile(accesses());
  const AccessList list(block);
  std::printf("acl_match_300_hit %.0f\n", nanoseconds(list, hits, true));
  std::printf("acl_match_300_miss %.0f\n", nanoseconds(list, misses, false));
  std::vector<std::string> alike;
  for (int i = 0; i < 300; ++i) alike.push_back("confd.users.*.resource" + std::to_string(i) + ".read");
  const std::string alike_block = wazoauth::acl::compile(alike);
  const std::vector<std::string> last = {"confd.users." + other + ".resource299.read"};
  std::printf("acl_match_300_alike %.0f\n", nanoseconds(AccessList(alike_block), last, true));
  const auto start = std::chrono::steady_clock::now();
  const auto again = wazoauth::acl::compile(accesses());
  const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
  std::printf("acl_compile_300 %.0f\nacl_block_300_bytes %zu\n", time.count(), again.size());
}

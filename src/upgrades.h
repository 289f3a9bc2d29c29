// Upgraded connections (WebSocket), and answers of locations that say so, end when their token dies. nginx's gate sees
// only their beginning, so the worker that owns them watches: the zone's ring of revocations every 20 ms while there is
// any, their expiry whenever the wall clock shows another second (it may have been set: no timer of its own would do),
// and PostgreSQL once per second while LISTEN isn't known good. They end, too, when the address that they come from is
// locked.
//
// A client may renew its token by a message, which nobody here sees. So when a token expires, or was given up,
// PostgreSQL is asked for one that the same client got since: the connection goes on with that one, as if it had come
// with it.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "conf.h"
#include "context.h"
#include "counters.h"
#include "farewell.h"
#include "offload.h"
#include "wazoauth/cache/address_locks.h"
#include "wazoauth/cache/tenant_tree.h"
#include "wazoauth/cache/token_store.h"

namespace wazoauth::nginx {

class Upgrades {
 public:
  struct Parts {
    const MainConf& conf;
    const Zone& zone;
    const AddressLocks& address_locks;
    TenantTree& tenants;
    Counters& counters;
    TokenStore& tokens;
    Offload& offload;
  };
  explicit Upgrades(const Parts& parts);

  // A request's connection is about to be upgraded, by whatever location, or its answer begins that is to end with its
  // token (wazo_auth_watch); `context` is how the gate admitted it. Forgotten when the request ends.
  void watch(ngx_http_request_t* r, const RequestContext& context);
  std::size_t size() const { return all_.size(); }

 private:
  // What PostgreSQL has to be asked.
  enum class Question {
    none,
    alive,      // does the token still live?
    successor,  // which token did its client get since?
  };
  struct Upgrade {
    std::uint64_t id = 0;
    Upgrades* owner = nullptr;
    ngx_connection_t* connection = nullptr;
    ngx_http_request_t* stream = nullptr;  // from HTTP/2 on the connection has other requests, too
    Farewell farewell;
    std::string token;
    std::string address;   // the client's
    std::string trace_id;  // of the request, "" for none
    TokenKey key{};
    TokenFacts facts;
    TokenClient client;
    std::optional<std::string> required;
    std::int64_t grace_ms = 0;
    Question question = Question::none;
    bool asking = false;
    std::uint32_t asking_in_epoch = 0;
    bool given_up = false;  // the token is gone, whatever the clock says
    bool ended = false;
  };
  struct Hash {
    std::size_t operator()(const TokenKey& key) const {
      std::size_t hash;
      std::memcpy(&hash, key.data(), sizeof(hash));
      return hash;
    }
  };

  void forget(Upgrade& upgrade);
  void index(Upgrade& upgrade, const TokenKey& key);
  void unindex(const Upgrade& upgrade);
  void look_at_ring();
  void look_at_expiries();
  void look_at_all();
  void look(Upgrade& upgrade);
  void look_at_addresses();
  void look_at_address(Upgrade& upgrade);
  void read_tenants();
  void ask(Upgrade& upgrade, Question question);
  void start_asking();
  bool start_asking(Upgrade& upgrade);  // false: the queue is full
  bool still_believed(const Upgrade& upgrade) const;
  // Null when it has ended since.
  Upgrade* answered(std::uint64_t id);
  void on_alive(std::uint64_t id, const Loaded& loaded);
  void on_successor(std::uint64_t id, const Successor& successor);
  void on_unavailable(Upgrade& upgrade);
  void confirm(Upgrade& upgrade, const TokenRecord& record);
  void end(Upgrade& upgrade, const char* why);
  void cut(const Upgrade& upgrade);
  void end_streams();
  void end_farewells();
  bool listening() const;
  void tick();
  static void on_tick(ngx_event_t* event);

  const Zone& zone_;
  const NodeState& node_;
  const MainConf& conf_;
  const AddressLocks& address_locks_;
  TenantTree& tenants_;
  Counters& counters_;
  TokenStore& tokens_;
  Offload& offload_;
  std::unordered_map<std::uint64_t, Upgrade> all_;  // by id
  std::unordered_multimap<TokenKey, Upgrade*, Hash> by_key_;
  std::uint64_t next_id_ = 0;
  std::uint64_t position_ = 0;
  std::uint32_t epoch_ = 0;
  std::uint64_t locks_version_ = 0, tenant_generation_ = 0;  // of the last look at addresses
  bool addresses_unjudged_ = false;                          // the tree of tenants has to be read first
  bool reading_tenants_ = false;
  BootTime last_look_;
  time_t second_ = 0;  // of the last look at expiries
  int asking_ = 0;
  bool some_ask_ = false;
  std::vector<std::uint64_t> ended_streams_;  // ids; their requests end when nobody walks through all_
  struct Leaving {
    std::uint64_t id;
    BootTime until;
    bool told;
  };
  std::vector<Leaving> leaving_;  // those that are being told
  ngx_event_t tick_{};
};

}  // namespace wazoauth::nginx

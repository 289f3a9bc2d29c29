// What the gate has to wait for: a token's facts, and the tree of tenants. One load per token at a time; everybody else
// who needs it waits for that one.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "context.h"
#include "offload.h"
#include "wazoauth/cache/tenant_tree.h"
#include "wazoauth/cache/token_store.h"

namespace wazoauth::nginx {

class Loads {
 public:
  Loads(Offload& offload, TokenStore& tokens, TenantTree& tenants)
      : offload_(offload), token_store_(tokens), tenant_tree_(tenants) {}

  using TokenLoaded = void (*)(RequestContext& context, const Loaded& loaded) noexcept;
  using TenantsRead = void (*)(RequestContext& context) noexcept;

  // The request is parked; it is called back unless it dies before. False: too much is waiting already.
  bool wait_for_token(RequestContext& context, bool revalidate, TokenLoaded loaded);
  bool wait_for_tenants(RequestContext& context, TenantsRead read);

  std::size_t under_way() const { return flights_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const TokenKey& key) const {
      std::size_t hash;
      std::memcpy(&hash, key.data(), sizeof(hash));
      return hash;
    }
  };
  struct Flight {
    Flight() { ngx_queue_init(&waiters); }
    ngx_queue_t waiters;  // RequestContext::waiters
    Loaded loaded;
  };
  static void join(Flight& flight, RequestContext& context);
  static RequestContext* next(Flight& flight);

  Offload& offload_;
  TokenStore& token_store_;
  TenantTree& tenant_tree_;
  std::unordered_map<TokenKey, std::shared_ptr<Flight>, Hash> flights_;
  std::shared_ptr<Flight> tenants_;
};

}  // namespace wazoauth::nginx

#include "loads.h"

#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

void Loads::join(Flight& flight, RequestContext& context) {
  ngx_queue_insert_tail(&flight.waiters, &context.waiters);
  context.linked = true;
}

RequestContext* Loads::next(Flight& flight) {
  if (ngx_queue_empty(&flight.waiters)) return nullptr;
  RequestContext* context = ngx_queue_data(ngx_queue_head(&flight.waiters), RequestContext, waiters);
  ngx_queue_remove(&context->waiters);
  context->linked = false;
  return context;
}

bool Loads::wait_for_token(RequestContext& context, bool revalidate, TokenLoaded loaded) {
  auto found = flights_.find(context.shown.key());
  if (found == flights_.end()) {
    auto flight = std::make_shared<Flight>();
    auto work = [this, flight, revalidate, token = std::string(view(context.token)), asked = BootClock::now()] {
      try {
        flight->loaded = revalidate ? token_store_.revalidate(token, asked) : token_store_.load(token, asked);
      } catch (const std::exception& e) {
        log::error(std::string("a token could not be loaded: ") + e.what());
      }
    };
    auto done = [this, flight, loaded, key = context.shown.key()] {
      flights_.erase(key);
      // Each one may finish its request, and with it others that wait here.
      while (RequestContext* waiter = next(*flight)) loaded(*waiter, flight->loaded);
    };
    if (!offload_.post(Lane::loading, std::move(work), std::move(done))) return false;
    found = flights_.emplace(context.shown.key(), std::move(flight)).first;
  }
  join(*found->second, context);
  return true;
}

bool Loads::wait_for_tenants(RequestContext& context, TenantsRead read) {
  if (!tenants_) {
    auto flight = std::make_shared<Flight>();
    auto work = [this] {
      try {
        tenant_tree_.refresh();
      } catch (const std::exception& e) {
        log::error(std::string("the tenants could not be read: ") + e.what());
      }
    };
    auto done = [this, flight, read] {
      tenants_.reset();
      while (RequestContext* waiter = next(*flight)) read(*waiter);
    };
    if (!offload_.post(Lane::loading, std::move(work), std::move(done))) return false;
    tenants_ = std::move(flight);
  }
  join(*tenants_, context);
  return true;
}

}  // namespace wazoauth::nginx

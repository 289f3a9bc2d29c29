// The gate: who passes to an upstream. See docs/ARCHITECTURE.md, "Gate".
#pragma once

#include "context.h"
#include "wazoauth/cache/token_store.h"

namespace wazoauth::nginx {

// What a parked request waited for is here: it goes on.
void gate_loaded(RequestContext& context, const Loaded& loaded) noexcept;
void gate_tenants_known(RequestContext& context) noexcept;

}  // namespace wazoauth::nginx

// Refusals within a WebSocket: an application in a browser never sees the status of a handshake that failed.
#pragma once

#include <optional>

#include "context.h"
#include "wazoauth/gate/websocket.h"

namespace wazoauth::nginx {

// Does the client begin a WebSocket, in the way that RFC 6455 has it (version 13)?
bool is_websocket_handshake(ngx_http_request_t* r);

// How a refusal is told there; nullopt: by its HTTP status.
std::optional<gate::CloseReason> close_reason_of(Status refusal);

// nginx's page for a refusal becomes an accepted handshake, with context.page, a close frame, behind it. False: no
// memory.
bool accept_to_close(ngx_http_request_t* r);

}  // namespace wazoauth::nginx

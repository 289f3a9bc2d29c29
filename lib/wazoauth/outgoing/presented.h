// The certificates that a server shows whoever begins TLS with it, whether they are any good or not: for people who
// have to find out why they aren't. Nothing else is ever said over such a connection.
#pragma once

#include <string>
#include <vector>

#include "wazoauth/outgoing/connect.h"

struct ssl_ctx_st;

namespace wazoauth {

// DER, the server's own one first; empty when there is no TLS to be had in time. `host`: its name, "" for an address.
std::vector<std::string> presented_certificates(const Socket& socket, const std::string& host,
                                                const Deadline& deadline);

// What is shown in handshakes of this context from now on goes there, too. What is verified stays as it is.
void watch_certificates(ssl_ctx_st* context, std::vector<std::string>& into);

}  // namespace wazoauth

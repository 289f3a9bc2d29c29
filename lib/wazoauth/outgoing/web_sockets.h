// WebSocket clients: as many as you like, on one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "wazoauth/outgoing/address.h"

namespace wazoauth {

class WebSockets {
 public:
  struct Options {
    std::chrono::milliseconds timeout{5000};   // until one is open
    std::chrono::milliseconds silence{60000};  // a peer that says nothing for so long, not even to a ping, is gone
    std::size_t most_bytes = 64 * 1024;        // of a message
    OutgoingRules rules;
    std::string ca;  // certificates (PEM) that a server's one has to come from; "" for the system's
    // Called on the thread: they mustn't block. After on_close, or close(), nothing more comes of that socket.
    std::function<void(const std::string& id)> on_open;
    std::function<void(const std::string& id, const std::string& text)> on_message;
    std::function<void(const std::string& id, const std::string& why)> on_close;
  };
  explicit WebSockets(Options options);
  ~WebSockets();  // stop() must have been called
  WebSockets(const WebSockets&) = delete;
  WebSockets& operator=(const WebSockets&) = delete;

  // From any thread. An id that is open already is closed first. The URL: ws:// or wss://, whose certificate is
  // verified. A host of which one address is denied is denied. False: nothing will be called, as there is no thread.
  bool open(const std::string& id, const std::string& url);
  void close(const std::string& id);

  // False: the thread didn't end within the limit; it still uses what it uses.
  bool stop(std::chrono::milliseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace wazoauth

// A close frame for the client of a WebSocket that nginx relays: it says why the connection ends.
//
// nginx copies such a stream without looking at it, by `connection->send`, and nothing else of it goes that way. What
// is put in its place here counts the frames that pass, and writes one of ours where a frame has just ended.
#pragma once

#include <string>

#include "ngx.h"
#include "wazoauth/gate/websocket.h"

namespace wazoauth::nginx {

class Farewell {
 public:
  Farewell() = default;
  ~Farewell();
  Farewell(const Farewell&) = delete;
  Farewell& operator=(const Farewell&) = delete;

  // Of a request whose answer of 101 is about to be sent. Stays where it is as long as it follows.
  void follow(ngx_http_request_t* r);

  // From now on what the client sends is dropped, and it gets nothing more but the rest of a frame that has begun and
  // the close frame. False: it can't be told, and nothing was changed.
  bool begin(const gate::CloseReason& reason);
  bool told() const { return stage_ == Stage::told; }

 private:
  enum class Stage { off, following, ending, told };

  static ssize_t on_send(ngx_connection_t* c, u_char* data, std::size_t size);
  static ssize_t on_receive(ngx_connection_t* c, u_char* data, std::size_t size);
  ssize_t send(u_char* data, std::size_t size);
  ssize_t send_rest(u_char* data, std::size_t size);
  void tell();
  bool headers_are_sent() const;

  Stage stage_ = Stage::off;
  ngx_http_request_t* request_ = nullptr;
  ngx_connection_t* connection_ = nullptr;
  ngx_send_pt send_ = nullptr;
  ngx_recv_pt receive_ = nullptr;
  gate::FrameTracker frames_;
  std::string frame_;
  bool repeats_ = false;  // nginx is going to write the same bytes again, and TLS insists on them
};

}  // namespace wazoauth::nginx

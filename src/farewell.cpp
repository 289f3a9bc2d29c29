#include "farewell.h"

#include <sys/socket.h>

#include <algorithm>
#include <unordered_map>

namespace wazoauth::nginx {

namespace {
// Whose streams are followed, in this worker.
std::unordered_map<const ngx_connection_t*, Farewell*> followed;
}  // namespace

void Farewell::follow(ngx_http_request_t* r) {
  request_ = r;
  connection_ = r->connection;
  followed.emplace(connection_, this);
  send_ = connection_->send;
  receive_ = connection_->recv;
  connection_->send = on_send;
  stage_ = Stage::following;
}

Farewell::~Farewell() {
  if (stage_ == Stage::off) return;
  followed.erase(connection_);
  if (connection_->send == on_send) connection_->send = send_;
  if (connection_->recv == on_receive) connection_->recv = receive_;
}

ssize_t Farewell::on_send(ngx_connection_t* c, u_char* data, std::size_t size) {
  return followed.find(c)->second->send(data, size);
}

ssize_t Farewell::send(u_char* data, std::size_t size) {
  if (stage_ == Stage::told) return static_cast<ssize_t>(size);
  if (stage_ == Stage::ending) return send_rest(data, size);
  const ssize_t sent = send_(connection_, data, size);
  if (sent > 0) frames_.follow({reinterpret_cast<const char*>(data), static_cast<std::size_t>(sent)});
  repeats_ = sent == NGX_AGAIN;
  return sent;
}

// Of the frame that has begun. What was refused before has to be offered again as it was.
ssize_t Farewell::send_rest(u_char* data, std::size_t size) {
  std::size_t done = 0;
  while (done < size && (repeats_ || !frames_.between_frames())) {
    const std::size_t left = size - done;
    const std::size_t piece = repeats_ ? left : std::min<std::uint64_t>(left, frames_.wanted());
    if (piece == 0) return NGX_ERROR;  // the upstream has closed it by itself, or these are no frames
    const ssize_t sent = send_(connection_, data + done, piece);
    repeats_ = sent == NGX_AGAIN;
    if (sent <= 0) return done ? static_cast<ssize_t>(done) : sent;
    frames_.follow({reinterpret_cast<const char*>(data + done), static_cast<std::size_t>(sent)});
    done += static_cast<std::size_t>(sent);
  }
  if (!repeats_ && frames_.between_frames()) tell();
  return stage_ == Stage::told ? static_cast<ssize_t>(size) : static_cast<ssize_t>(done);
}

// What the client still sends is read and dropped: with unread bytes the system would reset the connection, and the
// client might not see the frame.
ssize_t Farewell::on_receive(ngx_connection_t* c, u_char* data, std::size_t size) {
  constexpr int most = 16;  // a client that never stops is cut off by the clock
  const Farewell& self = *followed.find(c)->second;
  for (int i = 0; i < most; ++i) {
    const ssize_t received = self.receive_(c, data, size);
    if (received <= 0) return received;
  }
  return NGX_AGAIN;
}

// A writer of nginx's may hold back a part of the headers.
bool Farewell::headers_are_sent() const {
  return request_->header_sent && !request_->out && !connection_->buffered;
}

bool Farewell::begin(const gate::CloseReason& reason) {
  if (stage_ != Stage::following || !headers_are_sent()) return false;
  if (!frames_.between_frames() && frames_.wanted() == 0) return false;
  frame_ = gate::close_frame(reason);
  stage_ = Stage::ending;
  connection_->recv = on_receive;
  if (!repeats_ && frames_.between_frames()) tell();
  return true;
}

// The client answers with a close frame of its own and closes, which nginx sees as always.
void Farewell::tell() {
  const ssize_t sent = send_(connection_, reinterpret_cast<u_char*>(frame_.data()), frame_.size());
  stage_ = Stage::told;
  const bool whole = sent == static_cast<ssize_t>(frame_.size());
  shutdown(connection_->fd, whole ? SHUT_WR : SHUT_RDWR);
}

}  // namespace wazoauth::nginx

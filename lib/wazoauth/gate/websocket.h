// What the gate has to say within a WebSocket (RFC 6455), and where in its stream it may.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wazoauth::gate {

// As wazo-websocketd tells them: its clients act upon these codes.
struct CloseReason {
  std::uint16_t code;
  std::string_view text;
};
inline constexpr CloseReason close_no_token{4001, "no token"};
inline constexpr CloseReason close_refused{4002, "authentication failed"};
inline constexpr CloseReason close_expired{4003, "authentication expired"};

// A server's close frame.
std::string close_frame(const CloseReason& reason);

// Is it a Sec-WebSocket-Key: 16 bytes in base64?
bool is_websocket_key(std::string_view key);
// The Sec-WebSocket-Accept for it.
std::string websocket_accept(std::string_view key);

// Follows the frames of one direction, in pieces of any size; looks at their headers only.
class FrameTracker {
 public:
  void follow(std::string_view bytes);

  // All that was followed is whole frames: here another one may stand. Not after a close frame, the last of a stream,
  // nor when it is none of frames.
  bool between_frames() const { return header_size_ == 0 && payload_ == 0 && !over_; }
  // How many of the bytes to come belong to the frame that has begun, as far as is known: 0 when none has.
  std::uint64_t wanted() const;

 private:
  std::size_t header_length() const;  // as far as is known
  void read_header();

  unsigned char header_[14] = {};
  std::size_t header_size_ = 0;  // bytes of it; 0 while the payload passes
  std::uint64_t payload_ = 0;    // bytes still to come
  bool closing_ = false;         // it is a close frame's
  bool over_ = false;
};

}  // namespace wazoauth::gate

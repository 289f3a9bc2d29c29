#include "wazoauth/gate/websocket.h"

#include <openssl/sha.h>

#include <algorithm>

#include "wazoauth/base/text.h"

namespace wazoauth::gate {

namespace {

constexpr unsigned char final_frame = 0x80, opcode_bits = 0x0f, close_opcode = 0x8;
constexpr unsigned char masked = 0x80, length_bits = 0x7f, two_bytes_follow = 126, eight_bytes_follow = 127;
constexpr std::size_t mask_size = 4;

}  // namespace

std::string close_frame(const CloseReason& reason) {
  std::string frame;
  frame += static_cast<char>(final_frame | close_opcode);
  frame += static_cast<char>(2 + reason.text.size());  // all of ours are short
  frame += static_cast<char>(reason.code >> 8);
  frame += static_cast<char>(reason.code & 0xff);
  return frame.append(reason.text);
}

bool is_websocket_key(std::string_view key) {
  constexpr std::size_t encoded_size = 24, size = 16;
  if (key.size() != encoded_size) return false;
  const auto bytes = decode_base64(key);
  return bytes && bytes->size() == size;
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return encode_base64({reinterpret_cast<const char*>(digest), sizeof digest});
}

std::size_t FrameTracker::header_length() const {
  if (header_size_ < 2) return 2;
  const unsigned length = header_[1] & length_bits;
  const std::size_t more = length == two_bytes_follow ? 2 : length == eight_bytes_follow ? 8 : 0;
  return 2 + more + ((header_[1] & masked) != 0 ? mask_size : 0);
}

void FrameTracker::read_header() {
  const unsigned length = header_[1] & length_bits;
  const std::size_t bytes = length == two_bytes_follow ? 2 : length == eight_bytes_follow ? 8 : 0;
  payload_ = bytes == 0 ? length : 0;
  for (std::size_t i = 0; i < bytes; ++i) payload_ = payload_ << 8 | header_[2 + i];
  closing_ = (header_[0] & opcode_bits) == close_opcode;
  header_size_ = 0;
  if (payload_ >> 63 != 0) over_ = true;  // RFC 6455, section 5.2: no such length
  if (payload_ == 0 && closing_) over_ = true;
}

void FrameTracker::follow(std::string_view bytes) {
  while (!bytes.empty() && !over_) {
    if (payload_ != 0) {
      const std::uint64_t passed = std::min<std::uint64_t>(payload_, bytes.size());
      payload_ -= passed;
      bytes.remove_prefix(passed);
      over_ = payload_ == 0 && closing_;
      continue;
    }
    header_[header_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (header_size_ == header_length()) read_header();
  }
}

std::uint64_t FrameTracker::wanted() const {
  if (over_) return 0;
  return header_size_ == 0 ? payload_ : header_length() - header_size_;
}

}  // namespace wazoauth::gate

// Any bytes as the stream of a WebSocket: in whatever pieces they come, the tracker knows the same boundaries, and they
// are those of a second, simple reader that has all of them at once.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string_view>

#include "wazoauth/gate/websocket.h"

namespace {

using namespace wazoauth;

void require(bool condition) {
  if (!condition) std::abort();
}

// Offsets at which another frame may stand.
std::set<std::size_t> boundaries(std::string_view stream) {
  std::set<std::size_t> found = {0};
  for (std::size_t at = 0; at + 2 <= stream.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(stream[at + i]); };
    std::size_t header = 2;
    std::uint64_t length = byte(1) & 0x7fu;
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (stream.size() - at < header + more) break;
    if (more != 0) length = 0;
    for (std::size_t i = 0; i < more; ++i) length = length << 8 | byte(header + i);
    header += more + ((byte(1) & 0x80u) != 0 ? 4 : 0);
    if (length >> 63 != 0 || stream.size() - at < header || stream.size() - at - header < length) break;
    if ((byte(0) & 0x0fu) == 8) break;
    at += header + length;
    found.insert(at);
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 16;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::set<std::size_t> expected = boundaries(stream);
  gate::FrameTracker tracker;
  for (std::size_t at = 0; at < stream.size();) {
    require(tracker.between_frames() == expected.contains(at));
    const std::size_t piece = std::min(step, stream.size() - at);
    // What is wanted belongs to one frame: no boundary lies in it.
    for (std::size_t i = 1; i < tracker.wanted() && at + i <= stream.size(); ++i) require(!expected.contains(at + i));
    tracker.follow(stream.substr(at, piece));
    at += piece;
  }
  require(tracker.between_frames() == expected.contains(stream.size()));
  return 0;
}

// What the gate says within a WebSocket, and where in its stream it may.
#include <string>
#include <vector>

#include "check.h"
#include "wazoauth/gate/websocket.h"

using namespace wazoauth;
using namespace wazoauth::gate;
using check::equal;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

void a_close_frame(void**) {
  equal(close_frame(close_expired), bytes({0x88, 24, 0x0f, 0xa3}) + "authentication expired");
  equal(close_frame(close_no_token), bytes({0x88, 10, 0x0f, 0xa1}) + "no token");
}

// The example of RFC 6455, section 1.3.
void the_accept_of_a_key(void**) {
  equal(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), std::string("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

void keys(void**) {
  check::that(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="), "16 bytes");
  for (const char* wrong :
       {"", "dGhl", "dGhlIHNhbXBsZSBub25jZXh5", "dGhlIHNhbXBsZSBub25jZ===", "                        "})
    check::that(!is_websocket_key(wrong), wrong);
}

std::string frame(int first, const std::string& payload) {
  std::string text(1, static_cast<char>(first));
  const std::size_t size = payload.size();
  if (size < 126)
    text += static_cast<char>(size);
  else if (size < 65536)
    text += bytes({126, static_cast<int>(size >> 8), static_cast<int>(size & 0xff)});
  else
    text += bytes({127, 0, 0, 0, 0, 0, static_cast<int>(size >> 16), static_cast<int>(size >> 8 & 0xff),
                   static_cast<int>(size & 0xff)});
  return text + payload;
}

// Every length of a length, a fragmented message with a ping in it, an empty frame, compressed ones: byte by byte the
// tracker knows where frames end, and never wants more than the frame has.
void the_boundaries_of_frames(void**) {
  const std::vector<std::string> frames = {frame(0x81, "hello"),
                                           frame(0x89, ""),
                                           frame(0x01, std::string(125, 'a')),
                                           frame(0x89, "ping"),
                                           frame(0x00, std::string(126, 'b')),
                                           frame(0x80, std::string(65535, 'c')),
                                           frame(0xc2, std::string(65536, 'd')),
                                           bytes({0x81, 0x83, 1, 2, 3, 4}) + "abc"};
  FrameTracker tracker;
  check::that(tracker.between_frames(), "before the first");
  for (const std::string& each : frames) {
    for (std::size_t i = 0; i < each.size(); ++i) {
      check::that(i == 0 || !tracker.between_frames(), "within a frame");
      check::that(tracker.wanted() <= each.size() - i, "not more than the frame has");
      check::that(i == 0 || tracker.wanted() > 0, "but more");
      tracker.follow({&each[i], 1});
    }
    check::that(tracker.between_frames(), "after a frame");
    check::that(tracker.wanted() == 0, "nothing is wanted");
  }
}

void nothing_may_follow_a_close_frame(void**) {
  for (const std::string& close : {frame(0x88, ""), close_frame(close_refused)}) {
    FrameTracker tracker;
    tracker.follow(frame(0x81, "a") + close);
    check::that(!tracker.between_frames(), "the stream is over");
    tracker.follow(frame(0x81, "a"));
    check::that(!tracker.between_frames(), "for ever");
    check::that(tracker.wanted() == 0, "nothing is wanted");
  }
}

void what_is_no_frame(void**) {
  FrameTracker tracker;
  tracker.follow(bytes({0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}));
  check::that(!tracker.between_frames(), "a length that is none");
  check::that(tracker.wanted() == 0, "nothing is wanted");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(a_close_frame),
      cmocka_unit_test(the_accept_of_a_key),
      cmocka_unit_test(keys),
      cmocka_unit_test(the_boundaries_of_frames),
      cmocka_unit_test(nothing_may_follow_a_close_frame),
      cmocka_unit_test(what_is_no_frame),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

// W3C Trace Context: which headers count, and what is made of none.
#include "check.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/trace.h"

using namespace wazoauth;

namespace {

constexpr std::string_view trace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view span = "00f067aa0ba902b7";

std::string header(std::string_view version, std::string_view trace_id, std::string_view span_id,
                   std::string_view rest) {
  return std::string(version) + "-" + std::string(trace_id) + "-" + std::string(span_id) + std::string(rest);
}

void valid(void**) {
  for (const std::string& text :
       {header("00", trace, span, "-01"), header("00", trace, span, "-00"), header("00", trace, span, "-ff"),
        header("01", trace, span, "-01"), header("cc", trace, span, "-01-what-the-future-will-be-like")}) {
    const auto found = trace_id_of(text);
    assert_true(found.has_value());
    assert_true(*found == trace);
  }
}

void invalid(void**) {
  const std::string zeros(32, '0'), upper = "4BF92F3577B34DA6A3CE929D0E0E4736";
  for (const std::string& text :
       {std::string(), std::string("garbage"), header("ff", trace, span, "-01"), header("0G", trace, span, "-01"),
        header("00", zeros, span, "-01"), header("00", trace, zeros.substr(16), "-01"),
        header("00", upper, span, "-01"), header("00", trace, span, "-0x"), header("00", trace, span, "-0"),
        header("00", trace, span, "-01-more"), header("00", trace, span, "-01\n"),
        header("01", trace, span, "-01.more"), header("00", trace, span, "_01"),
        header("00", trace.substr(1), span, "-01"), header("00", trace.substr(1), "0" + std::string(span), "-01"),
        "00_" + std::string(trace) + "-" + std::string(span) + "-01"}) {
    if (trace_id_of(text)) check::failed(text);
  }
}

void made(void**) {
  const std::string one = new_traceparent(), other = new_traceparent();
  assert_true(one.size() == 55);
  assert_true(one.starts_with("00-") && one.ends_with("-01"));
  assert_true(trace_id_of(one) && trace_id_of(other));
  assert_true(*trace_id_of(one) != *trace_id_of(other));
  assert_true(one.substr(36) != other.substr(36));
}

// Of nested ones the inner one counts, and only on its thread.
void in_log(void**) {
  std::string lines;
  log::set_sink([&](const log::Line& line) { lines += log::traced_message(line) + ";"; });
  log::info("a");
  {
    const log::Traced outer("1");
    log::info("b");
    {
      const log::Traced inner("2");
      log::info("c");
    }
    log::info("d");
  }
  log::info("e");
  log::set_sink(nullptr);
  assert_string_equal(lines.c_str(), "a;b, trace: 1;c, trace: 2;d, trace: 1;e;");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(valid),
      cmocka_unit_test(invalid),
      cmocka_unit_test(made),
      cmocka_unit_test(in_log),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

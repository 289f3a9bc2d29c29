// What an Accept-Encoding allows.
#include "check.h"
#include "wazoauth/http/accept_encoding.h"

namespace {

using wazoauth::accepts_brotli;
using wazoauth::accepts_gzip;

void test_accepted(void**) {
  for (const char* text : {"gzip", "GZIP", "x-gzip", "br, gzip", "deflate,gzip;q=0.5", "gzip;q=1", "*",
                           "br;q=1.0, *;q=0.1", " gzip ; q=0.001 ", "identity;q=0, gzip", "gzip;level=9"})
    check::that(accepts_gzip(text), text);
}

void test_refused(void**) {
  for (const char* text : {"", ",", "br", "identity", "gzip;q=0", "gzip ; q=0.000", "*, gzip;q=0", "gzip;q=0, *",
                           "*;q=0", "notgzip", "gzipped", "q=gzip", "deflate;gzip"})
    check::never(accepts_gzip(text), text);
}

void test_brotli(void**) {
  for (const char* text : {"br", "BR", "gzip, deflate, br", "gzip;q=1, br;q=0.1", " br ; q=0.001 "})
    check::that(accepts_brotli(text), text);
  for (const char* text : {"", "gzip", "*", "br;q=0", "br ; q=0.000, *", "brotli", "q=br", "gzip;br"})
    check::never(accepts_brotli(text), text);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
                              cmocka_unit_test(test_brotli)};
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

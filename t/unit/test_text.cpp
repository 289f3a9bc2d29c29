// Encodings, slugs, random texts, UUIDs, and what of a token a log may show.
#include <set>
#include <string>

#include "check.h"
#include "wazoauth/base/log.h"
#include "wazoauth/base/sip_hash.h"
#include "wazoauth/base/text.h"
#include "wazoauth/base/uuid.h"

using namespace wazoauth;

namespace {

using check::equal;

void test_utf8(void**) {
  for (const char* text : {"", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    assert_true(is_utf8(text));
    equal(replace_invalid_utf8(text), text);
    equal(utf8_or_latin1(text), text);
  }
  for (const char* text : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "a\xff"}) {
    assert_false(is_utf8(text));
  }
  equal(replace_invalid_utf8("a\xff\xe2\x82z"), "a\xef\xbf\xbd\xef\xbf\xbdz");
  equal(utf8_or_latin1("f\xe9:\xc3"), "f\xc3\xa9:\xc3\x83");
  assert_int_equal(code_points("a\xc3\xa9\xf0\x9f\x98\x80"), 3);
}

void test_base64(void**) {
  const auto decode = [](const char* text) { return decode_base64(text).value_or("(refused)"); };
  equal(decode(""), "");
  equal(decode("Zg=="), "f");
  equal(decode("Zm8="), "fo");
  equal(decode("Zm9v"), "foo");
  equal(decode("Zm9vYmFy"), "foobar");
  equal(decode(" Z\nm!9-v_ "), "foo");
  equal(decode("Zg==Zm9v"), "f");
  equal(decode("Zm=8="), "fo");
  equal(decode("=Zm9v"), "foo");
  equal(decode("!!!"), "");
  for (const char* text : {"Z", "Zg", "Zg=", "Zm8", "Zm9vY"}) equal(decode(text), "(refused)");
}

void test_transliterate(void**) {
  equal(transliterate("fé"), "fe");
  equal(transliterate("Straße"), "Strasse");
  equal(transliterate("Ærø Łódź"), "AEro Lodz");
  equal(transliterate("Москва"), "Moskva");
  equal(transliterate("plain-1 _"), "plain-1 _");
  assert_true(transliterate("日本").find_first_not_of("abcdefghijklmnopqrstuvwxyz ") == std::string::npos);
  equal(transliterate("😀a"), "a");
}

void test_slug(void**) {
  equal(make_slug("My é-Group_1!", 80, true), "My-Group_1");
  equal(make_slug("My é-Tenant_12", 10, false), "MyTenant_1");
  equal(make_slug("!!!", 10, true), "");
}

void test_random(void**) {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const auto text = random_text(100, "abc");
    assert_int_equal(text.size(), 100);
    assert_true(text.find_first_not_of("abc") == std::string::npos);
    seen.insert(text);
    const auto uuid = new_uuid();
    assert_true(is_uuid4(uuid));
    seen.insert(uuid);
  }
  assert_int_equal(seen.size(), 400);
}

void test_uuid4(void**) {
  assert_true(is_uuid4("a0b1c2d3-e4f5-4678-9abc-def012345678"));
  for (const char* text :
       {"", "a0b1c2d3-e4f5-1678-9abc-def012345678", "a0b1c2d3-e4f5-4678-cabc-def012345678",
        "A0B1C2D3-E4F5-4678-9ABC-DEF012345678", "a0b1c2d3e4f546789abcdef012345678",
        "a0b1c2d3-e4f5-4678-9abc-def01234567g", "a0b1c2d3-e4f5-4678-9abc-def0123456789", "wazo-auth"}) {
    assert_false(is_uuid4(text));
  }
}

void test_log(void**) {
  std::string lines;
  log::set_sink([&](const log::Line& line) { lines += line.message + ";"; });
  log::debug("a");
  log::info("b");
  log::set_level(log::Level::debug);
  log::debug("c");
  log::set_level(log::Level::error);
  log::warning("d");
  log::error("e");
  equal(lines, "b;c;e;");
  log::set_sink(nullptr);
  equal(log::mask_token("a0b1c2d3-e4f5-4678-9abc-def012345678"), "XXXXXXXX-XXXX-XXXX-XXXX-XXXX12345678");
  equal(log::mask_token("secret"), "XXXXXXXX-XXXX-XXXX-XXXX-XXXX");
}

void test_packed_uuid(void**) {
  for (const std::string text : {"00112233-4455-6677-8899-aabbccddeeff", "90a09fa9-0a9f-f990-9a0f-099faa90f0a9"}) {
    char bytes[uuid_bytes], again[uuid_chars];
    assert_true(pack_uuid(text, bytes));
    unpack_uuid(bytes, again);
    equal(std::string(again, sizeof again), text);
  }
  for (const char* text : {"", "00112233-4455-6677-8899-aabbccddeefF", "00112233-4455-6677-8899-aabbccddeef",
                           "0011223344-55-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-aabbccddeefg"}) {
    char bytes[uuid_bytes];
    assert_false(pack_uuid(text, bytes));
  }
}

// As OpenSSL has it, with c-rounds 1 and d-rounds 3.
void test_sip_hash(void**) {
  const Hash128 secret{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const auto hex = [&](std::string_view text) {
    const Hash128 hash = sip_hash(secret, text);
    return to_hex(std::string_view(reinterpret_cast<const char*>(&hash), sizeof hash));
  };
  equal(hex(""), "e77ebcb22788a5befd62db6add303001");
  equal(hex({"\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe", 15}), "c17e5505b2bd526c2921cdec1e7e0109");
  equal(hex("550e8400-e29b-41d4-a716-446655440000"), "4ae6f8f7be77b4288ef3a121301e319b");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_utf8),        cmocka_unit_test(test_base64),   cmocka_unit_test(test_transliterate),
      cmocka_unit_test(test_slug),        cmocka_unit_test(test_random),   cmocka_unit_test(test_uuid4),
      cmocka_unit_test(test_packed_uuid), cmocka_unit_test(test_sip_hash), cmocka_unit_test(test_log),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

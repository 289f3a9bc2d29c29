// Token records: keys, encoding for Redis, the Token object of the API.
#include <cstdlib>
#include <ctime>

#include "check.h"
#include "wazoauth/cache/token_record.h"

namespace {

using check::equal;

using namespace wazoauth;

TokenRecord sample() {
  TokenRecord record;
  record.auth_id = "a1102b4c-0000-4000-8000-000000000001";
  record.pbx_user_uuid = record.auth_id;
  record.xivo_uuid = "the-xivo-uuid";
  record.issued_t = 1795423329;  // 2026-11-23T08:42:09Z
  record.expire_t = 1795430529;
  record.metadata = R"({"uuid": "u", "tenant_uuid": "t", "deep": {"uuid": "no"}})";
  record.session_uuid = "85f68af8-0000-4000-8000-000000000002";
  record.session_tenant_uuid = "t2";
  record.user_agent = "curl \"7\" é";
  record.remote_addr = "127.0.0.1";
  record.acl = {"b", "a", "b"};
  record.refresh_token_uuid = "r";
  return record;
}

void keys(void**) {
  const TokenKey key = token_key("abc");
  equal(to_hex(key), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert_true(key_from_hex(to_hex(key)) == key);
  assert_false(key_from_hex("ba78").has_value());
  assert_false(key_from_hex(std::string(64, 'g')).has_value());
  assert_false(key_from_hex(std::string(64, 'A')).has_value());
}

void metadata(void**) {
  equal(sample().user_uuid(), "u");
  equal(sample().tenant_uuid(), "t");
  equal(TokenRecord().user_uuid(), "");
  TokenRecord odd;
  odd.metadata = R"({"uuid": 5})";
  equal(odd.user_uuid(), "");
}

void expiry(void**) {
  TokenRecord record;
  assert_false(record.expired(1000));
  record.expire_t = 0;
  assert_false(record.expired(1000));
  record.expire_t = 1000;
  assert_false(record.expired(1000));
  assert_true(record.expired(1001));
}

void encoding_round_trip(void**) {
  for (const TokenRecord& record : {sample(), TokenRecord()}) {
    const auto decoded = decode(encode(record));
    assert_true(decoded.has_value());
    equal(encode(*decoded), encode(record));
    assert_true(decoded->acl == record.acl);
    assert_true(decoded->issued_t == record.issued_t && decoded->expire_t == record.expire_t);
    assert_true(decoded->refresh_token_uuid == record.refresh_token_uuid);
    equal(decoded->user_agent, record.user_agent);
  }
}

void decoding_refuses_anything_else(void**) {
  for (const char* text : {"", "null", "[]", "{}", "\"x\"", "{\"auth_id\": 1}"}) assert_false(decode(text).has_value());
  for (const char* key : {"auth_id", "issued_t", "metadata", "acl", "refresh_token_uuid", "session_uuid"}) {
    auto object = *Json::parse(encode(sample()));
    object.set(key, true);
    assert_false(decode(object.dump()).has_value());
    object.erase(key);
    assert_false(decode(object.dump()).has_value());
  }
  auto object = *Json::parse(encode(sample()));
  object.set("metadata", "[]");
  assert_false(decode(object.dump()).has_value());
  object = *Json::parse(encode(sample()));
  object.set("acl", Json::array({"a", 1}));
  assert_false(decode(object.dump()).has_value());
}

void token_object(void**) {
  setenv("TZ", "XXX-2:30", 1);
  tzset();
  equal(token_json("tok", sample(), R"(["b", "a"])"),
        R"({"token": "tok", "auth_id": "a1102b4c-0000-4000-8000-000000000001", )"
        R"("xivo_user_uuid": "a1102b4c-0000-4000-8000-000000000001", "xivo_uuid": "the-xivo-uuid", )"
        R"("issued_at": "2026-11-23T11:12:09", "expires_at": "2026-11-23T13:12:09", )"
        R"("utc_issued_at": "2026-11-23T08:42:09.000000", "utc_expires_at": "2026-11-23T10:42:09.000000", )"
        R"("acl": ["b", "a"], "metadata": {"uuid": "u", "tenant_uuid": "t", "deep": {"uuid": "no"}}, )"
        R"("session_uuid": "85f68af8-0000-4000-8000-000000000002", "remote_addr": "127.0.0.1", )"
        R"("user_agent": "curl \"7\" \u00e9"})");
  equal(token_json("t", TokenRecord(), "[]"),
        R"({"token": "t", "auth_id": "", "xivo_user_uuid": null, "xivo_uuid": null, "issued_at": null, )"
        R"("expires_at": null, "utc_issued_at": null, "utc_expires_at": null, "acl": [], "metadata": {}, )"
        R"("session_uuid": "", "remote_addr": "", "user_agent": ""})");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(keys),
      cmocka_unit_test(metadata),
      cmocka_unit_test(expiry),
      cmocka_unit_test(encoding_round_trip),
      cmocka_unit_test(decoding_refuses_anything_else),
      cmocka_unit_test(token_object),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

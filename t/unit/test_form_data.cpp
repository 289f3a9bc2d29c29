// Bodies of HTML forms.
#include <string>

#include "check.h"
#include "wazoauth/http/form_data.h"
#include "wazoauth/http/problem.h"

using namespace wazoauth;

namespace {

constexpr const char* multipart = "multipart/form-data; boundary=b0";

std::string part(const std::string& headers, const std::string& content) {
  return "--b0\r\n" + headers + "\r\n\r\n" + content + "\r\n";
}

void refused(const std::string& type, const std::string& body) {
  try {
    parse_form_data(type, body);
  } catch (const Problem& problem) {
    assert_int_equal(problem.status(), 400);
    return;
  }
  check::failed("accepted: " + body);
}

void has(const FormData& form, const char* name, const char* value) {
  assert_true(form.field(name).has_value());
  assert_string_equal(form.field(name)->c_str(), value);
}

void urlencoded(void**) {
  const FormData form =
      parse_form_data("Application/X-WWW-form-urlencoded; charset=utf-8", "a=1&b=x+y%2B%C3%A9&a=2&c&=d&&e=%ff");
  has(form, "a", "1");
  has(form, "b", "x y+\xc3\xa9");
  has(form, "c", "");
  has(form, "", "d");
  has(form, "e", "\xef\xbf\xbd");
  assert_false(form.field("f").has_value());
  assert_true(form.files.empty());
  assert_true(parse_form_data("application/json", "a=1").fields.empty());
  assert_true(parse_form_data("", "a=1").fields.empty());
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a&";
  refused("application/x-www-form-urlencoded", many);
  // Counted before any is made: a megabyte of them would be half a million pairs.
  refused("application/x-www-form-urlencoded", std::string(64, '&'));
}

void fields_and_files(void**) {
  const std::string body =
      part("Content-Disposition: form-data; name=\"a\"", "1") + part("content-disposition:form-data;name=b", "") +
      part(
          "Content-Disposition: form-data; name=\"f\"; filename=\"x;y=\\\"z\\\".xml\"\r\n"
          "Content-Type: application/xml\r\nContent-Transfer-Encoding: binary",
          std::string("<a>\r\n--b\r\n\0</a>", 15)) +
      part("Content-Disposition: form-data; name=\"g\"; filename=\"\"", "no name") +
      part("Content-Disposition: form-data; filename*=utf-8''%C3%A9; name=\"h\"", "") + "--b0--\r\n";
  for (const char* type : {multipart, "MULTIPART/form-data; charset=utf-8; BOUNDARY=\"b0\""}) {
    const FormData form = parse_form_data(type, body);
    has(form, "a", "1");
    has(form, "b", "");
    assert_int_equal(form.fields.size(), 2);
    assert_int_equal(form.files.size(), 3);
    assert_string_equal(form.file("f")->name.c_str(), "x;y=\"z\".xml");
    assert_true(form.file("f")->content == std::string("<a>\r\n--b\r\n\0</a>", 15));
    assert_string_equal(form.file("g")->name.c_str(), "");
    assert_string_equal(form.file("h")->name.c_str(), "utf-8''%C3%A9");
    assert_null(form.file("a"));
  }
  assert_true(parse_form_data(multipart, "--b0--").fields.empty());
  assert_string_equal(
      parse_form_data(multipart,
                      part("Content-Disposition: form-data; name=\"a\"; filename=\"C:\\x\\y\"", "1") + "--b0--")
          .file("a")
          ->name.c_str(),
      "C:\\x\\y");
}

void what_is_none(void**) {
  const std::string good = part("Content-Disposition: form-data; name=\"a\"", "1");
  for (const char* type :
       {"multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary",
        "multipart/form-data; boundary=\"b0", "multipart/form-data; boundary=b1",
        "multipart/form-data; boundary=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})
    refused(type, good + "--b0--");
  for (const std::string& body :
       {std::string(), good, "x" + good + "--b0--", good + "--b0", good + "--b0-", std::string("--b0\r\n--b0--"),
        part("Content-Type: x", "1") + "--b0--", part("Content-Disposition: attachment; name=\"a\"", "1") + "--b0--",
        part("Content-Disposition: form-data", "1") + "--b0--",
        part("Content-Disposition: form-data; name=\"a", "1") + "--b0--",
        part("Content-Disposition: form-data; name=\"a\" x", "1") + "--b0--", part("nonsense", "1") + "--b0--",
        part("Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64", "1") + "--b0--",
        part("Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"", "1") +
            "--b0--",
        part("Content-Disposition: form-data; name=\"" + std::string(9000, 'a') + "\"", "1") + "--b0--",
        std::string("--b0 x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b0--")})
    refused(multipart, body);
  std::string many;
  for (int i = 0; i < 65; ++i) many += good;
  refused(multipart, many + "--b0--");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(urlencoded),
      cmocka_unit_test(fields_and_files),
      cmocka_unit_test(what_is_none),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

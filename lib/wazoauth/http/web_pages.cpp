#include "wazoauth/http/web_pages.h"

#include <openssl/sha.h>

#include <array>

#include "wazoauth/base/text.h"
#include "wazoauth/http/template.h"

namespace wazoauth {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --text: #1b1b1f; --back: #fff; --edge: #6b6b76; --mark: #0b57d0; --on-mark: #fff; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e7e7ec; --back: #17171b; --edge: #93939f; --mark: #a8c7fa; --on-mark: #062e6f; --wrong: #f2b8b5; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1.125rem/1.5 system-ui, sans-serif; }
main { max-width: 32rem; margin: 0 auto; padding: 3rem 1.25rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input, button { width: 100%; padding: .625rem .75rem; font: inherit; border-radius: .375rem; }
input { border: 1px solid var(--edge); background: var(--back); color: var(--text); }
button { margin-top: 1.5rem; border: 1px solid var(--mark); background: var(--mark); color: var(--on-mark); cursor: pointer; }
:focus-visible { outline: 3px solid var(--mark); outline-offset: 2px; }
.wrong { border-left: .25rem solid var(--wrong); padding-left: .75rem; color: var(--wrong); }
)";

constexpr std::string_view head = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{% if complaint %}Error: {% endif %}{{ title | e }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
<h1>{{ title | e }}</h1>
{% if complaint -%}
<p class="wrong" role="alert" id="wrong">{{ complaint | e }}</p>
{% endif -%}
)";

constexpr std::string_view form = R"(<form method="post">
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" required autofocus
{%- if complaint %} aria-invalid="true" aria-describedby="wrong"{% endif %}>
<label for="confirmation">The new password again</label>
<input id="confirmation" name="confirmation" type="password" autocomplete="new-password" required>
<button>Change the password</button>
</form>
)";

constexpr std::string_view button = R"(<form method="post">
<button>{{ button | e }}</button>
</form>
)";

constexpr std::string_view foot = R"(</main>
</body>
</html>
)";

std::string policy() {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const unsigned char*>(style.data()), style.size(), hash.data());
  return "default-src 'none'; style-src 'sha256-" +
         encode_base64({reinterpret_cast<const char*>(hash.data()), hash.size()}) +
         "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
}

std::string rendered(std::string_view part, const Template::Values& values) {
  return Template(part, "a page").render(values);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> page_headers(const std::string& content_security_policy) {
  return {{"Cache-Control", "no-store"},
          {"Content-Security-Policy", content_security_policy},
          {"Referrer-Policy", "no-referrer"},
          {"X-Content-Type-Options", "nosniff"}};
}

Response web_page(const WebPage& page) {
  static const std::string only_ours = policy();
  Template::Values values{{"title", page.title}, {"style", std::string(style)}};
  if (!page.complaint.empty()) values.emplace("complaint", page.complaint);
  Response response;
  response.status = page.status;
  response.content_type = "text/html; charset=utf-8";
  response.headers = page_headers(only_ours);
  response.body = rendered(head, values);
  for (const std::string& text : page.texts)
    response.body += rendered("<p>{{ text | e }}</p>", {{"text", text}}) + "\n";
  if (page.asks_for_password) response.body += rendered(form, values) + "\n";
  if (!page.button.empty()) response.body += rendered(button, {{"button", page.button}}) + "\n";
  response.body += foot;
  return response;
}

Response trouble_page(const Problem& problem) {
  Response response = web_page({.status = problem.status(),
                                .title = "Something went wrong",
                                .texts = {"Nothing has been changed. Please try again in a few minutes."}});
  response.headers.insert(response.headers.end(), problem.headers.begin(), problem.headers.end());
  return response;
}

}  // namespace wazoauth

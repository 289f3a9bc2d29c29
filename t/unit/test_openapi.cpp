// API documents: what they say of accesses, how files and overlays become one table, and which operation a request is
// for.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "wazoauth/base/json.h"
#include "wazoauth/openapi/document.h"
#include "wazoauth/openapi/files.h"
#include "wazoauth/openapi/read.h"
#include "wazoauth/openapi/statement.h"

using namespace wazoauth;
using namespace wazoauth::openapi;

namespace {

namespace fs = std::filesystem;

// A folder of this test's own, gone at its end.
class Folder {
 public:
  Folder() {
    std::string name = fs::temp_directory_path() / "wazo-auth-openapi-XXXXXX";
    if (!mkdtemp(name.data())) check::failed("no temporary folder");
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }

  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : "|") + text;
  return all;
}

// "acl a.read|b.read", "open", "nothing"
std::string shown(const std::optional<Statement>& statement) {
  if (!statement) return "nothing";
  const std::string accesses = joined(statement->accesses);
  return std::string(name_of(statement->need)) + (accesses.empty() ? "" : " " + accesses);
}

void test_spellings(void**) {
  const std::pair<const char*, const char*> cases[] = {
      {"**Required ACL:** `a.b.read`", "acl a.b.read"},
      {" **Required ACL:** `a.b.read`\n\n **Warning:** more", "acl a.b.read"},
      {"**Required ACL**: `a.{b}.read`", "acl a.{b}.read"},
      {"**Required ACL:**: `a.read`", "acl a.read"},
      {"**required_acl**: `a.read`", "acl a.read"},
      {"Required ACL: a.read", "acl a.read"},
      {"REQUIRED ACL a.read", "acl a.read"},
      {"**Required ACL:** a.{b}.read", "acl a.{b}.read"},
      {"**Required ACL:**\n`a.read`", "acl a.read"},
      {"**Required\n ACL:** `a.read`", "acl a.read"},
      {"'**Required ACL:** `a.read`'\n\nmore", "acl a.read"},
      {"**Required ACL:** `a.read`. More text, with `x.y`.", "acl a.read"},
      {"**Required ACL:** `a.read`, e.g. `a.hello`", "acl a.read"},
      {"**Required ACL:** `a.read` Use `POST /calls`.", "acl a.read"},
      {"**Required ACL:** a.read.", "acl a.read"},
      {"**Required ACL:** a.read. More", "acl a.read"},
      {"**Required ACL:** `a.b.update", "acl a.b.update"},           // a back quote that isn't closed
      {"**Required ACL:** a.b.update`. Use `c`", "acl a.b.update"},  // or not opened
      {"Text before. **Required ACL:** `by-id.c_d.read`", "acl by-id.c_d.read"},
      {"**Required ACL:** `a.read` or `b.read`", "acl a.read|b.read"},
      {"**Required ACL:** `a.read`, or `b.read` or `c.d`", "acl a.read|b.read|c.d"},
      {"**Required ACL:** `a.read` or `POST /x`", "acl a.read"},
      {"**Required ACL:** `a.read` or nothing", "acl a.read"},
      {"**Required ACL:** `one`", "acl one"},
      {"**Required ACL:** none", "open"},
      {"**Required ACL:** `none`", "open"},
      {"**Required ACL**: None", "open"},
      {"**Required ACL:** none. It takes 128 at most.", "open"},
      {"**Required ACL:** none\n\nMore", "open"},
      {"**Required ACL:** none.read", "acl none.read"},
      {"**Required ACL:** nonetheless.read", "acl nonetheless.read"},
      {"**Required ACL:**", "closed"},
      {"**Required ACL:** see below", "closed"},
      {"**Required ACL:** `a.#`", "closed"},
      {"**Required ACL:** `a.*.read`", "closed"},
      {"**Required ACL:** `a/b.read`", "closed"},
      {"**Required ACL:** `a.{b.read`", "closed"},
      {"**Required ACL:** `a..read`", "closed"},
      {"**Required ACL:** `.read`", "closed"},
      {"**Required ACL:** `a.{b c}.read`", "closed"},
      {"Lists the users.", "nothing"},
      {"", "nothing"},
      {"The required aclaration.", "nothing"},
      {"requiredacl a.read", "nothing"},
  };
  for (const auto& [text, expected] : cases) check::equal(shown(stated_in_text(text)), expected, text);
}

void test_vendor_key(void**) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("a.read")", "acl a.read"},
      {R"("a.{b}.read")", "acl a.{b}.read"},
      {R"(["a.read", "b.read"])", "acl a.read|b.read"},
      {R"("none")", "open"},
      {R"("token")", "token"},
      {R"([])", "closed"},
      {R"(["a.read", "none"])", "closed"},
      {R"([["a.read"]])", "closed"},
      {R"("")", "closed"},
      {R"("a b")", "closed"},
      {R"("a.#")", "closed"},
      {R"("a.{b")", "closed"},
      {"null", "closed"},
      {"true", "closed"},
      {"{}", "closed"},
  };
  for (const auto& [text, expected] : cases) check::equal(shown(stated_by_key(*Json::parse(text))), expected, text);
}

// One line for each operation: "GET /x acl a.read", "?" behind for tokens in the query.
std::string shown(const RouteTable& table) {
  std::string all;
  for (const Operation& operation : table.operations()) {
    std::vector<std::string> accesses;
    for (const auto& access : operation.accesses) accesses.push_back(access.text);
    all += operation.method + " " + operation.path + " " +
           (accesses.empty() ? "(" + std::string(name_of(operation.need)) + ")" : joined(accesses)) +
           (operation.token_in_query ? " ?" : "") + (operation.corrected ? " corrected" : "") + "\n";
  }
  return all;
}

std::string shown(const std::vector<Finding>& findings) {
  std::string all;
  for (const auto& finding : findings)
    all += (finding.severity == Finding::Severity::error ? "error " : "warning ") + finding.str() + "\n";
  return all;
}

// The findings of one document, with the folder left out.
std::string findings_of(const std::string& document, const std::string& overlay = "") {
  const Folder folder;
  Source source{{folder.write("d.yml", document)}, {}, "/p", "", false};
  if (!overlay.empty()) source.overlays = {folder.write("o.yml", overlay)};
  std::string found = shown(read_routes({source}).findings);
  for (std::size_t at; (at = found.find(folder / "")) != std::string::npos;) found.erase(at, (folder / "").size());
  return found;
}

RouteTable table_of(const std::string& document, const std::string& overlay = "", const std::string& prefix = "") {
  const Folder folder;
  Source source{{folder.write("d.yml", document)}, {}, prefix, "", false};
  if (!overlay.empty()) source.overlays = {folder.write("o.yml", overlay)};
  Reading reading = read_routes({source});
  for (const auto& finding : reading.findings) {
    if (finding.severity == Finding::Severity::error) check::failed(finding.str());
  }
  return std::move(reading.table);
}

const std::string small =
    "swagger: '2.0'\n"
    "info: {title: wazo-phoned}\n"
    "basePath: /1.0\n"
    "paths:\n"
    "  /phones:\n"
    "    get: {description: '**Required ACL:** `phoned.phones.read`'}\n"
    "    post: {description: '**Required ACL:** `phoned.phones.create`'}\n"
    "  /phones/{id}:\n"
    "    get: {description: '**Required ACL:** `phoned.phones.{id}.read`'}\n"
    "  /status:\n"
    "    head: {description: '**Required ACL:** none'}\n"
    "  /me:\n"
    "    get: {summary: Who am I}\n";

void test_document(void**) {
  const RouteTable table = table_of(small, "", "/api/phoned/");
  check::equal(shown(table),
               "GET /api/phoned/1.0/me (token)\n"
               "GET /api/phoned/1.0/phones phoned.phones.read\n"
               "POST /api/phoned/1.0/phones phoned.phones.create\n"
               "GET /api/phoned/1.0/phones/{id} phoned.phones.{id}.read\n"
               "HEAD /api/phoned/1.0/status (open)\n");
  check::equal(table.documents()[0].name, "phoned");
  check::equal(joined(table.documents()[0].roots), "/api/phoned/1.0");
  for (std::size_t i = 0; i < table.operations().size(); ++i) check::equal(table.operations()[i].number, i);
  check::equal(table.operations()[1].line, 6);
  check::equal(findings_of(small),
               "warning d.yml:13: GET /me: the document doesn't say what it needs: any valid token passes\n");
}

// An operation that says `security: []` has no token by the rules of OpenAPI, whatever else it says not.
void test_security(void**) {
  check::equal(
      shown(table_of("paths: {/a: {get: {security: []}, put: {security: [{}]}, post: {security: [{t: []}]}}}")),
      "GET /a (open)\nPOST /a (token)\nPUT /a (open)\n");
  check::equal(shown(table_of("paths: {/a: {get: {security: [], description: 'Required ACL: a.read'}}}")),
               "GET /a a.read\n");
  check::equal(shown(table_of("paths: {/a: {get: {security: [], x-required-acl: b.read,"
                              " description: 'Required ACL: a.read'}}}")),
               "GET /a b.read\n");
}

void test_bases(void**) {
  const std::string paths = "paths: {/a: {get: {x-required-acl: a.read}}}\n";
  const auto first = [&](const std::string& head, const std::string& prefix = "") {
    std::string all;
    const RouteTable table = table_of(head + paths, "", prefix);
    for (const auto& operation : table.operations()) all += operation.path + " ";
    return all;
  };
  check::equal(first(""), "/a ");
  check::equal(first("", "/api/x"), "/api/x/a ");
  check::equal(first("basePath: /\n", "/api/x"), "/api/x/a ");
  check::equal(first("basePath: /1.0/\n"), "/1.0/a ");
  check::equal(first("basePath: /api/provd/0.2\n", "/api/provd"), "/api/provd/0.2/a ");  // once only
  check::equal(first("basePath: /api/provds/0.2\n", "/api/provd"), "/api/provd/api/provds/0.2/a ");
  check::equal(first("servers: [{url: 'https://host.example:80/api/v1'}]\n"), "/api/v1/a ");
  check::equal(first("servers: [{url: '/v1/'}, {url: 'http://other/v1'}, {url: '/v2?x'}]\n"), "/v1/a /v2/a ");
  check::equal(first("servers: [{url: 'http://{h}/{v}', variables: {h: {default: x}, v: {default: v3}}}]\n"), "/v3/a ");
  check::equal(first("servers: [{url: 'https://host.example'}]\n", "/p"), "/p/a ");
  check::equal(findings_of("servers: [{url: '/{v}'}]\n" + paths),
               "error d.yml: a base has no parameters: \"/p/{v}\"\n");
}

void test_json(void**) {
  const std::string text =
      "{\n\t\"openapi\": \"3.0.0\", \"servers\": [{\"url\": \"https:\\/\\/h\\/v1\"}],\n\t\"paths\": {\"/a/{n}\": "
      "{\"parameters\": [{\"in\": \"path\", \"name\": \"n\", \"schema\": {\"type\": \"integer\"}}],\n"
      "\t\"get\": {\"description\": \"\\ud83d\\ude00 **Required ACL:** `a.{n}.read`\"}}}}";
  const RouteTable table = table_of(text);
  check::equal(shown(table), "GET /v1/a/{n} a.{n}.read\n");
  assert_true(table.operations()[0].parameters[0].integer);
}

// The daemons merge their plug-ins' files: the first one that has something keeps it.
void test_merged_files(void**) {
  const Folder folder;
  folder.write("wazo_x/plugins/b/api.yml", "paths: {/a: {put: {x-required-acl: a.update}}}\ninfo: {title: other}\n");
  folder.write("wazo_x/plugins/a/api.yml",
               "paths: {/a: {get: {x-required-acl: 'a.{n}.read'}}, '/b/{n}': {get: {x-required-acl: 'b.{n}.read',"
               " parameters: [{$ref: '#/parameters/number'}]}}}\n");
  folder.write("wazo_x/plugins/api/api.yml",
               "swagger: '2.0'\nbasePath: /1.0\ninfo: {title: wazo-x}\n"
               "parameters: {number: {name: n, in: path, type: integer}}\n");
  folder.write("wazo_x/plugins/a/asyncapi.yml", "paths: {/no: {get: {}}}\n");
  folder.write("wazo_x/plugins/c/events.yml", "asyncapi: 2.0.0\ninfo: {title: events}\n");
  for (const char* name : {"wazo_x", "wazo_*", "wazo_x/plugins/*/api.yml", "wazo_?/plugins/[abc]*"}) {
    const Reading reading = read_routes({{{folder / name}, {}, "", "", false}});
    check::equal(reading.table.operations().size(), 3U, name + ("\n" + shown(reading.findings)));
    check::equal(reading.table.documents()[0].roots[0], "/1.0");
    assert_true(reading.table.operations()[2].parameters[0].integer);
  }
  // the same file twice is one
  const auto twice = read_routes({{{folder / "wazo_x", folder / "wazo_x/plugins/a/api.yml"}, {}, "", "", false}});
  check::equal(twice.table.operations().size(), 3U, shown(twice.findings));
  // what says something else about an operation that is there
  folder.write("wazo_x/plugins/d/api.yml", "paths: {/a: {put: {x-required-acl: a.other.update}}}\n");
  const auto contrary = read_routes({{{folder / "wazo_x"}, {}, "", "", false}});
  check::equal(shown(contrary.findings),
               "warning " + folder / "wazo_x/plugins/a/api.yml" +
                   ":1: GET /a: the access \"a.{n}.read\" has a parameter {n} that the path doesn't "
                   "have: nobody passes\nerror " +
                   folder / "wazo_x/plugins/b/api.yml" + ":1: PUT /a: another access is required for it in " +
                   folder / "wazo_x/plugins/d/api.yml:1\n");
  check::equal(contrary.table.operations().size(), 0U);
  // an overlay decides
  const auto o = folder.write("o.yml", "paths: {/a: {put: {x-required-acl: a.other.update}}}\n");
  assert_false(has_errors(read_routes({{{folder / "wazo_x"}, {o}, "", "", false}}).findings));
}

void test_files_that_are_not_there(void**) {
  const Folder folder;
  const std::string none = folder / "none.yml", glob = folder / "*.yml";
  for (const auto& name : {none, glob, folder / ""}) {
    check::equal(shown(read_routes({{{name}, {}, "", "", false}}).findings),
                 "error " + name + ": there is no such file\n");
    const auto reading = read_routes({{{name}, {"overlay"}, "/api/x", "", true}});
    check::equal(shown(reading.findings), "warning " + name + ": there is no such file\n");
    check::equal(reading.table.operations().size(), 0U);
  }
  const auto document = folder.write("d.yml", small);
  check::equal(shown(read_routes({{{document}, {none}, "", "", false}}).findings).find("error " + none), 0U);
  fs::create_symlink("nowhere", folder / "e.yml");
  assert_true(has_errors(read_routes({{{glob}, {}, "", "", false}}).findings));
}

void test_wrong_documents(void**) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: [", "error d.yml:2: "},
      {"", "error d.yml:1: an API document must hold a mapping"},
      {"- a", "error d.yml:1: an API document must hold a mapping"},
      {"info: {}", "error d.yml: it has no paths"},
      {"paths: {}", "error d.yml: it has no paths"},
      {"paths: [a]", "error d.yml:1: \"paths\" must be a mapping"},
      {"a: 1\npaths:\n  /a: b", "error d.yml:3: /a: must be a mapping"},
      {"paths:\n  /a:\n    get: b", "error d.yml:3: GET /a: must be a mapping"},
      {"paths:\n  a:\n    get: {}", "error d.yml:3: GET a: a path begins with '/'"},
      {"paths:\n  /a//b:\n    get: {}", "error d.yml:3: GET /a//b: two slashes"},
      {"paths:\n  /a/../b:\n    get: {}", "error d.yml:3: GET /a/../b: a segment that is \"..\""},
      {"paths:\n  /a?b:\n    get: {}", "error d.yml:3: GET /a?b: a path holds neither"},
      {"paths:\n  /{a:\n    get: {}", "error d.yml:3: GET /{a: a brace isn't closed"},
      {"paths:\n  /a}:\n    get: {}", "error d.yml:3: GET /a}: a brace is closed"},
      {"paths:\n  /{}:\n    get: {}", "error d.yml:3: GET /{}: a parameter has no proper name"},
      {"paths:\n  /{a}-{b}:\n    get: {}", "error d.yml:3: GET /{a}-{b}: a segment may hold one parameter"},
      {"paths:\n  /{a}/{a}:\n    get: {}", "error d.yml:3: GET /{a}/{a}: the parameter \"a\" occurs twice"},
      {"paths:\n  /a:\n    get: {}\n    get: {}", "error d.yml:4: GET /a: it is in this file twice"},
      {"paths:\n  /a:\n    get: {}\n  /a:\n    put: {}", "error d.yml:4: /a: it is in this file twice"},
      {"paths:\n  /{a}:\n    get: {x-required-acl: a.b}\n  /{b}:\n    get: {x-required-acl: b.c}",
       "error d.yml:3: GET /{a}: another access is required for it in d.yml:5"},
      {"paths:\n  /a:\n    get:\n      x-required-acl: 1", "error d.yml:4: GET /a: x-required-acl must be"},
      {"paths:\n  /a:\n    get:\n      x-token-in: cookie", "error d.yml:4: GET /a: x-token-in must be"},
      {"paths:\n  /a:\n    get:\n      x-remove: 1", "error d.yml:4: GET /a: x-remove must be"},
      {"paths:\n  /a:\n    get:\n      x-spans-slashes: b", "error d.yml:4: GET /a: x-spans-slashes must be"},
      {"paths:\n  /{a}:\n    get: {x-spans-slashes: [b]}", "error d.yml:3: GET /{a}: x-spans-slashes names"},
      {"paths:\n  /{a}.b:\n    get: {x-spans-slashes: [a]}", "error d.yml:3: GET /{a}.b: a parameter that may"},
      {"paths:\n  /{a}/{b}:\n    get: {x-spans-slashes: [a, b]}", "error d.yml:3: GET /{a}/{b}: one parameter"},
      {"basePath: 1\npaths: {/a: {get: {}}}", "error d.yml:1: \"basePath\" must be a text"},
  };
  for (const auto& [document, expected] : cases) {
    const std::string found = findings_of(document);
    check::that(found.find(expected) != std::string::npos, std::string(document) + "\n  " + found);
  }
}

void test_warnings(void**) {
  const std::pair<const char*, const char*> cases[] = {
      {"paths:\n  /a:\n    $ref: x\n    get: {x-required-acl: none}", "warning d.yml:3: /a: a path that is elsewhere"},
      {"paths:\n  /a:\n    servers: []\n    get: {x-required-acl: none}", "warning d.yml:3: /a: servers of its own"},
      {"paths:\n  /a:\n    get: {description: 'Required ACL:'}",
       "warning d.yml:3: GET /a: nothing follows \"Required ACL\": nobody passes"},
      {"paths:\n  /a:\n    get: {description: 'Required ACL: as for `b`'}",
       "warning d.yml:3: GET /a: \"as\" isn't an access: nobody passes"},
      {"paths:\n  /{a}:\n    get: {description: 'Required ACL: x.{b}.read'}",
       "warning d.yml:3: GET /{a}: the access \"x.{b}.read\" has a parameter {b} that the path doesn't have"},
  };
  for (const auto& [document, expected] : cases) {
    const std::string found = findings_of(document);
    check::equal(found.substr(0, std::string(expected).size()), expected, document);
    check::never(found.find("error") != std::string::npos, found);
  }
  check::equal(shown(table_of("paths: {/a: {get: {description: 'Required ACL:'}}}")), "GET /a (closed)\n");
  // one of several accesses that can't be filled leaves the others
  check::equal(shown(table_of("paths: {/a: {get: {x-required-acl: ['a.{b}', c.read]}}}")), "GET /a c.read\n");
}

void test_overlay(void**) {
  const std::string overlay =
      "paths:\n"
      "  /phones:\n"
      "    get: {x-token-in: query}\n"
      "    post: {x-remove: true}\n"
      "  /phones/{phone_id}:\n"
      "    get: {x-required-acl: 'phoned.phones.{phone_id}.read', summary: The code calls it phone_id}\n"
      "  /me:\n"
      "    get: {x-required-acl: none}\n"
      "  /added/{rest}:\n"
      "    get: {x-required-acl: [a.read, b.read], x-spans-slashes: [rest]}\n"
      "  /status:\n"
      "    head: {description: '**Required ACL:** `phoned.status.read`'}\n";
  const RouteTable table = table_of(small, overlay, "/p");
  check::equal(shown(table),
               "GET /p/1.0/added/{rest} a.read|b.read corrected\n"
               "GET /p/1.0/me (open) corrected\n"
               "GET /p/1.0/phones phoned.phones.read ? corrected\n"
               "GET /p/1.0/phones/{phone_id} phoned.phones.{phone_id}.read corrected\n"
               "HEAD /p/1.0/status phoned.status.read corrected\n");
  check::equal(table.operations()[1].line, 8);
  check::equal(table.match("GET", "/p/1.0/added/x/y/z").values[0], "x/y/z");
  const auto found = [](const std::string& text) { return findings_of(small, text); };
  const std::string own = findings_of(small);
  check::equal(found("paths: {/me: {get: {x-required-acl: none}}}"), "");
  check::equal(
      found("paths:\n  /new:\n    get: {x-token-in: query}"),
      "warning o.yml:3: GET /new: the document has no such operation, and the overlay doesn't say what it needs\n" +
          own);
  check::equal(found("paths:\n  /new:\n    get: {x-remove: true}").find("warning o.yml:3: GET /new"), 0U);
  check::equal(
      found("paths:\n  /me:\n    get:\n      x-require-acl: a.b").find("error o.yml:4: GET /me: \"x-require-acl\""),
      0U);
  check::equal(found("paths:\n  /me:\n    got: {}").find("error o.yml:3: /me: \"got\" is no method"), 0U);
  check::equal(found("/me:\n  get: {x-required-acl: none}").find("error o.yml:1: an overlay has a member \"paths\""),
               0U);
}

// What a document knows of a parameter is known under the name that an overlay gives it.
void test_overlay_renames(void**) {
  const std::string document =
      "parameters: {one: {name: a, in: path, type: integer}}\n"
      "paths:\n"
      "  /x/{a}/{b}:\n"
      "    get: {description: 'Required ACL: x.{b}.{c}.read', parameters: [{$ref: '#/parameters/one'}],\n"
      "          x-spans-slashes: [b]}\n";
  const RouteTable table = table_of(document, "paths:\n  /x/{b}/{c}:\n    get: {}\n");
  const Operation& operation = table.operations()[0];
  check::equal(operation.path, "/x/{b}/{c}");
  assert_true(operation.need == Need::acl);
  assert_true(operation.parameters[0].integer && !operation.parameters[0].spans);
  assert_true(!operation.parameters[1].integer && operation.parameters[1].spans);
  const RouteTable text =
      table_of(document, "paths:\n  /x/{b}/{c}:\n    parameters: [{name: b, in: path, type: string}]\n    get: {}\n");
  assert_false(text.operations()[0].parameters[0].integer);
}

void test_several_documents(void**) {
  const Folder folder;
  const auto file = folder.write("d.yml", small);
  const Reading reading = read_routes({{{file}, {}, "/api/a", "first", false}, {{file}, {}, "/api/ab", "", false}});
  check::equal(reading.table.operations().size(), 10U);
  const auto name = [&](const char* path) {
    const Document* document = reading.table.document_of(path);
    return document ? document->name : "none";
  };
  check::equal(name("/api/a/1.0/none"), "first");
  check::equal(name("/api/a/1.0"), "first");
  check::equal(name("/api/ab/1.0/x"), "phoned");
  check::equal(name("/api/a/1.00"), "none");
  check::equal(name("/"), "none");
  const Reading same = read_routes({{{file}, {}, "/a", "", false}, {{file}, {}, "/a", "", false}});
  check::equal(shown(same.findings).find("another document has it, too") != std::string::npos, true);
  check::equal(same.table.operations().size(), 0U);
  check::equal(read_routes({}).table.match("GET", "/").operation == nullptr, true);
}

// "GET /a/{x}", "options", "wrong_method GET, HEAD, OPTIONS", "unmatched"
std::string shown(const Match& match) {
  switch (match.outcome) {
    case Match::Outcome::matched:
      return match.operation->method + " " + match.operation->path;
    case Match::Outcome::options:
      return "options " + allow_header(match.allowed);
    case Match::Outcome::wrong_method:
      return "wrong " + allow_header(match.allowed);
    default:
      return "unmatched";
  }
}

void test_match(void**) {
  const RouteTable table = table_of(
      "paths:\n"
      "  /: {get: {x-required-acl: a.b}}\n"
      "  /users: {get: {x-required-acl: a.b}, post: {x-required-acl: a.b}}\n"
      "  /users/{id}: {get: {x-required-acl: a.b}, put: {x-required-acl: a.b}, head: {x-required-acl: none}}\n"
      "  /users/me: {get: {x-required-acl: a.b}, delete: {x-required-acl: a.b}}\n"
      "  /users/{id}/lines: {get: {x-required-acl: a.b}}\n"
      "  /users/me/lines/{line}: {get: {x-required-acl: a.b}}\n"
      "  /users/{id}.csv: {get: {x-required-acl: a.b}}\n"
      "  /options: {options: {x-required-acl: a.b}}\n"
      "  /files/{name}/{part}: {get: {x-required-acl: a.b, x-spans-slashes: [name]}}\n"
      "  /files/{one}: {get: {x-required-acl: a.b}}\n"
      "  /slash/: {get: {x-required-acl: a.b}}\n");
  const std::pair<std::pair<const char*, const char*>, const char*> cases[] = {
      {{"GET", "/"}, "GET /"},
      {{"GET", ""}, "unmatched"},
      {{"GET", "users"}, "unmatched"},
      {{"GET", "/users"}, "GET /users"},
      {{"GET", "/users/"}, "GET /users"},
      {{"GET", "/users//"}, "unmatched"},
      {{"GET", "//users"}, "unmatched"},
      {{"GET", "/Users"}, "unmatched"},
      {{"GET", "/users/5"}, "GET /users/{id}"},
      {{"GET", "/users/me"}, "GET /users/me"},
      {{"PUT", "/users/me"}, "PUT /users/{id}"},  // the literal one doesn't have the method
      {{"HEAD", "/users/me"}, "GET /users/me"},
      {{"HEAD", "/users/5"}, "HEAD /users/{id}"},
      {{"HEAD", "/users"}, "GET /users"},
      {{"GET", "/users/me/lines"}, "GET /users/{id}/lines"},  // the literal one leads nowhere
      {{"GET", "/users/me/lines/7"}, "GET /users/me/lines/{line}"},
      {{"GET", "/users/5/lines/7"}, "unmatched"},
      {{"GET", "/users/a.csv"}, "GET /users/{id}.csv"},
      {{"GET", "/users/.csv"}, "GET /users/{id}"},  // a parameter is never empty
      {{"GET", "/slash"}, "GET /slash/"},
      {{"GET", "/slash/"}, "GET /slash/"},
      {{"PATCH", "/users"}, "wrong GET, HEAD, OPTIONS, POST"},
      {{"PATCH", "/users/me"}, "wrong DELETE, GET, HEAD, OPTIONS, PUT"},
      {{"PROPFIND", "/users"}, "wrong GET, HEAD, OPTIONS, POST"},
      {{"get", "/users"}, "wrong GET, HEAD, OPTIONS, POST"},
      {{"", "/users"}, "wrong GET, HEAD, OPTIONS, POST"},
      {{"OPTIONS", "/users"}, "options GET, HEAD, OPTIONS, POST"},
      {{"OPTIONS", "/none"}, "unmatched"},
      {{"OPTIONS", "/options"}, "OPTIONS /options"},
      {{"GET", "/files/a"}, "GET /files/{one}"},
      {{"GET", "/files/a/b"}, "GET /files/{name}/{part}"},
      {{"GET", "/files/a/b/c/d"}, "GET /files/{name}/{part}"},
      {{"GET", "/files"}, "unmatched"},
      {{"GET", "/files//a"}, "unmatched"},
  };
  for (const auto& [request, expected] : cases)
    check::equal(shown(table.match(request.first, request.second)), expected,
                 request.first + std::string(" ") + request.second);
  const std::string path = "/files/a/b/c";
  const Match match = table.match("GET", path);
  check::equal(match.values[0], "a/b");
  check::equal(match.values[1], "c");
  assert_ptr_equal(match.values[0].data(), path.data() + 7);
}

void test_access(void**) {
  const RouteTable table = table_of(
      "paths:\n"
      "  /a/{x}/{n}:\n"
      "    parameters: [{name: n, in: path, type: integer}, {name: x, in: path, type: string}]\n"
      "    get: {x-required-acl: ['a.{n}.{x}.read', b.read]}\n"
      "    put: {x-required-acl: 'a.{n}', parameters: [{name: n, in: path, type: string}]}\n");
  const auto access = [&](const std::string& path, const char* method = "GET", std::size_t alternative = 0) {
    const Match match = table.match(method, path);
    std::string access;
    if (match.outcome != Match::Outcome::matched) return std::string("unmatched");
    return append_access(match, alternative, access) ? access : "refused";
  };
  check::equal(access("/a/me/7"), "a.7.me.read");
  check::equal(access("/a/me/7", "GET", 1), "b.read");
  check::equal(access("/a/1.2.3/7"), "a.7.1_2_3.read");
  check::equal(access("/a/me/007"), "a.7.me.read");
  check::equal(access("/a/me/000"), "a.0.me.read");
  check::equal(access("/a/me/007x"), "a.007x.me.read");
  check::equal(access("/a/me/007", "PUT"), "a.007");
  check::equal(access("/a/007/1"), "a.1.007.read");
  check::equal(access("/a/me/\xd9\xa7"), "refused");  // a seven, for Python
  check::equal(access("/a/\xd9\xa7/7"), "a.7.\xd9\xa7.read");
  check::equal(access("/a/6FA459EA-ee8a-4CA4-894e-DB77E160355E/7"), "a.7.6fa459ea-ee8a-4ca4-894e-db77e160355e.read");
  check::equal(access("/a/6FA459EA-ee8a/7"), "a.7.6FA459EA-ee8a.read");
  for (const char* value : {"#", "*", "a#", "x*y", "a\x01", "a\n", "\x7f"}) {
    check::equal(access(std::string("/a/") + value + "/7"), "refused", value);
    check::equal(access(std::string("/a/") + value + "/7", "GET", 1), "b.read", value);
  }
}

// What Werkzeug 2.2.2, the router of Debian 12, made of random rules and requests. OPTIONS is a method of each rule, as
// Flask adds it.
void test_match_agrees_with_werkzeug(void**) {
  std::ifstream file(TEST_DATA "/route-vectors.json");
  const auto tables = Json::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  assert_true(tables && tables->size() == 60);
  for (const Json& vector : tables->items()) {
    RouteTable table;
    for (const Json& item : vector.get("operations").items()) {
      Operation operation{};
      operation.method = item.at(0).text();
      operation.path = item.at(1).text();
      auto path = parse_path(operation.path);
      for (Segment& segment : path) {
        segment.spans = item.at(2).is_string() && segment.parameter == item.at(2).text();
        if (!segment.is_fixed()) operation.parameters.push_back({segment.parameter, false, segment.spans});
      }
      assert_null(table.add(operation, path));
    }
    for (const Json& request : vector.get("requests").items()) {
      const std::string path(request.at(1).text()), name = std::string(request.at(0).text()) + " " + path;
      const Match match = table.match(request.at(0).text(), path);
      const std::string_view expected = request.at(2).text();
      if (expected == "unmatched" || expected == "options" || expected == "wrong_method") {
        const auto outcome = expected == "unmatched" ? Match::Outcome::unmatched
                             : expected == "options" ? Match::Outcome::options
                                                     : Match::Outcome::wrong_method;
        check::that(match.outcome == outcome, name + " is " + std::string(expected));
        continue;
      }
      check::equal(shown(match), expected, name);
      check::equal(match.operation->parameters.size(), request.at(3).size(), name);
      for (std::size_t i = 0; i < request.at(3).size(); ++i)
        check::equal(match.values[i], request.at(3).at(i).text(), name);
    }
  }
}

// -- against a matcher that tries everything
// ---------------------------------------------------------------------------

using Texts = std::vector<std::string>;

std::vector<std::string> split(std::string path) {
  if (path.ends_with('/')) path.pop_back();
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const auto end = std::min(path.find('/', at + 1), path.size());
    parts.push_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return parts;
}

// How literal a segment is: fixed, one with slashes and something behind it, with some text, a parameter, one with
// slashes that takes all.
int rank(const std::vector<Segment>& path, std::size_t i) {
  if (path[i].is_fixed()) return 1000;
  if (path[i].spans) return i + 1 == path.size() ? 1 : 500 + static_cast<int>(path.size() - i);
  return 200 + static_cast<int>(path[i].prefix.size() + path[i].suffix.size());
}

bool fits(const std::vector<Segment>& path, std::vector<std::string> parts, Texts& values) {
  for (std::size_t i = 0; i < path.size(); ++i) {  // what spans becomes one part
    if (!path[i].spans || parts.size() < path.size()) continue;
    const std::size_t extra = parts.size() - path.size();
    if (i >= parts.size() || parts[i].empty()) return false;
    for (std::size_t k = 0; k < extra; ++k) {
      parts[i] += "/" + parts[i + 1];
      parts.erase(parts.begin() + static_cast<long>(i) + 1);
    }
  }
  if (parts.size() != path.size()) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const Segment& segment = path[i];
    const std::string& part = parts[i];
    const std::size_t around = segment.prefix.size() + segment.suffix.size();
    if (segment.is_fixed()
            ? part != segment.prefix
            : part.size() <= around || !part.starts_with(segment.prefix) || !part.ends_with(segment.suffix))
      return false;
    if (!segment.is_fixed()) values.push_back(part.substr(segment.prefix.size(), part.size() - around));
  }
  return true;
}

struct Template {
  std::vector<Segment> path;
  std::string method, text;
};

bool better(const Template& a, const Template& b, const std::string& method) {
  for (std::size_t i = 0; i < std::min(a.path.size(), b.path.size()); ++i) {
    if (rank(a.path, i) != rank(b.path, i)) return rank(a.path, i) > rank(b.path, i);
  }
  return a.method == method && b.method != method;
}

void test_match_agrees_with_trying_everything(void**) {
  std::mt19937 random(20261128);
  const auto below = [&](std::size_t n) { return random() % n; };
  const std::vector<std::string> words = {"a", "b", "me"}, names = {"GET", "PUT", "HEAD", "OPTIONS"};
  int matched = 0, wrong = 0, unmatched = 0;
  for (int round = 0; round < 400; ++round) {
    RouteTable table;
    std::vector<Template> templates;
    const std::size_t wanted = 1 + below(30);
    for (std::size_t i = 0; i < wanted; ++i) {
      std::string text;
      const std::size_t length = below(5), spanning = below(8);
      for (std::size_t k = 0; k < length; ++k) {
        const std::string parameter = "{p" + std::to_string(k) + "}";
        const std::string choices[] = {words[below(3)], words[below(3)], parameter,
                                       parameter,       "a" + parameter, parameter + ".csv"};
        text += "/" + (k == spanning ? parameter : choices[below(6)]);
      }
      Template one{parse_path(text.empty() ? "/" : text), names[below(4)], text};
      if (spanning < length) one.path[spanning].spans = true;
      Operation operation{};
      operation.method = one.method;
      operation.path = one.method + " " + text + (spanning < length ? " spans" : "");
      one.text = operation.path;
      for (const Segment& segment : one.path) {
        if (!segment.is_fixed()) operation.parameters.push_back({segment.parameter, false, segment.spans});
      }
      if (!table.add(operation, one.path)) templates.push_back(std::move(one));
    }
    for (int request = 0; request < 100; ++request) {
      std::string path;
      const std::vector<std::string> parts = {"a", "b", "me", "ax", "x.csv", "a.csv", ".csv", ""};
      const std::size_t length = below(6);
      for (std::size_t k = 0; k < length; ++k) path += "/" + parts[below(below(4) ? 5 : 8)];
      if (path.empty() || below(8) == 0) path += "/";
      const std::string method = names[below(4)];
      const Template* best = nullptr;
      bool known = false;
      Texts values;
      for (const Template& one : templates) {
        Texts own;
        if (!fits(one.path, split(path), own)) continue;
        known = true;
        if (one.method != method && (method != "HEAD" || one.method != "GET")) continue;
        if (best && !better(one, *best, method)) continue;
        best = &one;
        values = own;
      }
      const Match match = table.match(method, path);
      const std::string name = method + " " + path;
      if (best && method != "OPTIONS") {
        ++matched;
        check::equal(match.operation ? match.operation->path : "none", best->text, name);
        for (std::size_t i = 0; i < values.size(); ++i) check::equal(match.values[i], values[i], name);
      } else if (method == "OPTIONS") {  // the most literal path of all, whatever its methods
        check::equal(match.outcome == Match::Outcome::unmatched, !known, name);
      } else {
        ++(known ? wrong : unmatched);
        check::equal(match.outcome == (known ? Match::Outcome::wrong_method : Match::Outcome::unmatched), true, name);
      }
    }
  }
  assert_true(matched > 2000 && wrong > 1000 && unmatched > 2000);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_spellings),
      cmocka_unit_test(test_vendor_key),
      cmocka_unit_test(test_document),
      cmocka_unit_test(test_security),
      cmocka_unit_test(test_bases),
      cmocka_unit_test(test_json),
      cmocka_unit_test(test_merged_files),
      cmocka_unit_test(test_files_that_are_not_there),
      cmocka_unit_test(test_wrong_documents),
      cmocka_unit_test(test_warnings),
      cmocka_unit_test(test_overlay),
      cmocka_unit_test(test_overlay_renames),
      cmocka_unit_test(test_several_documents),
      cmocka_unit_test(test_match),
      cmocka_unit_test(test_access),
      cmocka_unit_test(test_match_agrees_with_werkzeug),
      cmocka_unit_test(test_match_agrees_with_trying_everything),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

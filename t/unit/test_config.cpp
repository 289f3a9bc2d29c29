// The YAML dialect, the merge of files, `!exec`, typed settings and what GET /config shows.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "check.h"
#include "wazoauth/config/command.h"
#include "wazoauth/config/defaults.h"
#include "wazoauth/config/files.h"
#include "wazoauth/config/settings.h"
#include "wazoauth/config/shown.h"
#include "wazoauth/config/yaml.h"
#include "wazoauth/config/yaml_scalar.h"

using namespace wazoauth;

namespace {

using check::equal;

std::string yaml(const std::string& text) {
  return parse_yaml(text, "f.yml").value.dump();
}

// "line: what"
template <typename Work>
std::string config_error(Work work) {
  try {
    work();
  } catch (const ConfigError& error) {
    return std::to_string(error.line) + ": " + error.what();
  }
  return "(accepted)";
}

std::string yaml_error(const std::string& text) {
  return config_error([&] { parse_yaml(text, "f.yml"); });
}

// A folder with config.yml and conf.d.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/test_config.XXXXXX";
    path_ = mkdtemp(name);
    std::filesystem::create_directory(path_ + "/conf.d");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    std::ofstream(path_ + "/" + name) << text;
    chmod((path_ + "/" + name).c_str(), mode);
  }
  void main(const std::string& text) const { write("config.yml", "extra_config_files: conf.d\n" + text); }
  void drop_in(const std::string& name, const std::string& text) const { write("conf.d/" + name, text); }
  LoadedConfig load(const Json& overrides = {}) const { return load_config(path_ + "/config.yml", overrides); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

void test_scalars(void**) {
  const auto scalar = [](const char* text) { return resolve_yaml_scalar(text).dump(); };
  for (const char* text : {"", "~", "null", "Null", "NULL"}) equal(scalar(text), "null");
  for (const char* text : {"yes", "True", "ON"}) equal(scalar(text), "true");
  for (const char* text : {"no", "False", "off"}) equal(scalar(text), "false");
  equal(scalar("010"), "8");
  equal(scalar("0b101"), "5");
  equal(scalar("-0x1F"), "-31");
  equal(scalar("1_000"), "1000");
  equal(scalar("+12"), "12");
  equal(scalar("190:20:30"), "685230");
  equal(scalar("-1:30"), "-90");
  equal(scalar("9223372036854775807"), "9223372036854775807");
  equal(scalar("-9223372036854775808"), "-9223372036854775808");
  equal(scalar("9223372036854775808"), "9.223372036854776e+18");
  equal(scalar("1.5"), "1.5");
  equal(scalar("1."), "1.0");
  equal(scalar(".5"), "0.5");
  equal(scalar("1_0.5e+3"), "10500.0");
  equal(scalar("1:30.5"), "90.5");
  equal(scalar("-.inf"), "-1.7976931348623157e+308");
  equal(scalar(".nan"), "null");
  for (const char* text :
       {"y",  "n",   "tRUE", "09", "0o7", "1e3", "1.5e3", "-.5",  "1:60",  "1:2:",       "127.0.0.1", "1.2.3",
        "_1", "0b2", "0x",   "+",  "-",   ".",   "1:",    "nULL", "True,", "2001-01-01", "<<",        "="}) {
    equal(scalar(text), Json(text).dump());
  }
}

void test_dialect(void**) {
  equal(yaml(""), "null");
  equal(yaml("# nothing\n"), "null");
  equal(yaml("\xef\xbb\xbf{a: 1}"), "{\"a\": 1}");
  equal(yaml("a: 1\nb: 2\na: 3\n"), "{\"a\": 3, \"b\": 2}");
  equal(yaml("a: 'yes'\nb: \"010\"\nc: yes\nd: True,\n"),
        "{\"a\": \"yes\", \"b\": \"010\", \"c\": true, \"d\": \"True,\"}");
  equal(yaml("yes: 1\n~: 2\n010: 3\n1.5: 4"), "{\"true\": 1, \"null\": 2, \"8\": 3, \"1.5\": 4}");
  equal(yaml("a: !!str 1\nb: !!int '010'\nc: !!float 1\nd: !!str\n"),
        "{\"a\": \"1\", \"b\": 8, \"c\": 1.0, \"d\": \"\"}");
  equal(yaml("a: &x [1, 2]\nb: *x"), "{\"a\": [1, 2], \"b\": [1, 2]}");
  equal(yaml("base: &b {x: 1, y: 2}\nc:\n  y: 3\n  <<: *b\n"),
        "{\"base\": {\"x\": 1, \"y\": 2}, \"c\": {\"x\": 1, \"y\": 3}}");
  equal(yaml("<<: [{x: 1}, {x: 2, y: 2}]\nz: 3"), "{\"x\": 1, \"y\": 2, \"z\": 3}");
  equal(yaml("'<<': {x: 1}"), "{\"<<\": {\"x\": 1}}");
  equal(yaml("a: |\n  x\n  y\nb: >\n  x\n  y\n"), "{\"a\": \"x\\ny\\n\", \"b\": \"x y\\n\"}");
  equal(yaml("email_confirmation_get_mimetype': text/html"), "{\"email_confirmation_get_mimetype'\": \"text/html\"}");
}

void test_errors(void**) {
  equal(yaml_error("a: 1\nb: [1\nc: 2\n").substr(0, 1), "3");
  equal(yaml_error("a: 1\n  b: 2\n").substr(0, 1), "2");
  equal(yaml_error("a: 1\n---\nb: 2\n"), "2: what begins here belongs to no value, or is a second document");
  equal(yaml_error("# x\n,\na: 1\n").substr(3), "what begins here belongs to no value, or is a second document");
  equal(yaml_error("a: 1\nb: !foo x\n").substr(0, 1), "2");
  equal(yaml_error("a:\n  - !!python/name:os.system x\n").substr(0, 1), "2");
  equal(yaml_error("a: 1\nb: \x01\n"), "2: control character");
  equal(yaml_error("a: 1\nb: \xff\n"), "2: not UTF-8");
  equal(yaml_error("a: 1\nb: 'x\n"), "3: a quotation mark is not closed");
  equal(yaml_error("b: \"x"), "2: a quotation mark is not closed");
  equal(yaml_error("a: *b").substr(0, 1), "1");
  equal(yaml_error("[a]: 1"), "1: a mapping or list can't be a key");
  equal(yaml_error("<<: 1"), "1: a merge key needs a mapping or a list of mappings");
  equal(yaml_error("a: !!int x").substr(0, 1), "1");
  equal(yaml_error("a: &a [*a]").substr(3), "nested too deep");
  equal(yaml_error("a: &a {<<: *a}").substr(3), "nested too deep");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const auto n = std::to_string(i), m = "*a" + std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [" + m + ", " + m + ", " + m + ", " + m + "]\n";
  }
  equal(yaml_error(bomb).substr(3), "too many values");
  equal(yaml_error("x: !exec {command: id}"), "1: !exec is not allowed here");
}

void test_lines(void**) {
  const auto document = parse_yaml("a: 1\nb:\n  c: 2\n  d:\n    - 1\n", "f.yml");
  assert_int_equal(document.lines.at("a"), 1);
  assert_int_equal(document.lines.at("b"), 2);
  assert_int_equal(document.lines.at("b.d"), 4);
  assert_true(document.repeated.empty());
}

void test_repeated_members(void**) {
  const auto document = parse_yaml("a: 1\nb:\n  c: 2\n  c: 3\na: 4\n", "f.yml");
  equal(document.value.dump(), R"({"a": 4, "b": {"c": 3}})");
  const std::map<std::string, int> expected = {{"a", 5}, {"b.c", 4}};
  assert_true(document.repeated == expected);
  // what a merge key brings isn't there twice
  assert_true(parse_yaml("a: &a {x: 1}\nb: {<<: *a, x: 2}\nc: {x: 3}\n", "f.yml").repeated.empty());
}

void test_merge(void**) {
  Folder folder;
  folder.main(
      "l: [main]\nm: {a: main, b: main, n: {x: main}}\ns: main\nnothing: main\nonly: main\n"
      "rest_api: {cors: {allow_headers: [X]}}\n");
  folder.drop_in("20.yml", "l: [twenty]\nm: {a: twenty, n: {y: twenty}}\ns: twenty\n");
  folder.drop_in("10.yml", "l: [ten]\nm: {a: ten}\nnothing: null\nt: {k: 1}\n");
  folder.drop_in("Z.yml", "s: Z\nt: 5\n");
  folder.drop_in("a.yml", "s: a\nlast: a\n");
  folder.drop_in(".hidden.yml", "hidden: true\n");
  folder.drop_in("other.yaml", "hidden: true\n");
  const auto config = folder.load(*Json::parse("{\"s\": \"line\", \"l\": [\"line\"], \"rest_api\": {\"port\": 1}}"));
  assert_int_equal(config.warnings.size(), 0);
  equal(config.tree.get("l").dump(), "[\"line\"]");
  equal(folder.load().tree.get("l").dump(), "[\"ten\", \"twenty\", \"main\"]");
  equal(config.tree.get("m").dump(), "{\"a\": \"ten\", \"n\": {\"y\": \"twenty\", \"x\": \"main\"}, \"b\": \"main\"}");
  equal(config.tree.get("s").dump(), "\"line\"");
  equal(folder.load().tree.get("s").dump(), "\"twenty\"");
  assert_true(config.tree.has("nothing") && config.tree.get("nothing").is_null());
  equal(config.tree.get("t").dump(), "{\"k\": 1}");
  equal(config.tree.get("last").dump(), "\"a\"");
  equal(config.tree.get("only").dump(), "\"main\"");
  assert_false(config.tree.has("hidden"));
  equal(config.tree.get("rest_api").get("cors").dump(), "{\"allow_headers\": [\"X\"], \"enabled\": true}");
  assert_int_equal(config.tree.get("rest_api").get("port").integer(), 1);
  assert_int_equal(config.tree.get("rest_api").get("max_threads").integer(), 25);
  equal(config.tree.text_or("config_file", ""), folder.path() + "/config.yml");
  equal(config.places.at("m.a").file, folder.path() + "/conf.d/10.yml");
  assert_int_equal(config.places.at("m.b").line, 3);
}

void test_broken_files(void**) {
  Folder folder;
  folder.main("a: 1\n");
  folder.drop_in("10.yml", "b: 1\nc: [\n");
  folder.drop_in("20.yml", "");
  folder.drop_in("30.yml", "d: 1\n");
  std::filesystem::create_directory(folder.path() + "/conf.d/40.yml");
  const auto config = folder.load();
  assert_int_equal(config.warnings.size(), 2);
  assert_true(config.warnings[0].starts_with(folder.path() + "/conf.d/10.yml:3: "));
  assert_true(config.warnings[1].starts_with(folder.path() + "/conf.d/40.yml: "));
  assert_false(config.tree.has("b"));
  assert_int_equal(config.tree.get("d").integer(), 1);

  folder.drop_in("30.yml", "[1]\n");
  equal(config_error([&] { folder.load(); }), "1: a configuration file must hold a mapping");
  folder.drop_in("30.yml", "");
  folder.main("a: [\n");
  equal(config_error([&] { folder.load(); }).substr(0, 1), "3");

  const auto defaults = load_config(folder.path() + "/absent.yml");
  assert_int_equal(defaults.tree.get("default_token_lifetime").integer(), 7200);
  assert_true(defaults.warnings.at(0).starts_with(folder.path() + "/absent.yml: "));
}

void test_both_spellings(void**) {
  Folder folder;
  folder.main("email_confirmation_get_mimetype': text/plain\nemail_confirmation_get_response_body_template': old\n");
  equal(folder.load().tree.text_or("email_confirmation_get_mimetype", ""), "text/plain");
  assert_false(folder.load().tree.has("email_confirmation_get_mimetype'"));
  folder.drop_in("10.yml", "email_confirmation_get_mimetype: text/new\n");
  equal(folder.load().tree.text_or("email_confirmation_get_mimetype", ""), "text/new");
  equal(folder.load().tree.text_or("email_confirmation_get_response_body_template", ""), "old");
}

void test_exec(void**) {
  Folder folder;
  folder.main("secret: !exec\n  command: printf {a:\\040[yes,010],\\040b:\\040%s} x\nnone: !exec {}\n");
  equal(folder.load().tree.get("secret").dump(), "{\"a\": [true, 8], \"b\": \"x\"}");
  assert_true(folder.load().tree.get("none").is_null());

  folder.main("a: 1\nsecret: !exec {command: sh -c false}\n");
  equal(config_error([&] { folder.load(); }), "3: !exec: \"sh\" ended with status 1");
  folder.main("secret: !exec {command: echo [}\n");
  assert_true(config_error([&] { folder.load(); }).starts_with("2: "));

  folder.main("secret: !exec {command: /no/such/program}\nb: 1\n");
  auto config = folder.load();
  assert_false(config.tree.has("b"));
  assert_true(config.warnings.at(0).starts_with(folder.path() + "/config.yml: line 2: "));

  folder.main("a: 1\n");
  folder.drop_in("10.yml", "b: 1\nc: !exec {command: 'false'}\n");
  config = folder.load();
  assert_false(config.tree.has("b"));
  assert_true(config.warnings.at(0).starts_with(folder.path() + "/conf.d/10.yml:2: "));
}

void test_exec_needs_a_file_of_ours(void**) {
  Folder folder;
  const std::string text = "secret: !exec {command: echo x}\n";
  for (const mode_t mode : {0664, 0646}) {
    folder.write("config.yml", text, mode);
    assert_true(config_error([&] { folder.load(); }).starts_with("1: !exec refused"));
  }
  folder.write("config.yml", text, 0600);
  equal(folder.load().tree.text_or("secret", ""), "x");
  if (geteuid() == 0) {
    assert_int_equal(chown((folder.path() + "/config.yml").c_str(), 65534, 65534), 0);
    assert_true(config_error([&] { folder.load(); }).starts_with("1: !exec refused"));
  }
}

void test_commands(void**) {
  using namespace std::chrono_literals;
  const auto failure = [](const std::vector<std::string>& arguments) -> std::string {
    try {
      run_command(arguments, 300ms);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  equal(run_command({"printf", "%s|%s", "a b", ""}, 5s), "a b|");
  equal(run_command({"sh", "-c", "cat; ls /proc/self/fd | wc -l; echo lost >&2"}, 5s), "4\n");
  const auto start = std::chrono::steady_clock::now();
  equal(failure({"sleep", "60"}), "took too long");
  equal(failure({"sh", "-c", "sleep 60 & exec sleep 60"}), "took too long");
  equal(failure({"sh", "-c", "exec >&-; sleep 60"}), "took too long");
  equal(failure({"sh", "-c", "yes"}), "wrote more than 1 MiB");
  assert_true(std::chrono::steady_clock::now() - start < 5s);
  equal(failure({"sh", "-c", "kill -9 $$"}), "was killed by signal 9");
  equal(failure({""}), "No such file or directory");
}

Settings settings_of(const std::string& text, std::vector<std::string>& warnings) {
  Folder folder;
  folder.main(text);
  auto config = folder.load();
  warnings = config.warnings;
  return make_settings(config.tree, "the-uuid", warnings, config.places);
}

Settings settings_of(const std::string& text) {
  std::vector<std::string> warnings;
  auto settings = settings_of(text, warnings);
  assert_int_equal(warnings.size(), 0);
  return settings;
}

void test_default_settings(void**) {
  const auto s = settings_of("");
  equal(s.xivo_uuid, "the-uuid");
  equal(s.db_uri, "postgresql://asterisk:proformatique@localhost/asterisk");
  assert_int_equal(s.log_level, 20);
  assert_int_equal(s.max_threads, 25);
  assert_true(s.token_cleanup_interval == 60.0 && s.login_memory.count() == 0);
  assert_int_equal(s.enabled_http_plugins.size(), 25 + 3);  // "external.mobile" and the like
  assert_true(s.http_plugin("tokens") && !s.http_plugin("user_registration") && !s.http_plugin("x"));
  equal(Json::strings(s.backends).dump(), "[\"ldap_user\", \"wazo_user\"]");
  equal(Json::strings(s.idps).dump(), "[\"saml\", \"ldap\"]");
  assert_int_equal(s.metadata_plugins.size(), 3);
  equal(Json::strings(s.external.types).dump(), "[\"google\", \"microsoft\", \"mobile\"]");
  assert_int_equal(s.purpose_metadata_mapping.size(), 3);
  assert_false(s.default_user_policy.has_value() || s.bootstrap_user_username.has_value());
  equal(s.bootstrap_user_policy_slug, "wazo_default_master_user_policy");
  equal(s.amqp_exchange_name, "xivo");
  assert_true(s.amqp_exchange_durable && s.cors_enabled && s.update_policy_on_startup);
  assert_int_equal(s.cors_allow_headers.size(), 5);
  assert_int_equal(s.cors_methods.size(), 7);
  assert_true(s.ldap.limits.network == std::chrono::seconds(2) && s.ldap.limits.operation == std::chrono::seconds(2));
  assert_true(s.ldap.limits.login == std::chrono::seconds(8) && s.ldap.ca_file.empty() && s.outgoing.loopback);
  equal(s.tree.text_or("uuid", ""), "the-uuid");
  equal(s.tree.get("loaded_plugins").dump(), "[\"ldap_user\", \"wazo_user\"]");
}

void test_settings(void**) {
  std::vector<std::string> warnings;
  const auto s = settings_of(R"(
log_level: WARNING
debug: True,
login_memory: 10
default_user_policy: null
default_policies:
  p2: {acl: [a, b], description: D, shared: yes}
  p1: {acl: []}
all_users_policies: {p1: true, p2: off}
tenant_default_groups:
  g: {policies: {p1: true, p2: false}}
  h:
backend_policies: {ldap_user: P}
enabled_http_plugins: {users: false, nonsense: true, nothing: false}
enabled_backend_plugins: {other_backend: true, wazo_user: true, ldap_user: false}
enabled_metadata_plugins: {user_admin_status: true}
purpose_metadata_mapping: {user: [user_admin_status, internal_token], robot: []}
idp_plugins: {saml: {priority: 50}, ldap: {priority: 7}, other: {enabled: true}}
amqp: {exchange_durable: false, uri: null}
rest_api: {cors: {origins: 'https://a.example', max_age: 60, supports_credentials: true}}
)",
                             warnings);
  assert_int_equal(s.log_level, 30);
  assert_true(s.debug);
  assert_int_equal(s.default_policies.size(), 2);
  equal(s.default_policies[0].slug, "p2");
  assert_true(s.default_policies[0].shared);
  equal(s.default_policies[0].description, "D");
  equal(s.default_policies[1].description, "Automatically created");
  assert_true(s.all_users_policies[0].second && !s.all_users_policies[1].second);
  assert_int_equal(s.tenant_default_groups.size(), 2);
  equal(s.tenant_default_groups[0].policies[1].first, "p2");
  equal(s.backend_policies.at("ldap_user"), "P");
  assert_true(s.login_memory == std::chrono::minutes(10));
  assert_false(s.http_plugin("users") || s.http_plugin("nonsense"));
  equal(Json::strings(s.backends).dump(), "[\"wazo_user\"]");
  equal(Json::strings(s.purpose_metadata_mapping.at("user")).dump(), "[\"user_admin_status\"]");
  equal(Json::strings(s.idps).dump(), "[\"saml\"]");  // LDAP needs its backend
  assert_true(!s.amqp_exchange_durable && s.amqp_servers.empty());
  equal(Json::strings(s.cors_origins).dump(), "[\"https://a.example\"]");
  equal(*s.cors_max_age, "60");
  assert_int_equal(warnings.size(), 6);
  equal(Json::strings(settings_of("idp_plugins: {saml: {priority: 50}, ldap: {priority: 7}}\n").idps).dump(),
        "[\"ldap\", \"saml\"]");
}

void test_syslog(void**) {
  const SyslogServer local = settings_of("audit: {syslog: /dev/log}\n").audit_syslog;
  assert_true(local.way == SyslogServer::Way::local);
  equal(local.place, "/dev/log");
  const SyslogServer far = settings_of("audit: {syslog: \"tcp://[::1]:601\"}\n").audit_syslog;
  assert_true(far.way == SyslogServer::Way::tcp);
  equal(far.place, "::1");
  assert_int_equal(far.port, 601);
  assert_true(settings_of("a: 1\n").audit_syslog.way == SyslogServer::Way::none);
}

void test_wrong_types(void**) {
  const auto error = [](const std::string& text) { return config_error([&] { settings_of(text); }); };
  equal(error("audit: {file: log}\n"), "2: \"audit.file\" must be an absolute path");
  equal(error("audit: {file: /log, syslog: /dev/log}\n"),
        "2: \"audit.syslog\" is an alternative to audit.file: only one of them may be set");
  equal(error("audit: {syslog: localhost}\n"),
        "2: \"audit.syslog\" must be an absolute path, udp://host:port or tcp://host:port");
  for (const char* wrong :
       {"udp://host", "tcp://:514", "udp://user@host:514", "tcp://host:514/x", "tcp://host:514?a=b"})
    equal(error("audit: {syslog: \"" + std::string(wrong) + "\"}\n"),
          "2: \"audit.syslog\" must have a host and a port, and nothing else");
  equal(error("a: 1\nlog_level: loud\n"), "3: \"log_level\" must be one of critical, error, warning, info, debug");
  equal(error("rest_api:\n  max_threads: many\n"), "3: \"rest_api.max_threads\" must be an integer");
  equal(error("rest_api:\n  max_threads: 0\n"), "3: \"rest_api.max_threads\" must be at least 1");
  equal(error("rest_api: 5\n"), "2: \"rest_api\" must be a mapping");
  equal(error("login_memory: 1441\n"), "2: \"login_memory\" must be at most 1440");
  equal(error("default_policies: {p: {}}\n"), "2: \"default_policies.p\" needs an \"acl\"");
  equal(error("default_policies: {p: {acl: [1]}}\n"), "2: \"default_policies.p.acl\" must hold texts only");
  equal(error("bootstrap_user_password: 123\n"),
        "2: \"bootstrap_user_password\" must be a text (in quotes, if it looks like something else)");
  equal(error("token_cleanup_interval: soon\n"), "2: \"token_cleanup_interval\" must be a number");
  equal(error("ldap: {network_timeout: 0}\n"), "2: \"ldap.network_timeout\" must be seconds, 0.1 to 60");
  equal(error("ldap: {login_timeout: 61}\n"), "2: \"ldap.login_timeout\" must be seconds, 0.1 to 60");
  equal(error("ldap: {operation_timeout: x}\n"), "2: \"ldap.operation_timeout\" must be a number");
  equal(error("ldap: {logins_per_directory: 0}\n"), "2: \"ldap.logins_per_directory\" must be at least 1");
}

void test_saml(void**) {
  const auto defaults = settings_of("").saml;
  equal(defaults.acs_url_template, "https://{{STACK_URL}}/api/auth/0.1/saml/acs");
  equal(defaults.key_file, "/var/lib/wazo-auth/saml/server.key");
  assert_int_equal(defaults.session_lifetime, 604800);
  assert_int_equal(defaults.rules.clock_skew, 60);
  assert_false(defaults.rules.allow_sha1);
  assert_int_equal(defaults.redirect_urls.size(), 0);
  const auto s = settings_of(R"(
saml:
  saml_session_lifetime_seconds: 3600
  clock_skew_seconds: 0
  allow_sha1: yes
  redirect_urls: ['https://a.example/x', 'wazo://login']
  key_file: null
)")
                     .saml;
  assert_int_equal(s.session_lifetime, 3600);
  assert_int_equal(s.rules.clock_skew, 0);
  assert_true(s.rules.allow_sha1 && s.key_file.empty());
  equal(s.redirect_urls[1], "wazo://login");
  const auto error = [](const std::string& text) { return config_error([&] { settings_of(text); }); };
  equal(error("saml:\n  clock_skew_seconds: 601\n"), "3: \"saml.clock_skew_seconds\" must be at most 600");
  equal(error("saml:\n  redirect_urls: https://a\n"), "3: \"saml.redirect_urls\" must be a list");
  for (const char* bad : {"x", "'//a'", "'https://a@b'", "7"})
    check::that(error(std::string("saml:\n  redirect_urls: [") + bad + "]\n")
                    .starts_with("3: \"saml.redirect_urls\" must hold"),
                bad);
}

void test_shown_as_they_are(void**) {
  const char* const text = R"(
needs_password: true
no_token: false
enabled_backend_plugins: {verify_password: true}
idp_plugins: {x_password: {enabled: true, priority: 3}}
default_policies:
  reset_password: {acl: [a.b]}
  of_its_own: {acl: [], description: Mine}
  of_none: {acl: [], description: null}
all_users_policies: {reset_password: true}
tenant_default_groups: {some_secret: {policies: {reset_password: false}}}
app: {password: {of: {one: 1, two: x}}, api_key: 7, secret: [x]}
)";
  std::vector<std::string> warnings;  // of names that this server doesn't know
  const auto shown = shown_config(settings_of(text, warnings), false, false);
  assert_true(shown.get("needs_password").boolean() && !shown.get("no_token").boolean());
  assert_true(shown.get("enabled_backend_plugins").get("verify_password").boolean());
  equal(shown.get("idp_plugins").get("x_password").dump(), R"({"enabled": true, "priority": 3})");
  equal(shown.get("default_policies").dump(),
        R"({"reset_password": {"acl": ["a.b"], "description": "Automatically created"}, )"
        R"("of_its_own": {"acl": [], "description": "Mine"}, "of_none": {"acl": [], "description": null}})");
  equal(shown.get("all_users_policies").dump(), R"({"reset_password": true})");
  equal(shown.get("tenant_default_groups").dump(), R"({"some_secret": {"policies": {"reset_password": false}}})");
  equal(shown.get("app").dump(), R"({"password": "********", "api_key": "********", "secret": "********"})");
  const std::string unseeding = "update_policy_on_startup: false";
  const auto unseeded = shown_config(settings_of(unseeding + text, warnings), false, false);
  assert_false(unseeded.get("default_policies").get("reset_password").has("description"));
}

void test_shown(void**) {
  const auto s = settings_of(R"(
db_uri: postgresql://u:p@ss/w?x@db:5432/n?sslpassword=abc&a=b
other_uri: "host=h password = 'it\\'s secret' user=u"
amqp: {uri: 'amqp://guest:guest@localhost:5672/', password: rabbit}
bootstrap_user_password: s3cret
consul: {token: ring}
google: {client_secret: g, token_url: 'https://example.org:443/t', scope: ['https://x.example/a']}
list: ['redis://:pw@h']
)");
  const auto shown = shown_config(s, true, false);
  equal(shown.text_or("db_uri", ""), "postgresql://u:********@db:5432/n?sslpassword=********&a=b");
  equal(shown.text_or("other_uri", ""), "host=h password = ******** user=u");
  equal(shown.get("amqp").dump(),
        "{\"uri\": \"amqp://guest:********@localhost:5672/\", \"password\": \"********\", "
        "\"exchange_name\": \"xivo\", \"exchange_type\": \"topic\"}");
  equal(shown.text_or("bootstrap_user_password", ""), "********");
  equal(shown.get("consul").text_or("token", ""), "********");
  equal(shown.get("google").dump(),
        "{\"client_secret\": \"********\", \"token_url\": \"https://example.org:443/t\", "
        "\"scope\": [\"https://x.example/a\"]}");
  equal(shown.get("list").dump(), "[\"redis://:********@h\"]");
  assert_int_equal(shown.get("log_level").integer(), 20);
  assert_true(shown.get("debug").boolean() && !shown.get("profiling_enabled").boolean());
  equal(s.tree.text_or("bootstrap_user_password", ""), "s3cret");
  assert_true(shown_config(settings_of(""), false, false).get("bootstrap_user_password").is_null());
}

void test_shipped_file(void**) {
  const auto config = load_config(TEST_DATA "/../conf/config.yml");
  std::vector<std::string> warnings;
  const auto s = make_settings(config.tree, "the-uuid", warnings, config.places);
  assert_int_equal(warnings.size(), 0);
  equal(s.db_uri, "postgresql://asterisk:proformatique@localhost/asterisk?application_name=wazo-auth");
  for (const char* service : {"google", "microsoft"}) {
    for (const char* key : {"authorization_base_url", "redirect_uri", "scope", "token_url", "websocket_host"}) {
      assert_true(config.tree.get(service).has(key));
    }
  }
  // Beside those two sections, what it says is what holds anyway: but for these, it may not drift from the defaults.
  Json shipped = config.tree;
  for (const char* key : {"google", "microsoft", "db_uri", "extra_config_files", "config_file"}) shipped.erase(key);
  Json defaults = default_config();
  for (const char* key : {"db_uri", "extra_config_files", "config_file"}) defaults.erase(key);
  assert_true(shipped == defaults);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(test_scalars),
      cmocka_unit_test(test_dialect),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_lines),
      cmocka_unit_test(test_repeated_members),
      cmocka_unit_test(test_merge),
      cmocka_unit_test(test_broken_files),
      cmocka_unit_test(test_both_spellings),
      cmocka_unit_test(test_exec),
      cmocka_unit_test(test_exec_needs_a_file_of_ours),
      cmocka_unit_test(test_commands),
      cmocka_unit_test(test_default_settings),
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_syslog),
      cmocka_unit_test(test_wrong_types),
      cmocka_unit_test(test_saml),
      cmocka_unit_test(test_shown),
      cmocka_unit_test(test_shown_as_they_are),
      cmocka_unit_test(test_shipped_file),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

// What the gate makes of API documents: docs/platform.md; and why it decides as it does: docs/explain.md.
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "report.h"
#include "tool.h"
#include "wazoauth/openapi/read.h"
#include "why.h"

namespace {

using namespace wazoauth;
using openapi::Need;

constexpr const char* usage = R"(Usage: wazo-auth-gate VERB ...

What nginx makes of the API documents of daemons (wazo_auth_openapi), and why
an access is granted.

  routes FILE... [--prefix PATH] [--overlay FILE]... [--name NAME] [--json]
      Prints each operation of a document with what it needs: method, public
      path, access, and where that is written. FILE: a file of the document,
      a folder with its api.yml files, or a glob; all of them are one
      document. Warnings go to the standard error.

  report URL [--for TIME] [--document NAME]
      What wazo_auth_enforce shadow would have refused, and whether it is safe
      to enforce: nobody would have been refused for TIME (7d; 12h, 10m, 90s).
      URL: of a location with wazo_auth_shadow_report.

  check DOCUMENT METHOD PATH [--user USER | --token TOKEN] [--json]
        [--prefix PATH] [--overlay FILE]... [--name NAME] [--config FILE]
      Tells which operation of the document a request is for and which access
      it needs; and why a user or a token has that access, or what would have
      to change. USER: a UUID, a username or an address. TOKEN: "-" reads it
      from the standard input, where other users of the machine don't see it.

  who-can ACCESS [--tenant UUID] [--json] [--config FILE]
      Lists the users who have an access, and where they have it from; with
      --tenant those of that tenant and below.

  --config  the configuration (default: /etc/wazo-auth/config.yml)
  --help    this text

Examples:
  wazo-auth-gate routes /usr/lib/python3/dist-packages/wazo_calld
  wazo-auth-gate report http://127.0.0.1:9497/shadow --for 12h
  wazo-auth-gate check api.yml GET /api/confd/1.1/users --user alice
  wazo-auth-gate who-can confd.users.read

Exit status: 0, 1 when a document or a question is wrong, 2 for a wrong command
line, 3 when `check` says that it isn't allowed or `report` that it isn't safe
to enforce. See docs/platform.md and docs/explain.md.
)";

// Options may stand between words, and each may come again.
struct Arguments {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> options;  // without "--"; "" for those without a value

  std::vector<std::string> all(const std::string& name) const {
    std::vector<std::string> values;
    for (const auto& [option, value] : options) {
      if (option == name) values.push_back(value);
    }
    return values;
  }
  bool has(const std::string& name) const { return !all(name).empty(); }
  std::string one(const std::string& name) const {
    const auto values = all(name);
    if (values.size() > 1) throw tool::UsageError("--" + name + " comes once");
    return values.empty() ? "" : values[0];
  }
};

Arguments read_arguments(const std::vector<std::string>& given, const std::vector<std::string>& flags,
                         const std::vector<std::string>& valued) {
  const auto known = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  Arguments arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i].starts_with("--")) {
      arguments.words.push_back(given[i]);
      continue;
    }
    const auto equals = given[i].find('=');
    const std::string name = given[i].substr(2, equals - (equals == std::string::npos ? 0 : 2));
    if (known(flags, name) && equals == std::string::npos) {
      arguments.options.emplace_back(name, "");
    } else if (known(valued, name) && equals != std::string::npos) {
      arguments.options.emplace_back(name, given[i].substr(equals + 1));
    } else if (known(valued, name) && i + 1 < given.size()) {
      arguments.options.emplace_back(name, given[++i]);
    } else {
      throw tool::UsageError("unknown or incomplete option \"" + given[i] + "\", see --help");
    }
  }
  return arguments;
}

const std::vector<std::string> source_options = {"prefix", "overlay", "name"};

openapi::RouteTable read_table(const Arguments& arguments, const std::vector<std::string>& files) {
  openapi::Source source{files, arguments.all("overlay"), arguments.one("prefix"), arguments.one("name")};
  openapi::Reading reading = openapi::read_routes({source});
  for (const auto& finding : reading.findings) {
    const bool error = finding.severity == openapi::Finding::Severity::error;
    std::cerr << (error ? "error: " : "warning: ") << finding.str() << '\n';
  }
  if (openapi::has_errors(reading.findings)) throw std::runtime_error("there are errors, so there is no table");
  return std::move(reading.table);
}

std::vector<std::string> accesses_of(const openapi::Operation& operation) {
  std::vector<std::string> accesses;
  for (const auto& access : operation.accesses) accesses.push_back(access.text);
  return accesses;
}

// "confd.users.read", "a.read or b.read", "(open)"; "?token=" behind where the query may have the token
std::string shown_need(const openapi::Operation& operation) {
  std::string shown;
  for (const std::string& access : accesses_of(operation)) shown += (shown.empty() ? "" : " or ") + access;
  if (operation.need != Need::acl) shown = "(" + std::string(name_of(operation.need)) + ")";
  return shown + (operation.token_in_query ? " ?token=" : "");
}

std::string place_of(const openapi::Operation& operation) {
  return operation.file + (operation.line ? ":" + std::to_string(operation.line) : "") +
         (operation.corrected ? " (corrected)" : "");
}

void print_table(const openapi::RouteTable& table) {
  std::size_t path = 0, need = 0;
  for (const auto& operation : table.operations()) {
    path = std::max(path, operation.path.size());
    need = std::max(need, shown_need(operation).size());
  }
  for (const auto& operation : table.operations()) {
    std::cout << std::left << std::setw(8) << operation.method << std::setw(static_cast<int>(path) + 2)
              << operation.path << std::setw(static_cast<int>(need) + 2) << shown_need(operation) << place_of(operation)
              << '\n';
  }
}

Json as_json(const openapi::RouteTable& table) {
  Json list = Json::array();
  for (const auto& operation : table.operations()) {
    list.append(Json::object({{"document", table.documents()[operation.document].name},
                              {"method", operation.method},
                              {"path", operation.path},
                              {"need", name_of(operation.need)},
                              {"accesses", Json::strings(accesses_of(operation))},
                              {"token_in_query", operation.token_in_query},
                              {"stated_by", operation.stated_by},
                              {"corrected", operation.corrected},
                              {"file", operation.file},
                              {"line", operation.line}}));
  }
  return list;
}

int routes(const std::vector<std::string>& given) {
  const Arguments arguments = read_arguments(given, {"json"}, source_options);
  if (arguments.words.empty()) throw tool::UsageError("which document? See --help");
  const openapi::RouteTable table = read_table(arguments, arguments.words);
  if (arguments.has("json")) {
    std::cout << as_json(table).dump() << '\n';
  } else {
    print_table(table);
  }
  return 0;
}

std::string config_of(const Arguments& arguments) {
  const std::string given = arguments.one("config");
  return given.empty() ? "/etc/wazo-auth/config.yml" : given;
}

int check(const std::vector<std::string>& given) {
  std::vector<std::string> options = source_options;
  options.insert(options.end(), {"user", "token", "config"});
  const Arguments arguments = read_arguments(given, {"json"}, options);
  if (arguments.words.size() != 3) throw tool::UsageError("check wants DOCUMENT METHOD PATH, see --help");
  if (arguments.has("user") && arguments.has("token")) throw tool::UsageError("--user and --token exclude each other");
  const tool::CheckRequest request{arguments.words[1],    arguments.words[2],     config_of(arguments),
                                   arguments.one("user"), arguments.one("token"), arguments.has("json")};
  for (const char* name : {"user", "token"}) {
    if (arguments.has(name) && arguments.one(name).empty())
      throw tool::UsageError("--" + std::string(name) + " is empty");
  }
  return tool::check(read_table(arguments, {arguments.words[0]}), request);
}

int who_can(const std::vector<std::string>& given) {
  const Arguments arguments = read_arguments(given, {"json"}, {"tenant", "config"});
  if (arguments.words.size() != 1) throw tool::UsageError("who-can wants one ACCESS, see --help");
  return tool::who_can({arguments.words[0], config_of(arguments), arguments.one("tenant"), arguments.has("json")});
}

}  // namespace

int main(int argc, char** argv) {
  return tool::main("wazo-auth-gate", [&] {
    const std::vector<std::string> given(argv + 1, argv + argc);
    if (std::find(given.begin(), given.end(), "--help") != given.end()) {
      std::cout << usage;
      return 0;
    }
    if (given.empty()) throw tool::UsageError("which verb? See --help");
    if (given[0] == "routes") return routes({given.begin() + 1, given.end()});
    if (given[0] == "report") return tool::report::main({given.begin() + 1, given.end()});
    if (given[0] == "check") return check({given.begin() + 1, given.end()});
    if (given[0] == "who-can") return who_can({given.begin() + 1, given.end()});
    throw tool::UsageError("unknown verb \"" + given[0] + "\", see --help");
  });
}

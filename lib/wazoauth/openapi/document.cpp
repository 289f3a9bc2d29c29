#include "wazoauth/openapi/document.h"

#include <algorithm>
#include <array>
#include <utility>

#include "wazoauth/base/ascii.h"
#include "wazoauth/config/source.h"
#include "wazoauth/config/yaml.h"

namespace wazoauth::openapi {

namespace {

constexpr std::array<std::string_view, 8> methods = {"delete", "get",  "head", "options",
                                                     "patch",  "post", "put",  "trace"};

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
  return result;
}

// JSON is YAML but for a few escapes and tabs, and YAML knows the lines.
YamlDocument parse(const std::string& text, const std::string& file) {
  try {
    return parse_yaml(text, file);
  } catch (const ConfigError&) {
    if (!ascii::trimmed(text, " \t\r\n").starts_with('{')) throw;
    auto json = Json::parse(text);
    if (!json) throw;
    return {std::move(*json), {}, {}};
  }
}

// "https://{host}:{port}/api/v1" → "/api/v1", with the defaults of variables.
std::string path_of(const Json& server) {
  std::string url = server.text_or("url", "");
  for (const auto& [name, variable] : server.get("variables").members()) {
    const std::string word = "{" + name + "}";
    const std::string value = variable.text_or("default", "");
    for (std::size_t at = 0; (at = url.find(word, at)) != std::string::npos; at += value.size())
      url.replace(at, word.size(), value);
  }
  const auto authority = url.find("//");
  if (authority != std::string::npos) {
    const auto slash = url.find('/', authority + 2);
    url = slash == std::string::npos ? "" : url.substr(slash);
  }
  return url.substr(0, url.find_first_of("?#"));
}

std::string last_word(std::string_view reference) {
  return std::string(reference.substr(reference.rfind('/') + 1));
}

class FileReader {
 public:
  FileReader(const std::string& text, const std::string& file, Role role, std::vector<Finding>& findings)
      : text_(text), file_(file), role_(role), findings_(findings) {}

  FileContents read() {
    try {
      document_ = parse(text_, file_);
    } catch (const ConfigError& broken) {
      error(broken.line, broken.what());
      return {};
    }
    const Json& root = document_.value;
    if (!root.is_object()) return error(1, "an API document must hold a mapping"), FileContents();
    if (root.has("asyncapi")) return {};  // of events
    contents_.title = root.get("info").text_or("title", "");
    read_bases(root);
    for (const Json* shared : {&root.get("parameters"), &root.get("components").get("parameters")})
      for (const auto& [name, parameter] : shared->members()) read_shared_parameter(name, parameter);
    const Json& paths = root.get("paths");
    if (root.has("paths") && !paths.is_object() && !paths.is_null())
      error(line_of("paths"), "\"paths\" must be a mapping");
    if (!root.has("paths") && role_ == Role::overlay) error(1, "an overlay has a member \"paths\"");
    for (const auto& [path, item] : paths.members()) read_path(path, item);
    return std::move(contents_);
  }

 private:
  void report(Finding::Severity severity, int line, std::string what) {
    findings_.push_back({severity, file_, line, std::move(what)});
  }
  void error(int line, std::string what) { report(Finding::Severity::error, line, std::move(what)); }
  void warn(int line, std::string what) { report(Finding::Severity::warning, line, std::move(what)); }

  int line_of(const std::string& member) const {
    const auto found = document_.lines.find(member);
    return found == document_.lines.end() ? 0 : found->second;
  }

  void read_bases(const Json& root) {
    const Json& base = root.get("basePath");
    if (base.is_string()) {
      contents_.bases = {std::string(base.text())};
    } else if (!base.is_null()) {
      error(line_of("basePath"), "\"basePath\" must be a text");
    }
    if (!root.get("servers").is_array()) return;
    std::vector<std::string> bases;
    for (const Json& server : root.get("servers").items()) bases.push_back(path_of(server));
    if (!bases.empty() && !contents_.bases) contents_.bases = std::move(bases);
  }

  void read_shared_parameter(const std::string& name, const Json& parameter) {
    if (const auto read = path_parameter(parameter)) contents_.parameters.emplace(name, *read);
  }

  static std::optional<PathParameter> path_parameter(const Json& parameter) {
    if (parameter.text_or("in", "") != "path") return std::nullopt;
    const std::string type = parameter.text_or("type", parameter.get("schema").text_or("type", ""));
    return PathParameter{parameter.text_or("name", ""), type == "integer"};
  }

  static void add_parameters(const Json& list, Draft& draft) {
    for (const Json& parameter : list.items()) {
      if (parameter.get("$ref").is_string()) draft.references.push_back(last_word(parameter.get("$ref").text()));
      if (const auto read = path_parameter(parameter)) draft.parameters.push_back(*read);
    }
  }

  void read_path(const std::string& path, const Json& item) {
    const std::string member = "paths." + path;
    if (path.starts_with("x-")) return;
    check_not_repeated(member, path);
    if (!item.is_object()) {
      if (!item.is_null()) error(line_of(member), path + ": must be a mapping of methods");
      return;
    }
    for (const auto& [key, value] : item.members()) {
      if (std::find(methods.begin(), methods.end(), key) != methods.end()) {
        read_operation(path, key, value, item);
      } else if (key == "$ref") {
        warn(line_of(member + "." + key), path + ": a path that is elsewhere ($ref) isn't read");
      } else if (key == "servers") {
        warn(line_of(member + "." + key), path + ": servers of its own aren't read");
      } else if (role_ == Role::overlay && key != "parameters") {
        error(line_of(member + "." + key), path + ": \"" + key + "\" is no method");
      }
    }
  }

  void check_not_repeated(const std::string& member, const std::string& what) {
    const auto found = document_.repeated.find(member);
    if (found != document_.repeated.end()) error(found->second, what + ": it is in this file twice");
  }

  void read_operation(const std::string& path, const std::string& method, const Json& value, const Json& item) {
    const std::string member = "paths." + path + "." + method;
    Draft draft;
    draft.method = upper(method);
    draft.path = path;
    draft.file = file_;
    draft.line = line_of(member);
    const std::string what = draft.method + " " + path;
    check_not_repeated(member, what);
    if (!value.is_object() && !value.is_null()) return error(draft.line, what + ": must be a mapping");
    if (role_ == Role::overlay) check_keys(member, value, what);
    read_statement(member, value, what, draft);
    read_keys(member, value, what, draft);
    add_parameters(item.get("parameters"), draft);
    add_parameters(value.get("parameters"), draft);
    contents_.operations.push_back(std::move(draft));
  }

  // A correction with a slip in it would correct nothing.
  void check_keys(const std::string& member, const Json& value, const std::string& what) {
    constexpr std::array<std::string_view, 7> known = {"x-required-acl", "x-token-in", "x-spans-slashes", "x-remove",
                                                       "description",    "summary",    "parameters"};
    for (const auto& [key, ignored] : value.members()) {
      if (std::find(known.begin(), known.end(), key) == known.end())
        error(line_of(member + "." + key), what + ": \"" + key + "\" means nothing in an overlay");
    }
  }

  void read_statement(const std::string& member, const Json& value, const std::string& what, Draft& draft) {
    if (value.has("x-required-acl")) {
      draft.statement = stated_by_key(value.get("x-required-acl"));
      draft.stated_by = "x-required-acl";
      if (draft.statement->need == Need::closed)
        error(line_of(member + ".x-required-acl"), what + ": " + draft.statement->trouble);
      return;
    }
    const Json& security = value.get("security");
    if ((draft.statement = stated_in_text(value.text_or("description", "")))) {
      draft.stated_by = "description";
    } else if (security.is_array() && (security.size() == 0 || has_empty(security))) {
      draft.statement = Statement{Need::open, {}, ""};
      draft.stated_by = "security";
    }
  }

  static bool has_empty(const Json& security) {
    return std::any_of(security.items().begin(), security.items().end(),
                       [](const Json& item) { return item.is_object() && item.size() == 0; });
  }

  void read_keys(const std::string& member, const Json& value, const std::string& what, Draft& draft) {
    if (value.has("x-token-in")) {
      const std::string place = value.text_or("x-token-in", "");
      if (place != "header" && place != "query")
        error(line_of(member + ".x-token-in"), what + ": x-token-in must be \"header\" or \"query\"");
      draft.token_in_query = place == "query";
    }
    if (value.has("x-spans-slashes")) {
      const Json& names = value.get("x-spans-slashes");
      bool texts = names.is_array();
      draft.spans.emplace();
      for (const Json& name : names.items()) {
        texts = texts && name.is_string();
        if (name.is_string()) draft.spans->emplace_back(name.text());
      }
      if (!texts) error(line_of(member + ".x-spans-slashes"), what + ": x-spans-slashes must be a list of parameters");
    }
    if (value.has("x-remove")) {
      const Json& remove = value.get("x-remove");
      if (!remove.is_boolean()) return error(line_of(member + ".x-remove"), what + ": x-remove must be true or false");
      draft.remove = remove.boolean();
    }
  }

  const std::string& text_;
  const std::string& file_;
  const Role role_;
  std::vector<Finding>& findings_;
  YamlDocument document_;
  FileContents contents_;
};

}  // namespace

FileContents read_contents(const std::string& text, const std::string& file, Role role,
                           std::vector<Finding>& findings) {
  return FileReader(text, file, role, findings).read();
}

}  // namespace wazoauth::openapi

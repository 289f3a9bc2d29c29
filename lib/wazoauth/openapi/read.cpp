#include "wazoauth/openapi/read.h"

#include <algorithm>
#include <exception>
#include <map>
#include <set>
#include <utility>

#include "wazoauth/config/text_file.h"
#include "wazoauth/openapi/document.h"
#include "wazoauth/openapi/files.h"
#include "wazoauth/openapi/template.h"

namespace wazoauth::openapi {

namespace {

constexpr std::size_t max_mebibytes = 16;

std::string what_of(const Draft& draft) {
  return draft.method + " " + draft.path;
}

// "", or from '/' and without one at the end.
std::string trimmed_root(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path;
}

// "/usr/…/wazo_calld/plugins/api/api.yml:12"
std::string place_of(const std::string& file, int line) {
  return file + (line > 0 ? ":" + std::to_string(line) : "");
}

struct Merged {
  Draft draft;
  bool corrected = false;
  std::optional<Draft> contrary;  // another file says something else about it
};

bool same_demand(const Draft& a, const Draft& b) {
  return a.statement == b.statement && a.token_in_query == b.token_in_query && a.path == b.path;
}

// The files of one source, merged as its daemon does: what is there already stays.
class SourceReader {
 public:
  SourceReader(const Source& source, std::vector<Finding>& findings) : source_(source), findings_(findings) {}

  void read() {
    for (const std::string& name : source_.files) {
      const auto files = files_of(name);
      if (files.empty()) report(severity_of_absence(), name, 0, "there is no such file");
      for (const std::string& file : files) read_file(file);
    }
    if (source_.files.empty()) report(Finding::Severity::error, name(), 0, "no file is named");
    if (seen_.empty()) return;
    for (const std::string& name : source_.overlays) {
      const auto files = files_of(name);
      if (files.empty()) report(Finding::Severity::error, name, 0, "there is no such file");
      for (const std::string& file : files) read_overlay(file);
    }
    if (operations_.empty() && !has_errors(findings_))
      report(Finding::Severity::error, first_file_, 0, "it has no paths");
  }

  void build(RouteTable& table) {
    const auto bases = roots();
    const std::size_t document = table.add(Document{name(), bases});
    for (const std::string& root : bases) {
      for (const auto& [key, merged] : operations_) build(table, document, root, merged);
    }
  }

 private:
  using Key = std::pair<std::string, std::string>;  // shape and method

  void report(Finding::Severity severity, const std::string& file, int line, std::string what) {
    findings_.push_back({severity, file, line, std::move(what)});
  }
  void error(const Draft& draft, const std::string& what) {
    report(Finding::Severity::error, draft.file, draft.line, what_of(draft) + ": " + what);
  }
  void warn(const Draft& draft, const std::string& what) {
    report(Finding::Severity::warning, draft.file, draft.line, what_of(draft) + ": " + what);
  }
  Finding::Severity severity_of_absence() const {
    return source_.optional ? Finding::Severity::warning : Finding::Severity::error;
  }

  std::optional<FileContents> contents_of(const std::string& file, Role role) {
    try {
      return read_contents(read_text_file(file, max_mebibytes), file, role, findings_);
    } catch (const FileError& failure) {  // its text begins with the file
      report(Finding::Severity::error, file, 0, std::string(failure.what()).substr(file.size() + 2));
      return std::nullopt;
    }
  }

  void read_file(const std::string& file) {
    if (!seen_.insert(file).second) return;
    if (first_file_.empty()) first_file_ = file;
    auto contents = contents_of(file, Role::document);
    if (!contents) return;
    if (title_.empty()) title_ = contents->title;
    if (!bases_) bases_ = contents->bases;
    parameters_.merge(contents->parameters);
    for (Draft& draft : contents->operations) add(std::move(draft));
  }

  std::optional<Key> key_of(const Draft& draft) {
    try {
      return Key{shape_of(parse_path(draft.path)), draft.method};
    } catch (const BadTemplate& bad) {
      error(draft, bad.what());
      return std::nullopt;
    }
  }

  void add(Draft draft) {
    const auto key = key_of(draft);
    if (!key) return;
    const auto found = operations_.find(*key);
    if (found == operations_.end()) {
      operations_.emplace(*key, Merged{std::move(draft), false, std::nullopt});
    } else if (!same_demand(found->second.draft, draft)) {
      found->second.contrary = std::move(draft);
    }
  }

  void read_overlay(const std::string& file) {
    const auto contents = contents_of(file, Role::overlay);
    if (!contents) return;
    for (const Draft& correction : contents->operations) correct(correction);
  }

  void correct(const Draft& correction) {
    const auto key = key_of(correction);
    if (!key) return;
    const auto found = operations_.find(*key);
    if (found == operations_.end()) {
      if (correction.remove || !correction.statement) {
        return warn(correction, "the document has no such operation, and the overlay doesn't say what it needs");
      }
      operations_.emplace(*key, Merged{correction, true, std::nullopt});
    } else if (correction.remove) {
      operations_.erase(found);
    } else {
      apply(correction, found->second);
    }
  }

  void apply(const Draft& correction, Merged& merged) {
    Draft& draft = merged.draft;
    merged.corrected = true;
    rename(draft, correction.path);
    if (correction.statement) {
      draft.statement = correction.statement;
      draft.stated_by = correction.stated_by;
      draft.file = correction.file;
      draft.line = correction.line;
      merged.contrary.reset();
    }
    if (correction.token_in_query) draft.token_in_query = correction.token_in_query;
    if (correction.spans) draft.spans = correction.spans;
    draft.parameters.insert(draft.parameters.end(), correction.parameters.begin(), correction.parameters.end());
  }

  // Another spelling of its path: what is known of the parameters stays.
  void rename(Draft& draft, const std::string& path) const {
    const auto before = parameters_in(draft.path), after = parameters_in(path);
    std::vector<PathParameter> parameters;
    for (std::size_t i = 0; i < after.size(); ++i) parameters.push_back({after[i], is_integer(draft, before[i])});
    std::vector<std::string> spans = draft.spans.value_or(std::vector<std::string>());
    for (std::string& name : spans) {
      const auto found = std::find(before.begin(), before.end(), name);
      if (found != before.end()) name = after[static_cast<std::size_t>(found - before.begin())];
    }
    if (draft.spans) draft.spans = std::move(spans);
    draft.path = path;
    draft.parameters = std::move(parameters);
    draft.references.clear();
  }

  static std::vector<std::string> parameters_in(const std::string& path) {
    std::vector<std::string> names;
    for (const Segment& segment : parse_path(path)) {
      if (!segment.is_fixed()) names.push_back(segment.parameter);
    }
    return names;
  }

  std::string name() const {
    if (!source_.name.empty()) return source_.name;
    if (title_.starts_with("wazo-")) return title_.substr(5);
    if (!title_.empty()) return title_;
    const std::string prefix = trimmed_root(source_.prefix);
    return prefix.empty() ? first_file_ : prefix.substr(prefix.rfind('/') + 1);
  }

  // Prefix and base, each once. A base that lies below the prefix already, as provd's does, isn't prefixed.
  std::vector<std::string> roots() {
    const std::string prefix = trimmed_root(source_.prefix);
    std::vector<std::string> roots;
    for (const std::string& written : bases_.value_or(std::vector<std::string>{""})) {
      const std::string base = trimmed_root(written);
      const bool below = !prefix.empty() && (base == prefix || base.starts_with(prefix + "/"));
      const std::string root = below ? base : prefix + base;
      if (!root.empty() && root.front() != '/') {
        report(Finding::Severity::error, first_file_, 0, "prefix and base begin with '/', not \"" + root + "\"");
      } else if (root.find('{') != std::string::npos) {
        report(Finding::Severity::error, first_file_, 0, "a base has no parameters: \"" + root + "\"");
      } else if (std::find(roots.begin(), roots.end(), root) == roots.end()) {
        roots.push_back(root);
      }
    }
    return roots;
  }

  bool is_integer(const Draft& draft, const std::string& name) const {
    bool integer = false;
    for (const std::string& reference : draft.references) {
      const auto found = parameters_.find(reference);
      if (found != parameters_.end() && found->second.name == name) integer = found->second.integer;
    }
    for (const PathParameter& parameter : draft.parameters) {
      if (parameter.name == name) integer = parameter.integer;
    }
    return integer;
  }

  // Marks the parameters of the path that may hold slashes, and takes all of them.
  std::vector<Parameter> take_parameters(const Draft& draft, std::vector<Segment>& path) {
    std::vector<Parameter> parameters;
    std::vector<std::string> spans = draft.spans.value_or(std::vector<std::string>());
    const std::size_t wanted = spans.size();
    std::size_t found = 0;
    for (Segment& segment : path) {
      if (segment.is_fixed()) continue;
      segment.spans = std::find(spans.begin(), spans.end(), segment.parameter) != spans.end();
      if (segment.spans && !(segment.prefix.empty() && segment.suffix.empty()))
        error(draft, "a parameter that may hold slashes has no text beside it");
      found += segment.spans ? 1 : 0;
      parameters.push_back({segment.parameter, is_integer(draft, segment.parameter), segment.spans});
    }
    if (found != wanted) error(draft, "x-spans-slashes names a parameter that the path doesn't have");
    if (found > 1) error(draft, "one parameter of a path may hold slashes");
    return parameters;
  }

  void state(const Draft& draft, bool first_root, Operation& operation) {
    const auto tell = [&](const std::string& what) {
      if (first_root) warn(draft, what);
    };
    if (!draft.statement) return tell("the document doesn't say what it needs: any valid token passes");
    operation.need = draft.statement->need;
    operation.stated_by = draft.stated_by;
    if (operation.need == Need::closed) tell(draft.statement->trouble + ": nobody passes");
    for (const std::string& access : draft.statement->accesses) {
      std::vector<std::string> unknown;
      AccessTemplate parsed = parse_access(access, operation.parameters, unknown);
      for (const std::string& name : unknown)
        tell("the access \"" + access + "\" has a parameter {" + name + "} that the path doesn't have: nobody passes");
      if (unknown.empty()) operation.accesses.push_back(std::move(parsed));
    }
    if (operation.need == Need::acl && operation.accesses.empty()) operation.need = Need::closed;
  }

  void build(RouteTable& table, std::size_t document, const std::string& root, const Merged& merged) {
    const Draft& draft = merged.draft;
    if (merged.contrary) {
      error(draft, "another access is required for it in " + place_of(merged.contrary->file, merged.contrary->line));
      return;
    }
    Operation operation;
    operation.document = document;
    operation.method = draft.method;
    operation.path = root + draft.path;
    operation.token_in_query = draft.token_in_query.value_or(false);
    operation.file = draft.file;
    operation.line = draft.line;
    operation.corrected = merged.corrected;
    try {
      std::vector<Segment> path = parse_path(operation.path);
      operation.parameters = take_parameters(draft, path);
      state(draft, told_.insert(&merged).second, operation);
      if (const Operation* other = table.add(std::move(operation), path))
        error(draft, "another document has it, too: " + place_of(other->file, other->line));
    } catch (const BadTemplate& bad) {
      error(draft, bad.what());
    }
  }

  const Source& source_;
  std::vector<Finding>& findings_;
  std::set<std::string> seen_;
  std::string first_file_, title_;
  std::optional<std::vector<std::string>> bases_;
  std::map<std::string, PathParameter> parameters_;
  std::map<Key, Merged> operations_;
  std::set<const Merged*> told_;
};

Reading read(const std::vector<Source>& sources) {
  Reading reading;
  for (const Source& source : sources) {
    SourceReader reader(source, reading.findings);
    reader.read();
    reader.build(reading.table);
  }
  if (has_errors(reading.findings)) reading.table = RouteTable();
  return reading;
}

}  // namespace

Reading read_routes(const std::vector<Source>& sources) {
  try {
    return read(sources);
  } catch (const std::exception& failure) {
    Reading reading;
    reading.findings.push_back({Finding::Severity::error, "API documents", 0, failure.what()});
    return reading;
  }
}

}  // namespace wazoauth::openapi

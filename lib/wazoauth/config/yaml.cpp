#include "wazoauth/config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "wazoauth/base/text.h"
#include "wazoauth/config/source.h"
#include "wazoauth/config/yaml_scalar.h"

namespace wazoauth {
namespace {

constexpr int max_depth = 100;
constexpr int max_nodes = 200000;  // aliases counted as often as they are used
constexpr std::string_view standard_tag = "tag:yaml.org,2002:";

using Pairs = std::vector<std::pair<YAML::Node, YAML::Node>>;

class Reader {
 public:
  Reader(const std::string& file, const RunCommand& run, YamlDocument& document)
      : file_(file), run_(run), document_(document) {}

  Json convert(const YAML::Node& node, const std::string& path, int depth) {
    count(node, depth);
    std::string tag = node.Tag();
    if (tag == "!exec") return output_of(node);
    if (tag.starts_with(standard_tag)) tag.erase(0, standard_tag.size());
    switch (node.Type()) {
      case YAML::NodeType::Map:
        check_tag(node, tag, "map");
        return mapping(node, path, depth);
      case YAML::NodeType::Sequence:
        check_tag(node, tag, "seq");
        return sequence(node, path, depth);
      case YAML::NodeType::Scalar:
        return scalar(node, tag);
      default:
        return Json();
    }
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    throw ConfigError(what, file_, node.Mark().line + 1);
  }

  void count(const YAML::Node& node, int depth) {
    if (depth > max_depth) fail(node, "nested too deep");
    if (++nodes_ > max_nodes) fail(node, "too many values");
  }

  void check_tag(const YAML::Node& node, const std::string& tag, std::string_view expected) const {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != expected) fail(node, "unknown tag \"" + tag + "\"");
  }

  Json sequence(const YAML::Node& node, const std::string& path, int depth) {
    Json::Items items;
    for (const auto& item : node) items.push_back(convert(item, path, depth + 1));
    return Json(std::move(items));
  }

  Json mapping(const YAML::Node& node, const std::string& path, int depth) {
    Pairs pairs;
    const std::size_t first_own = flatten(node, pairs, depth);
    Json::Members members;
    std::set<std::string> own;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto& [key_node, value_node] = pairs[i];
      const std::string key = key_of(key_node, depth);
      const std::string member = path.empty() ? key : path + "." + key;
      const int line = key_node.Mark().line + 1;
      document_.lines[member] = line;
      if (i >= first_own && !own.insert(key).second) document_.repeated[member] = line;
      members.emplace_back(key, convert(value_node, member, depth + 1));
    }
    return Json(std::move(members));
  }

  // The members of a mapping, weakest first: what its merge keys bring, of several merged mappings the last one first,
  // then its own. Returns where its own begin.
  std::size_t flatten(const YAML::Node& node, Pairs& pairs, int depth) {
    count(node, depth);
    Pairs own;
    for (const auto& pair : node) {
      if (pair.first.IsScalar() && pair.first.Tag() == "?" && pair.first.Scalar() == "<<") {
        merge(pair.second, pairs, depth + 1);
      } else {
        own.emplace_back(pair.first, pair.second);
      }
    }
    const std::size_t first_own = pairs.size();
    pairs.insert(pairs.end(), own.begin(), own.end());
    return first_own;
  }

  void merge(const YAML::Node& value, Pairs& pairs, int depth) {
    if (value.IsMap()) return (void)flatten(value, pairs, depth);
    if (!value.IsSequence()) fail(value, "a merge key needs a mapping or a list of mappings");
    for (std::size_t i = value.size(); i-- > 0;) {
      if (!value[i].IsMap()) fail(value[i], "a merge key needs a mapping or a list of mappings");
      flatten(value[i], pairs, depth);
    }
  }

  std::string key_of(const YAML::Node& node, int depth) {
    if (node.IsMap() || node.IsSequence()) fail(node, "a mapping or list can't be a key");
    const Json key = convert(node, "", depth + 1);
    return key.is_string() ? std::string(key.text()) : key.dump();
  }

  Json scalar(const YAML::Node& node, const std::string& tag) const {
    const std::string& text = node.Scalar();
    if (tag == "!" || tag == "str") return Json(text);
    const Json value = resolve_yaml_scalar(text);
    const bool fits = tag.empty() || tag == "?" || (tag == "null" && value.is_null()) ||
                      (tag == "bool" && value.is_boolean()) || (tag == "int" && value.is_integer()) ||
                      (tag == "float" && value.is_number());
    if (!fits) fail(node, "\"" + text + "\" doesn't fit its tag \"" + tag + "\", or the tag is unknown");
    return tag == "float" ? Json(value.number()) : value;
  }

  Json output_of(const YAML::Node& node) const {
    if (!node.IsMap()) fail(node, "!exec needs a mapping");
    YAML::Node command;
    for (const auto& pair : node) {
      if (pair.first.IsScalar() && pair.first.Scalar() == "command") command.reset(pair.second);
    }
    if (command.IsNull()) return Json();
    if (!command.IsScalar()) fail(node, "the command of !exec must be a text");
    const int line = node.Mark().line + 1;
    if (!run_) fail(node, "!exec is not allowed here");
    const std::string output = run_(command.Scalar(), line);
    try {
      return parse_yaml(output, file_).value;
    } catch (const ConfigError& error) {
      throw ConfigError(std::string("output of !exec: ") + error.what(), file_, line);
    }
  }

  const std::string& file_;
  const RunCommand& run_;
  YamlDocument& document_;
  int nodes_ = 0;
};

// yaml-cpp replaces what isn't text silently, and takes some control characters for the end.
void check_characters(const std::string& text, const std::string& file) {
  int line = 1;
  for (std::size_t start = 0; start < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const auto part = std::string_view(text).substr(start, end - start);
    const bool control = std::any_of(part.begin(), part.end(),
                                     [](unsigned char c) { return (c < 0x20 && c != '\t' && c != '\r') || c == 0x7f; });
    if (control) throw ConfigError("control character", file, line);
    if (!is_utf8(part)) throw ConfigError("not UTF-8", file, line);
    start = end + 1;
  }
}

// Remembers where a document starts.
class StartOfDocument : public YAML::EventHandler {
 public:
  int line = 0;
  void OnDocumentStart(const YAML::Mark& mark) override { line = mark.line + 1; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// YAML::LoadAll would tell as well, but stray characters between documents let it run for ever.
void check_single(const std::string& text, const std::string& file) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  StartOfDocument start;
  parser.HandleNextDocument(start);
  if (!parser) return;
  parser.HandleNextDocument(start);
  throw ConfigError("what begins here belongs to no value, or is a second document", file, start.line);
}

}  // namespace

YamlDocument parse_yaml(const std::string& text, const std::string& file, const RunCommand& run) {
  check_characters(text, file);
  YamlDocument document;
  try {
    // At the end of a text yaml-cpp closes open quotes silently, but not at a marker of the document's end.
    const std::string ended = text + (text.ends_with('\n') ? "...\n" : "\n...\n");
    check_single(ended, file);
    document.value = Reader(file, run, document).convert(YAML::Load(ended), "", 0);
  } catch (const YAML::Exception& error) {
    const bool open_quote = error.msg == YAML::ErrorMsg::DOC_IN_SCALAR;
    throw ConfigError(open_quote ? "a quotation mark is not closed" : error.msg, file, error.mark.line + 1);
  }
  return document;
}

}  // namespace wazoauth

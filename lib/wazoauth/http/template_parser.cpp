#include "wazoauth/http/template_parser.h"

#include <algorithm>
#include <cctype>

#include "wazoauth/http/template_filters.h"

namespace wazoauth::templates {
namespace {

constexpr std::size_t most_nested = 50;

struct Word {
  enum Kind { name, text, number, sign, end } kind = end;
  std::string text_of;
};

bool is_name_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 128 && (std::isalnum(byte) || c == '_');
}

Expression make(Op op, std::vector<Expression> operands, std::string word = {}) {
  Expression expression;
  expression.op = op;
  expression.word = std::move(word);
  expression.operands = std::move(operands);
  return expression;
}

Expression constant(Value value) {
  Expression expression;
  expression.value = std::move(value);
  return expression;
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& name) : name_(name) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r') {
        text_ += '\n';
        if (i + 1 < text.size() && text[i + 1] == '\n') ++i;
      } else {
        text_ += text[i];
      }
    }
    if (text_.ends_with('\n')) text_.pop_back();
  }

  Nodes parse() {
    Nodes nodes = block();
    if (!keyword_.empty()) fail("\"" + keyword_ + "\" without an \"if\"");
    return nodes;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const auto line =
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
    throw TemplateError(name_ + ":" + std::to_string(line + 1) + ": " + what);
  }

  // Up to the end, or to a tag that ends or continues an `if`: its name is in keyword_ then, its inside comes next.
  Nodes block() {
    const Nesting nesting(*this);
    Nodes nodes;
    keyword_.clear();
    while (at_ < text_.size()) {
      literal(nodes);
      if (at_ >= text_.size()) break;
      const char kind = text_[at_ + 1];
      if (kind == '#') {
        comment();
        continue;
      }
      open_tag();
      if (kind == '{') {
        Node node;
        node.output = expression();
        close_tag("}}");
        nodes.push_back(std::move(node));
        continue;
      }
      keyword_ = tag_name();
      if (keyword_ == "elif" || keyword_ == "else" || keyword_ == "endif") return nodes;
      if (keyword_ != "if") fail("tag \"" + keyword_ + "\" is not supported");
      nodes.push_back(branches());
      keyword_.clear();
    }
    return nodes;
  }

  Node branches() {
    Node node;
    bool has_else = false;
    while (keyword_ != "endif") {
      if (has_else) fail("\"" + keyword_ + "\" after \"else\"");
      Branch branch;
      has_else = keyword_ == "else";
      branch.condition = has_else ? constant(Value::of(true)) : expression();
      close_tag("%}");
      branch.body = block();
      if (keyword_.empty()) fail("an \"if\" has no \"endif\"");
      node.branches.push_back(std::move(branch));
    }
    close_tag("%}");
    return node;
  }

  // The text before the next tag. A '-' at the tag's begin takes the blanks before it away.
  void literal(Nodes& nodes) {
    std::size_t end = at_;
    do {
      end = text_.find('{', end);
      if (end == std::string::npos || end + 1 >= text_.size()) end = text_.size();
    } while (end < text_.size() && !is_tag(text_[end + 1]) && ++end);
    std::string text = text_.substr(at_, end - at_);
    if (end + 2 < text_.size() && text_[end + 2] == '-') {
      while (!text.empty() && is_blank(text.back())) text.pop_back();
    }
    at_ = end;
    if (text.empty()) return;
    Node node;
    node.text = std::move(text);
    nodes.push_back(std::move(node));
  }

  static bool is_tag(char c) { return c == '{' || c == '%' || c == '#'; }

  void comment() {
    const std::size_t end = text_.find("#}", at_ + 2);
    if (end == std::string::npos) fail("a comment has no end");
    const bool trims = end > at_ + 2 && text_[end - 1] == '-';
    at_ = end + 2;
    if (trims) skip_blanks();
  }

  void open_tag() {
    at_ += 2;
    if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
    next();
  }

  void close_tag(std::string_view end) {
    const bool trims = word_.kind == Word::sign && word_.text_of == "-";
    if (trims) next();
    if (word_.kind != Word::sign || word_.text_of != end) fail("\"" + shown() + "\" is not supported here");
    if (trims) skip_blanks();
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  std::string tag_name() {
    if (word_.kind != Word::name) fail("a tag without a name");
    std::string name = word_.text_of;
    next();
    return name;
  }

  // -- words of a tag

  void next() {
    skip_blanks();
    if (at_ >= text_.size()) fail("a tag has no end");
    const char c = text_[at_];
    if (c == '\'' || c == '"') return quoted(c);
    if (is_name_character(c)) {
      const std::size_t start = at_;
      while (at_ < text_.size() && is_name_character(text_[at_])) ++at_;
      word_ = {std::isdigit(static_cast<unsigned char>(c)) ? Word::number : Word::name,
               text_.substr(start, at_ - start)};
      return;
    }
    const std::string two = text_.substr(at_, 2);
    const bool is_pair = two == "}}" || two == "%}" || two == "==" || two == "!=";
    word_ = {Word::sign, is_pair ? two : std::string(1, c)};
    at_ += word_.text_of.size();
  }

  void quoted(char quote) {
    std::string text;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\') {
        if (++at_ >= text_.size()) break;
        if (text_[at_] == 'n') {
          text += '\n';
          continue;
        }
        if (text_[at_] != '\\' && text_[at_] != '\'' && text_[at_] != '"')
          fail("this escape in a text is not supported");
      }
      text += text_[at_];
    }
    if (at_ >= text_.size()) fail("a text has no end");
    ++at_;
    word_ = {Word::text, std::move(text)};
  }

  std::string shown() const { return word_.text_of.substr(0, 40); }

  bool is_sign(std::string_view sign) const { return word_.kind == Word::sign && word_.text_of == sign; }

  bool take_name(std::string_view name) {
    if (word_.kind != Word::name || word_.text_of != name) return false;
    next();
    return true;
  }

  // -- expressions

  Expression expression() {
    const Nesting nesting(*this);
    const std::size_t outer = std::exchange(chain_, 0);
    Expression left = conjunction();
    while (take_name("or")) left = deeper(Op::either, std::move(left), conjunction());
    depth_ -= std::exchange(chain_, outer);
    return left;
  }

  Expression conjunction() {
    Expression left = negation();
    while (take_name("and")) left = deeper(Op::both, std::move(left), negation());
    return left;
  }

  // A long chain is a deep tree, too.
  Expression deeper(Op op, Expression left, Expression right) {
    if (++depth_ > most_nested) fail("nested too deep");
    ++chain_;
    return make(op, {std::move(left), std::move(right)});
  }

  Expression negation() {
    if (!take_name("not")) return comparison();
    const Nesting nesting(*this);
    return make(Op::negate, {negation()});
  }

  Expression comparison() {
    Expression left = with_filters();
    if (is_sign("==") || is_sign("!=")) {
      const Op op = is_sign("==") ? Op::equal : Op::unequal;
      next();
      return make(op, {std::move(left), with_filters()});
    }
    if (!take_name("is")) return left;
    const bool negated = take_name("not");
    const std::string test = word_.kind == Word::name ? word_.text_of : "";
    Expression tested = make(test == "none" || test == "None" ? Op::is_none : Op::defined, {std::move(left)});
    if (test != "none" && test != "None" && test != "defined" && test != "undefined")
      fail("the test \"" + shown() + "\" is not supported");
    next();
    return negated != (test == "undefined") ? make(Op::negate, {std::move(tested)}) : tested;
  }

  Expression with_filters() {
    Expression value = primary();
    for (std::size_t count = 0; is_sign("|"); ++count) {
      if (count == most_nested) fail("too many filters");
      next();
      std::string name = word_.kind == Word::name ? word_.text_of : "";
      if (name == "d") name = "default";
      if (name != "default" && !find_filter(name)) fail("the filter \"" + shown() + "\" is not supported");
      next();
      std::vector<Expression> operands;
      operands.push_back(std::move(value));
      if (is_sign("(")) {
        next();
        if (name == "default" && !is_sign(")")) operands.push_back(expression());
        expect(")");
      }
      value = make(Op::filter, std::move(operands), name);
    }
    return value;
  }

  void expect(std::string_view sign) {
    if (!is_sign(sign)) fail("\"" + shown() + "\" is not supported here");
    next();
  }

  Expression primary() {
    const Word word = word_;
    if (word.kind == Word::text || word.kind == Word::number) {
      next();
      return constant(Value::of(word.text_of));
    }
    if (is_sign("(")) {
      next();
      Expression inner = expression();
      expect(")");
      return inner;
    }
    if (word.kind != Word::name) fail("\"" + shown() + "\" is not supported here");
    next();
    if (word.text_of == "none" || word.text_of == "None") return constant({Value::none, {}, false});
    if (word.text_of == "true" || word.text_of == "True") return constant(Value::of(true));
    if (word.text_of == "false" || word.text_of == "False") return constant(Value::of(false));
    return make(Op::name, {}, word.text_of);
  }

  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > most_nested) parser_.fail("nested too deep");
    }
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  const std::string& name_;
  std::string text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t chain_ = 0;
  Word word_;
  std::string keyword_;
};

}  // namespace

Nodes parse(std::string_view text, const std::string& name) {
  return Parser(text, name).parse();
}

}  // namespace wazoauth::templates

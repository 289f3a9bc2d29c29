// The syntax of templates: a text as the tree that Template evaluates.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wazoauth {

// what() begins with the template's name and the line.
struct TemplateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace templates {

struct Value {
  enum Kind { undefined, none, boolean, text } kind = undefined;
  std::string string;  // of a text
  bool truth = false;  // of a boolean

  static Value of(bool value) { return {boolean, {}, value}; }
  static Value of(std::string value) { return {text, std::move(value), false}; }
  bool is_true() const { return kind == text ? !string.empty() : kind == boolean && truth; }
  std::string printed() const {
    if (kind == none) return "None";
    if (kind == boolean) return truth ? "True" : "False";
    return string;
  }
  bool operator==(const Value& other) const {
    return kind == other.kind && string == other.string && truth == other.truth;
  }
};

enum class Op { name, constant, filter, negate, both, either, equal, unequal, defined, is_none };

struct Expression {
  Op op = Op::constant;
  std::string word;  // a variable's or a filter's name
  Value value;       // of a constant
  std::vector<Expression> operands;
};

struct Node;
using Nodes = std::vector<Node>;

struct Branch {
  Expression condition;
  Nodes body;
};

// A literal text, a value to print, or branches of which the first whose condition holds is taken.
struct Node {
  std::string text;
  std::optional<Expression> output;
  std::vector<Branch> branches;
};

// `name` is for errors. Nested at most 50 deep, so evaluation may recurse. Throws TemplateError.
Nodes parse(std::string_view text, const std::string& name);

}  // namespace templates
}  // namespace wazoauth

#include "wazoauth/http/template.h"

#include <algorithm>

#include "wazoauth/http/template_filters.h"
#include "wazoauth/http/template_parser.h"

namespace wazoauth {
namespace templates {
namespace {

Value filtered(const Expression& expression, const Value& value, const Value& argument) {
  if (expression.word == "default") return value.kind == Value::undefined ? argument : value;
  return Value::of(find_filter(expression.word)->apply(value.printed()));
}

Value evaluate(const Expression& expression, const Template::Values& values) {
  const auto operand = [&](std::size_t i) { return evaluate(expression.operands.at(i), values); };
  switch (expression.op) {
    case Op::constant:
      return expression.value;
    case Op::name: {
      const auto found = values.find(expression.word);
      if (found == values.end()) return {};
      return found->second ? Value::of(*found->second) : Value{Value::none, {}, false};
    }
    case Op::filter:
      return filtered(expression, operand(0), expression.operands.size() > 1 ? operand(1) : Value::of(std::string()));
    case Op::negate:
      return Value::of(!operand(0).is_true());
    case Op::both: {
      Value first = operand(0);
      return first.is_true() ? operand(1) : first;
    }
    case Op::either: {
      Value first = operand(0);
      return first.is_true() ? first : operand(1);
    }
    case Op::equal:
      return Value::of(operand(0) == operand(1));
    case Op::unequal:
      return Value::of(!(operand(0) == operand(1)));
    case Op::defined:
      return Value::of(operand(0).kind != Value::undefined);
    case Op::is_none:
      return Value::of(operand(0).kind == Value::none);
  }
  return {};
}

void render(const Nodes& nodes, const Template::Values& values, std::string& text) {
  for (const Node& node : nodes) {
    text += node.text;
    if (node.output) text += evaluate(*node.output, values).printed();
    const auto taken = std::find_if(node.branches.begin(), node.branches.end(),
                                    [&](const Branch& branch) { return evaluate(branch.condition, values).is_true(); });
    if (taken != node.branches.end()) render(taken->body, values, text);
  }
}

}  // namespace
}  // namespace templates

Template::Template(std::string_view text, const std::string& name)
    : nodes_(std::make_shared<const templates::Nodes>(templates::parse(text, name))) {}

std::string Template::render(const Values& values) const {
  std::string text;
  templates::render(*nodes_, values, text);
  return text;
}

}  // namespace wazoauth

// Declared shapes of request bodies, query parameters and answers, and the checks of what comes in: types, limits,
// messages and error maps of docs/spec/http-conventions.md section 5.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wazoauth/base/json.h"

namespace wazoauth {

enum class Type { string, integer, number, boolean, uuid, email, list, object, any };

struct Schema;

struct Field {
  std::string name;
  Type type = Type::string;
  bool required = false;
  bool nullable = false;
  std::optional<Json> fallback;                       // value when missing; none: the key stays absent
  std::optional<std::size_t> min_length, max_length;  // code points, or items
  std::optional<std::int64_t> minimum, maximum;
  std::vector<std::string> choices;
  std::string pattern;                   // shown in the error; "" for none. Only slug patterns: ^[class]+$
  std::string format;                    // what `check` wants, for the API document
  std::shared_ptr<const Field> item;     // of a list
  std::shared_ptr<const Schema> fields;  // of an object
  // A check of its own: the check object's message, constraint_id, constraint; nullopt when fine.
  std::function<std::optional<Json>(const Json&)> check;
};

struct Schema {
  std::vector<Field> fields;  // in the order in which errors are reported
  std::vector<std::function<std::optional<std::string>(const Json&)>> whole;  // run when no field failed
  std::string name;                                                           // in the API document; "" for none
};

// The shape of an object in answers: every member of it is always there.
std::shared_ptr<const Schema> shape(std::string name, std::vector<Field> always, std::vector<Field> sometimes = {});
Field object_of(std::shared_ptr<const Schema> fields, std::string name = {});
Field list_of(Field item, std::string name = {});

struct Validated {
  Json value;   // known keys only, converted, defaults filled in
  Json errors;  // the error map; null when there is none
};
Validated validate(const Schema& schema, const Json& input);

// A failed check, as error maps hold it: {"message", "constraint_id", "constraint"}.
Json check_object(std::string_view message, std::string_view constraint_id, Json constraint);

}  // namespace wazoauth

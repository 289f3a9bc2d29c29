// Files of named statements: what stands under a name, and parts that others bring.
#include <stdexcept>
#include <string>

#include "check.h"
#include "wazoauth/store/read_statements.h"
#include "wazoauth/store/statements.h"

using namespace wazoauth;
using check::equal;

namespace {

// The text of "it.is" in a file.
std::string read(const std::string& file) {
  for (const NamedStatement& statement : read_statements({{"queries/it.sql", file}})) {
    if (statement.name == "it.is") return statement.text;
  }
  return "(not there)";
}

void refused(const std::string& file, const std::string& message) {
  try {
    read(file);
  } catch (const std::logic_error& e) {
    check::equal(std::string(e.what()), message, file);
    return;
  }
  check::failed("taken: " + file);
}

void statements_by_name(void**) {
  equal(read("-- Of them.\n\n-- name: it.is\nSELECT 1;\n\n-- name: it.also\nSELECT 2\n"), "SELECT 1");
  equal(read("-- name: it.is\n-- Why.\nSELECT '{8}' || {word}\n"), "-- Why.\nSELECT '{8}' || {word}");
  refused("-- name: it.is\n-- name: it.is\n", "statement it.is is declared twice");
}

void parts(void**) {
  const std::string ask = "-- name: it.is\nSELECT 1 WHERE {a.part(t.uuid, coalesce($1, ''))}\n";
  equal(read(ask + "-- name: a.part(one, other)\n-- Said here.\n{one} = {other} OR {one} IS NULL\n"),
        "SELECT 1 WHERE t.uuid = coalesce($1, '') OR t.uuid IS NULL");
  equal(read(ask + "-- name: a.part(x, y)\n({b.part({y})} AND {word})\n-- name: b.part(x)\nf({x}, {x})\n"),
        "SELECT 1 WHERE (f(coalesce($1, ''), coalesce($1, '')) AND {word})");
  equal(read("-- name: it.is\n{a.part({tenant})}\n-- name: a.part(tenant)\n{tenant} = ?\n"), "{tenant} = ?");
  equal(read("-- name: it.is(x)\n{x}\n"), "(not there)");
}

void parts_that_cannot_be(void**) {
  const std::string part = "-- name: a.part(x)\n{x}\n-- name: it.is\n";
  refused(part + "{a.prat($1)}", "statement it.is: no part a.prat");
  refused(part + "{a.part($1, $2)}", "statement it.is: part a.part has other arguments");
  refused(part + "{a.part}", "statement it.is: part a.part wants arguments");
  refused(part + "{a.part", "statement it.is: part a.part wants arguments");
  refused(part + "{a.part($1) }", "statement it.is: part a.part doesn't end with )}");
  refused(part + "{a.part((1)", "statement it.is: a parenthesis isn't closed: ((1)");
  refused("-- name: a.part(x)\n{a.part({x})}\n-- name: it.is\n{a.part(1)}",
          "statement it.is: part a.part includes itself");
}

// Those of sql/queries can all be read: a part that isn't there would stop a process at its first statement.
void our_own(void**) {
  assert_true(fragment("scope.subtree").find("JOIN subtree") != std::string::npos);
  const Statement statement = find_statement("policies.visible", {{"key", "slug"}});
  equal(statement.name, "policies.visible|slug");
  assert_true(statement.text.find("p.slug = $3") != std::string::npos);
  for (const NamedStatement& each : read_statements(embedded_sql()))
    check::that(each.text.find("{tree.") == std::string::npos, each.name);
  assert_false(find_statement("context.in_subtree", {}).changes_rows);
  assert_true(find_statement("sessions.delete", {}).changes_rows);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(statements_by_name),
      cmocka_unit_test(parts),
      cmocka_unit_test(parts_that_cannot_be),
      cmocka_unit_test(our_own),
  };
  return cmocka_run_group_tests(tests, nullptr, nullptr);
}

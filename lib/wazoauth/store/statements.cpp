#include "wazoauth/store/statements.h"

#include <deque>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "wazoauth/base/ascii.h"
#include "wazoauth/base/text.h"
#include "wazoauth/store/embedded_sql.h"
#include "wazoauth/store/read_statements.h"

namespace wazoauth {

namespace {

bool changes_rows(std::string_view statement) {
  const std::string text = ascii::lower(statement);
  return text.find("delete") != std::string::npos || text.find("update ") != std::string::npos;
}

using Texts = std::map<std::string, std::string, std::less<>>;

const Texts& declared() {
  static const Texts texts = [] {
    Texts all;
    for (NamedStatement& statement : read_statements(embedded_sql()))
      all.emplace(std::move(statement.name), std::move(statement.text));
    return all;
  }();
  return texts;
}

}  // namespace

const std::string& fragment(std::string_view name) {
  const auto it = declared().find(name);
  if (it == declared().end()) throw std::logic_error("no statement " + std::string(name));
  return it->second;
}

Statement find_statement(std::string_view name,
                         const std::vector<std::pair<std::string_view, std::string_view>>& variants) {
  static std::shared_mutex mutex;
  static std::map<std::string, Statement, std::less<>> made;
  std::string full(name);
  for (const auto& [word, text] : variants) full.append("|").append(text);
  {
    const std::shared_lock lock(mutex);
    if (const auto it = made.find(full); it != made.end()) return it->second;
  }
  std::string text = fragment(name);
  for (const auto& [word, replacement] : variants) replace_all(text, "{" + std::string(word) + "}", replacement);
  const std::unique_lock lock(mutex);
  constexpr std::size_t most = 2000;
  if (made.size() >= most) return {"", text, changes_rows(text)};
  // PostgreSQL cuts names of prepared statements at 63 characters.
  const std::string prepared = full.size() < 48 ? full : "s" + std::to_string(made.size());
  return made.try_emplace(full, Statement{prepared, text, changes_rows(text)}).first->second;
}

}  // namespace wazoauth

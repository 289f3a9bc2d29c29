// One operation of the API, declared once: routing, validation and the API document all come from its Route.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wazoauth/http/list_query.h"
#include "wazoauth/http/problem.h"
#include "wazoauth/http/report.h"
#include "wazoauth/rest/step.h"
#include "wazoauth/store/unit_of_work.h"

namespace wazoauth {

using Handler = std::function<Step(Context&)>;

// The HTML page that a browser gets in place of a problem in JSON; nullopt for programs.
using ProblemPage = std::optional<Response> (*)(const Request&, const Problem&);

// Forms of error bodies: docs/spec/http-conventions.md section 6.
enum class ErrorForm {
  error_id,  // A: {"message", "error_id", "details", "timestamp"[, "resource"]}
  reason,    // R: {"reason": [...], "timestamp": [...], "status_code"}
  message,   // M: {"message"}
};

struct Failure {
  int status;
  ErrorForm form;
  std::string reason;  // the error_id, or the text of the other forms
};

enum class Tenancy {
  none,
  caller,  // what the caller's own tenant and its subtree hold; Wazo-Tenant plays no role
  scoped,  // what Context::tenant() and, mostly, its subtree hold
  master,  // the token must belong to the master tenant (GET and PATCH /config)
};

// One operation with its parameters and answers. Router matches it, Context::valid_body() and list_query() validate by
// it, and api_document() describes it.
struct Route {
  std::string method;
  std::string path;    // "/users/<user_uuid>/policies/<policy_slug>"; <..._uuid> matches a UUID, others one segment
  std::string access;  // template "auth.users.{user_uuid}.read"; "" for public
  std::string plugin;  // key of Settings::enabled_http_plugins
  Handler handler;
  Mode mode = Mode::write;  // read_only for handlers that write nothing
  Tenancy tenancy = Tenancy::none;
  std::string summary;
  std::shared_ptr<const BodySpec> body;   // null: takes none
  std::shared_ptr<const ListSpec> list;   // null: takes no parameters of a list
  std::shared_ptr<const BodySpec> query;  // texts of the query that are checked; null: none
  std::vector<std::string> parameters;    // further ones of the query, free texts
  std::optional<Field> answer;            // of success
  int status = 0;                         // of success; 0: 200 with an answer, 204 without
  std::string produces;                   // media type of an answer that isn't JSON
  std::vector<Failure> failures;          // beside those that follow from the rest
  bool query_token = false;               // the query's "token" comes before the header: for links that people follow
  bool query_access = false;           // what the access has in braces is a parameter of the query; "None" without it
  bool shows_page = false;             // success may be 200 with a page, too
  ProblemPage problem_page = nullptr;  // browsers get HTML, answers and problems alike, where programs get JSON
  Schema list_schema{};                // made by Router::add
  std::string endpoint{};              // likewise: what metrics call its path
};

// For Route::body, ::list and ::answer.
std::shared_ptr<const BodySpec> takes(Schema schema, Report report, std::string resource = {});
std::shared_ptr<const BodySpec> takes_form(Schema schema, Report report, std::string resource,
                                           std::vector<std::string> files = {});
std::shared_ptr<const BodySpec> takes_any();  // any JSON value: Context::body()
std::shared_ptr<const ListSpec> listed(ListSpec spec);
Field list_answer(const std::shared_ptr<const Schema>& item);  // {"filtered", "total", "items"}

using PathParameters = std::vector<std::pair<std::string, std::string>>;  // uuids in lower case, texts decoded

}  // namespace wazoauth

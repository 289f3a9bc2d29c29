#include "rewrites.h"

#include <algorithm>
#include <string_view>

namespace wazoauth::nginx {

namespace {

// The module's own structure isn't in any header. Its first member is the code; two members later stands what the
// directive rewrite_log sets, whose offset the module does tell.
struct RewriteConf {
  ngx_array_t* codes;
  ngx_uint_t stack_size;
  ngx_flag_t log;
};

bool has_layout(const ngx_module_t& module) {
  for (const ngx_command_t* command = module.commands; command && command->name.len; ++command) {
    if (view(command->name) == "rewrite_log") return command->offset == offsetof(RewriteConf, log);
  }
  return false;
}

const ngx_array_t* codes_of(ngx_conf_t* cf) {
  for (ngx_module_t** module = cf->cycle->modules; *module; ++module) {
    if (std::string_view((*module)->name) != "ngx_http_rewrite_module") continue;
    if (!has_layout(**module)) return nullptr;
    const auto* context = static_cast<ngx_http_conf_ctx_t*>(cf->ctx);
    return static_cast<RewriteConf*>(context->loc_conf[(*module)->ctx_index])->codes;
  }
  return nullptr;
}

struct Kind {
  ngx_http_script_code_pt code;
  std::size_t size;
};

// Each begins with its function, by which it is known. nginx's rewrite module makes no other, but for one of a single
// word that some versions have (it ends a value).
const Kind kinds[] = {
    {nullptr, sizeof(uintptr_t)},  // the end for who comes here
    {ngx_http_script_copy_code, sizeof(ngx_http_script_copy_code_t)},
    {ngx_http_script_copy_var_code, sizeof(ngx_http_script_var_code_t)},
    {ngx_http_script_copy_capture_code, sizeof(ngx_http_script_copy_capture_code_t)},
    {ngx_http_script_start_args_code, sizeof(uintptr_t)},
#if (NGX_PCRE)
    {ngx_http_script_regex_start_code, sizeof(ngx_http_script_regex_code_t)},
    {ngx_http_script_regex_end_code, sizeof(ngx_http_script_regex_end_code_t)},
#endif
    {ngx_http_script_return_code, sizeof(ngx_http_script_return_code_t)},
    {ngx_http_script_break_code, sizeof(uintptr_t)},
    {ngx_http_script_if_code, sizeof(ngx_http_script_if_code_t)},
    {ngx_http_script_equal_code, sizeof(uintptr_t)},
    {ngx_http_script_not_equal_code, sizeof(uintptr_t)},
    {ngx_http_script_file_code, sizeof(ngx_http_script_file_code_t)},
    {ngx_http_script_complex_value_code, sizeof(ngx_http_script_complex_value_code_t)},
    {ngx_http_script_value_code, sizeof(ngx_http_script_value_code_t)},
    {ngx_http_script_set_var_code, sizeof(ngx_http_script_var_code_t)},
    {ngx_http_script_var_set_handler_code, sizeof(ngx_http_script_var_handler_code_t)},
    {ngx_http_script_var_code, sizeof(ngx_http_script_var_code_t)},
    {ngx_http_script_nop_code, sizeof(uintptr_t)},
};

class Reader {
 public:
  explicit Reader(const ngx_array_t& codes)
      : at_(static_cast<const u_char*>(codes.elts)), end_(at_ + codes.nelts), conditional_until_(at_) {}

  Rewrites read() {
    while (at_ < end_) {
      const auto code = *as<ngx_http_script_code_pt>();
      const std::size_t size = size_of(code);
      if (size == 0 && !is_single_word()) break;
      visit(code);
      at_ += size ? size : sizeof(uintptr_t);
      if (code == ngx_http_script_copy_code) at_ += ngx_align(text_length_, sizeof(uintptr_t));
    }
    return std::move(found_);
  }

 private:
  template <typename Code>
  const Code* as() const {
    return reinterpret_cast<const Code*>(at_);
  }

  static std::size_t size_of(ngx_http_script_code_pt code) {
    for (const Kind& kind : kinds) {
      if (kind.code == code) return kind.size;
    }
    return 0;
  }

  bool is_single_word() const {
    if (end_ - at_ < 2 * static_cast<std::ptrdiff_t>(sizeof(uintptr_t))) return false;
    const auto next = as<ngx_http_script_code_pt>()[1];
    return next && size_of(next);
  }

  void visit(ngx_http_script_code_pt code) {
    if (code == ngx_http_script_copy_code) text_length_ = as<ngx_http_script_copy_code_t>()->len;
    if (code == ngx_http_script_if_code)
      conditional_until_ = std::max(conditional_until_, at_ + as<ngx_http_script_if_code_t>()->next);
    if (code == ngx_http_script_return_code) on_return(*as<ngx_http_script_return_code_t>());
#if (NGX_PCRE)
    if (code == ngx_http_script_regex_start_code && as<ngx_http_script_regex_code_t>()->redirect && !conditional())
      found_.answers = "rewrite";
#endif
    if (code == ngx_http_script_complex_value_code || code == ngx_http_script_value_code) value_ = {};
    if (code == ngx_http_script_copy_capture_code) value_.positional = true;
    if (code == ngx_http_script_copy_var_code)
      value_.sources.push_back(static_cast<ngx_int_t>(as<ngx_http_script_var_code_t>()->index));
    if (code == ngx_http_script_set_var_code) {
      value_.target = static_cast<ngx_int_t>(as<ngx_http_script_var_code_t>()->index);
      found_.assignments.push_back(value_);
    }
  }

  // Errors give nothing away. Under a condition neither does what has no text (the 204 of a preflight), and a redirect
  // (to https, to a login) is meant for who isn't let in.
  void on_return(const ngx_http_script_return_code_t& code) {
    if (code.status >= NGX_HTTP_BAD_REQUEST) return;
    if (conditional() && (code.status >= NGX_HTTP_SPECIAL_RESPONSE || code.text.value.len == 0)) return;
    found_.answers = "return";
  }

  bool conditional() const {
    return at_ < conditional_until_;
  }

  const u_char* at_;
  const u_char* end_;
  const u_char* conditional_until_;
  std::size_t text_length_ = 0;
  Assignment value_{};
  Rewrites found_;
};

}  // namespace

Rewrites read_rewrites(ngx_conf_t* cf) {
  const ngx_array_t* codes = codes_of(cf);
  return codes ? Reader(*codes).read() : Rewrites();
}

void PositionalCaptures::add(const void* server, std::vector<Assignment> assignments) {
  for (Assignment& each : assignments) all_.push_back({server, std::move(each)});
}

bool PositionalCaptures::taint(const void* server, ngx_int_t variable) const {
  std::vector<ngx_int_t> made_of = {variable};
  for (std::size_t i = 0; i < made_of.size(); ++i) {
    for (const Of& each : all_) {
      if (each.server != server || each.assignment.target != made_of[i]) continue;
      if (each.assignment.positional) return true;
      for (const ngx_int_t source : each.assignment.sources) {
        if (std::find(made_of.begin(), made_of.end(), source) == made_of.end()) made_of.push_back(source);
      }
    }
  }
  return false;
}

}  // namespace wazoauth::nginx

// Hides tokens in what nginx's logs print of a request.
#include "wazoauth/base/mask.h"

#include <algorithm>

#include "conf.h"
#include "handlers.h"
#include "process.h"
#include "wazoauth/base/log.h"

namespace wazoauth::nginx {

namespace {

bool own_variables(ngx_http_request_t* r) {
  if (r == r->main || r->variables != r->main->variables) return true;
  const auto* core = static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
  const std::size_t size = core->variables.nelts * sizeof(ngx_http_variable_value_t);
  auto* copied = static_cast<ngx_http_variable_value_t*>(ngx_palloc(r->pool, size));
  if (!copied) return false;
  ngx_memcpy(copied, r->variables, size);
  r->variables = copied;
  return true;
}

// nginx's logs print the value that is kept.
void mask_variable(ngx_http_request_t* r, ngx_int_t index, const std::vector<std::string>& names) noexcept {
  const ngx_http_variable_value_t* value = ngx_http_get_indexed_variable(r, index);
  if (!value || value->not_found) return;
  ngx_str_t shown = ngx_string("-");  // while there is no memory
  try {
    const auto masked = gate::mask_tokens({reinterpret_cast<const char*>(value->data), value->len}, names);
    if (!masked) return;
    if (const ngx_str_t copied = copy(r->pool, *masked); copied.data) shown = copied;
  } catch (const std::exception& e) {
    log::error(e.what());
  }
  if (!own_variables(r)) return;
  r->variables[index].data = shown.data;
  r->variables[index].len = static_cast<unsigned>(shown.len);
}

// Every line of a worker goes through write_line(): some lines quote a request before any phase of it, some the
// upstream's URL, some a file's name.
struct Writer {
  void* data;  // a ngx_log_t's own, by which its copies are known as well
  ngx_log_writer_pt write;
};
std::vector<Writer> writers;     // of the logs that aren't files
std::vector<std::string> names;  // of query parameters that hold tokens; outlives the configuration, as its logs do

void write_file(ngx_log_t* log, u_char* line, std::size_t size) {
  if (ngx_time() == log->disk_full_time) return;
  if (ngx_write_fd(log->file->fd, line, size) == -1 && ngx_errno == NGX_ENOSPC) log->disk_full_time = ngx_time();
}

void write_line(ngx_log_t* log, ngx_uint_t level, u_char* line, std::size_t size) noexcept {
  try {
    const std::string_view text{reinterpret_cast<char*>(line), size - (size && line[size - 1] == '\n')};
    std::string shown = gate::loggable(text, names) + '\n';
    auto* data = reinterpret_cast<u_char*>(shown.data());
    const auto other =
        std::find_if(writers.begin(), writers.end(), [&](const Writer& w) { return w.data == log->wdata; });
    if (other == writers.end()) return write_file(log, data, shown.size());
    other->write(log, level, data, shown.size());
  } catch (const std::exception&) {
    // There is no memory for the line.
  }
}

void mask_log(ngx_log_t* log) {
  for (; log; log = log->next) {
    if (log->writer == write_line || (log->writer && !log->wdata)) continue;
    if (log->writer) writers.push_back({log->wdata, log->writer});
    log->writer = write_line;
  }
}

}  // namespace

void mask_logs(ngx_cycle_t* cycle, const MainConf& conf) {
  names = conf.query_names;
  mask_log(cycle->log);
  for (ngx_log_t* log : conf.logs) mask_log(log);
  auto* listening = static_cast<ngx_listening_t*>(cycle->listening.elts);
  for (ngx_uint_t i = 0; i < cycle->listening.nelts; ++i) mask_log(&listening[i].log);
}

// In the log phase the request is over: what goes to upstreams stays what the client sent. Where a subrequest is logged
// its request goes on, with the same variables.
ngx_int_t mask_handler(ngx_http_request_t* r) {
  const MainConf& conf = main_conf(r);
  if (!conf.settings) return NGX_DECLINED;
  for (const ngx_int_t index : {conf.kept.request, conf.kept.referer}) {
    if (index >= 0) mask_variable(r, index, conf.query_names);
  }
  return NGX_DECLINED;
}

}  // namespace wazoauth::nginx

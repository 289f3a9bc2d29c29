#include "request.h"

#include <arpa/inet.h>

#include "trace.h"
#include "wazoauth/base/ascii.h"
#include "wazoauth/gate/forwarded.h"

namespace wazoauth::nginx {

namespace {

// All values of a header, as proxies that append to it see them.
std::string joined(const Request& request, std::string_view lower_case_name) {
  std::string all;
  for (const auto& [name, value] : request.headers) {
    if (name == lower_case_name) all += (all.empty() ? "" : ",") + value;
  }
  return all;
}

void copy_headers(ngx_http_request_t* r, Request& request) {
  each_header(r->headers_in.headers, [&](const ngx_table_elt_t& header) {
    request.headers.emplace_back(ascii::lower(view(header.key)), view(header.value));
  });
}

std::string canonical(std::string_view address) {
  return gate::canonical_address(address).value_or(std::string(address));
}

// The address that these bytes came from: nginx's realip module may have put the client's in its place, and keeps the
// original behind this variable. Without that module there is no such variable.
std::string peer_of(ngx_http_request_t* r) {
  ngx_str_t name = ngx_string("realip_remote_addr");
  const ngx_http_variable_value_t* const value = ngx_http_get_variable(r, &name, ngx_hash_key(name.data, name.len));
  const bool known = value && value->valid && !value->not_found && value->len;
  return canonical(known ? std::string_view(reinterpret_cast<const char*>(value->data), value->len)
                         : view(r->connection->addr_text));
}

bool trusts(const MainConf& main, const std::string& address) {
  sockaddr_storage storage{};
  auto* const in = reinterpret_cast<sockaddr_in*>(&storage);
  auto* const in6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (address == "unix:")
    storage.ss_family = AF_UNIX;
  else if (inet_pton(AF_INET, address.c_str(), &in->sin_addr) == 1)
    storage.ss_family = AF_INET;
  else if (inet_pton(AF_INET6, address.c_str(), &in6->sin6_addr) == 1)
    storage.ss_family = AF_INET6;
  else
    return false;
  return ngx_cidr_match(reinterpret_cast<sockaddr*>(&storage), main.trusted_proxies) == NGX_OK;
}

// Who speaks HTTP here.
struct Sender {
  std::string address;  // the client's as far as nginx knows, realip considered
  bool replaced;        // realip has told it
  bool trusted;         // its headers count
};

// What speaks the PROXY protocol passes on what it gets: it is believed about the address, and no header comes from it.
Sender sender_of(ngx_http_request_t* r, const MainConf& main) {
  const std::string peer = peer_of(r);
  Sender sender{canonical(view(r->connection->addr_text)), false, trusts(main, peer)};
  sender.replaced = sender.address != peer;
  if (!sender.trusted || !r->connection->proxy_protocol) return sender;
  const std::string source = canonical(view(r->connection->proxy_protocol->src_addr));
  if (!sender.replaced) sender.address = source;
  sender.trusted = trusts(main, source);
  return sender;
}

std::string scheme_of(ngx_http_request_t* r) {
#if (NGX_HTTP_SSL)
  if (r->connection->ssl) return "https";
#endif
  return "http";
}

// The address that the configuration gives this server; a client's own Host header isn't believed.
std::string own_host(ngx_http_request_t* r) {
  const auto* server = static_cast<ngx_http_core_srv_conf_t*>(ngx_http_get_module_srv_conf(r, ngx_http_core_module));
  u_char text[NGX_SOCKADDR_STRLEN];
  ngx_str_t address{sizeof(text), text};
  if (ngx_connection_local_sockaddr(r->connection, &address, 0) != NGX_OK) address.len = 0;
  const in_port_t port = ngx_inet_get_port(r->connection->local_sockaddr);
  const bool named = server->server_name.len && view(server->server_name).find_first_of("_*~") != 0;
  std::string host = named ? std::string(view(server->server_name)) : canonical(view(address));
  if (!named && r->connection->local_sockaddr->sa_family == AF_INET6 && host.find(':') != std::string::npos)
    host = "[" + host + "]";
  const in_port_t usual = scheme_of(r) == "https" ? 443 : 80;
  if (port && port != usual) host += ":" + std::to_string(port);
  return host;
}

// What proxy_pass without a path would send: as the client wrote it, or else what rewrites, redirects and subrequests
// have made of it.
std::string target_of(ngx_http_request_t* r) {
  if (r->valid_unparsed_uri) return std::string(view(r->unparsed_uri));
  std::string target;
  if (r->quoted_uri || r->internal) {
    const auto more = 2 * ngx_escape_uri(nullptr, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    target.resize(r->uri.len + more);
    ngx_escape_uri(reinterpret_cast<u_char*>(target.data()), r->uri.data, r->uri.len, NGX_ESCAPE_URI);
  } else {
    target = view(r->uri);
  }
  if (r->args.len) target.append("?").append(view(r->args));
  return target;
}

void split_target(ngx_http_request_t* r, const LocConf& conf, Request& request) {
  const std::string all = target_of(r);
  const std::string_view target = all;
  const auto question = target.find('?');
  std::string_view path = target.substr(0, question);
  const std::string_view prefix = view(conf.prefix);
  if (!prefix.empty() && path.starts_with(prefix) && path.substr(prefix.size()).starts_with('/'))
    path.remove_prefix(prefix.size());
  request.path = path;
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
}

void believe_proxies(const MainConf& main, bool address_too, Request& request) {
  const int proxies = main.settings->num_proxies;
  const auto told = [&](std::string_view name, std::string& into) {
    const std::string all = joined(request, name);
    if (const auto value = gate::forwarded_value(all, proxies)) into = *value;
  };
  std::string client;
  told("x-forwarded-for", client);
  if (address_too) request.remote_addr = gate::canonical_address(client).value_or(request.remote_addr);
  told("x-forwarded-proto", request.scheme);
  told("x-forwarded-host", request.host);
  if (const std::string name = request.header_or_empty("x-script-name"); !name.empty()) request.script_name = name;
}

}  // namespace

std::string client_address(ngx_http_request_t* r, const MainConf& main) {
  Request request;
  const Sender sender = sender_of(r, main);
  request.remote_addr = sender.address;
  if (!sender.trusted || sender.replaced) return request.remote_addr;
  copy_headers(r, request);
  believe_proxies(main, true, request);
  return request.remote_addr;
}

Request make_request(ngx_http_request_t* r, const MainConf& main, const LocConf& conf) {
  Request request;
  request.method = view(r->method_name);
  split_target(r, conf, request);
  copy_headers(r, request);
  const Sender sender = sender_of(r, main);
  request.remote_addr = sender.address;
  request.scheme = scheme_of(r);
  request.script_name = request.own_prefix = view(conf.prefix);
  request.own_host = own_host(r);
  request.trace_id = known_trace_id(r);
  if (sender.trusted) request.host = request.header_or_empty("host");
  if (request.host.empty()) request.host = request.own_host;
  if (sender.trusted) believe_proxies(main, !sender.replaced, request);
  return request;
}

std::string temporary_folder(ngx_http_request_t* r) {
  const auto* core = static_cast<ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
  return std::string(view(core->client_body_temp_path->name));
}

bool copy_body(ngx_http_request_t* r, std::string& body) {
  if (!r->request_body) return true;
  for (ngx_chain_t* link = r->request_body->bufs; link; link = link->next) {
    ngx_buf_t* buffer = link->buf;
    if (!buffer->in_file) {
      body.append(reinterpret_cast<char*>(buffer->pos), buffer->last - buffer->pos);
      continue;
    }
    const std::size_t size = buffer->file_last - buffer->file_pos, before = body.size();
    body.resize(before + size);
    if (ngx_read_file(buffer->file, reinterpret_cast<u_char*>(body.data()) + before, size, buffer->file_pos) !=
        static_cast<ssize_t>(size))
      return false;
  }
  return true;
}

}  // namespace wazoauth::nginx

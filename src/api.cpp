// The content handler of the REST API: what the zone can answer is answered in the loop, everything else runs on
// threads, step by step.
#include <algorithm>
#include <memory>

#include "answers.h"
#include "counters.h"
#include "handlers.h"
#include "process.h"
#include "request.h"
#include "trace.h"
#include "wazoauth/gate/answers.h"
#include "wazoauth/rest/call.h"
#include "wazoauth/rest/cors.h"
#include "wazoauth/rest/endpoint_names.h"

namespace wazoauth::nginx {

namespace {

constexpr ngx_msec_t start_poll_ms = 10, answer_poll_ms = 20;
constexpr std::chrono::seconds longest_start{2};  // then a client, or what checks a server's health, has to know
constexpr std::size_t most_delayed_logins = 512;

// The throttle's unit of time.
std::int64_t boot_ms() {
  return loop_time().time_since_epoch().count();
}

// Of what the zone answers.
std::string_view endpoint_of_zone(std::string_view path) {
  return path.ends_with("/scopes/check") ? "tokenscopescheck" : "token";
}

std::string_view login_outcome(int status) {
  if (status < 300) return "success";
  if (status == 401) return "failure";
  return status < 500 ? "refused" : "error";
}

// One request, from its body to its answer. Shared by the request and by the job that is under way for it; the request
// may die first, then the job's result is dropped.
class ApiCall : public std::enable_shared_from_this<ApiCall> {
 public:
  ApiCall(ngx_http_request_t* r, Process& process, Request request, const Route* page)
      : r_(r), process_(process), request_(std::move(request)), page_(page) {
    arrived_ = Clock::now();
    timer_.data = this;
    timer_.handler = [](ngx_event_t* event) { static_cast<ApiCall*>(event->data)->on_timer(); };
    timer_.log = r->connection->log;
  }

  void abandon() {
    r_ = nullptr;
    abandoned_ = true;
    if (waiting_for_ == WaitingFor::login) process_.throttle.unjudged(*guess_);  // and nobody will look at it
    end_wait();
  }

  // The body is here. Everything from now on ends in one ngx_http_finalize_request().
  void begin() {
    const auto self = shared_from_this();
    in_handler_ = true;
    guarded([&] {
      if (!copy_body(r_, request_.body)) throw std::runtime_error("the body can't be read");
      // Notices when the client leaves.
      r_->read_event_handler = ngx_http_test_reading;
      began_ = loop_time();
      const std::chrono::seconds retry(process_.app.settings().db_connect_retry_timeout_seconds);
      waits_until_ = began_ + std::min(retry, longest_start);
      started();
    });
    in_handler_ = false;
  }

  void fail(const Problem& problem) {
    if (page_) return finish(page_->problem_page(request_, problem).value());
    Response response = to_response(problem);
    add_cors(process_.app.settings(), request_, response);
    finish(std::move(response));
  }

  std::string_view endpoint_of(const Route* route) const {
    if (page_) return "oauth2";
    return route ? std::string_view(route->endpoint) : answered_endpoint_;
  }

  void measure(int status) {
    const std::chrono::nanoseconds time = Clock::now() - arrived_;
    const Route* const route = call_ ? call_->route() : nullptr;
    process_.meters.request(request_.method, status, endpoint_of(route), time);
    if (route && route->path == "/token" && route->method == "POST")
      process_.meters.logins.at(login_outcome(status)).add(time);
  }

 private:
  using Clock = std::chrono::steady_clock;
  enum class WaitingFor { nothing, start, login, step, answer };

  void started() {
    if (!process_.node.started()) {
      if (loop_time() >= waits_until_) return fail(gate::starting());
      return wait(WaitingFor::start, start_poll_ms);
    }
    if (page_) return make_call();
    if (auto response = process_.app.answer_from_zone(request_, loc_conf(r_).grace)) {
      process_.counters.add(counter::api_from_zone);
      answered_endpoint_ = endpoint_of_zone(request_.path);
      return finish(std::move(*response));
    }
    make_call();
  }

  void make_call() {
    std::string body = std::move(request_.body);
    Request request = request_;
    request.body = std::move(body);
    request.temporary_folder = temporary_folder(r_);
    if (page_)
      call_.emplace(process_.app.services(), *page_, std::move(request));
    else
      call_.emplace(process_.app.services(), process_.app.router(), std::move(request));
    next_step();
  }

  void resume() {
    if (call_->guess()) return begin_guess(*call_->guess());
    call_->pause().count() ? wait(WaitingFor::step, static_cast<ngx_msec_t>(call_->pause().count())) : next_step();
  }

  void begin_guess(const Guess& guess) {
    guess_ = process_.throttle.make_try(request_.remote_addr, guess.login, guess.fingerprint);
    const auto delay = process_.throttle.begin(*guess_, boot_ms());
    if (!delay || (*delay > 0 && process_.delayed_logins >= most_delayed_logins)) {
      if (delay) process_.throttle.unjudged(*guess_);
      process_.counters.add(counter::logins_refused);
      return fail(gate::too_many_logins());
    }
    if (*delay == 0) return next_step();
    process_.counters.add(counter::logins_delayed);
    wait(WaitingFor::login, static_cast<ngx_msec_t>(*delay));
  }

  void next_step() {
    const Lane lane = call_->lane();
    const auto self = shared_from_this();
    const bool judged = call_->judgement() != Call::Judgement::none;
    auto work = [self, judged] {
      if (self->abandoned_ && !judged) return;
      const log::Traced traced(self->request_.trace_id);
      self->ready_ = self->call_->step();
    };
    auto done = [self] { self->guarded([&] { self->stepped(); }); };
    auto to_hash = [self] { return self->abandoned_ ? nullptr : self->call_->to_hash(); };
    const bool posted = lane == Lane::hashing
                            ? process_.offload.post_hashing(process_.throttle.prefix_of(request_.remote_addr),
                                                            std::move(to_hash), std::move(work), std::move(done))
                            : process_.offload.post(lane, std::move(work), std::move(done));
    if (posted) return;
    if (guess_) process_.throttle.unjudged(*guess_);
    process_.counters.add(counter::overloads);
    if (r_) fail(gate::overloaded());
  }

  void stepped() {
    // A guess counts even if the client has left before the answer.
    const bool judged = call_->judgement() != Call::Judgement::none;
    if (guess_ && (ready_ || judged)) end_guess();
    if (!r_ && judged && !ready_) next_step();  // and is recorded
    if (!r_) return;
    if (!ready_) return resume();
    const std::int64_t early = call_->response().hold_for_ms - (loop_time() - began_).count();
    answer_at_ = ngx_current_msec + static_cast<ngx_msec_t>(std::max<std::int64_t>(early, 0));
    answer();
  }

  void answer() {
    const auto early = static_cast<ngx_msec_int_t>(answer_at_ - ngx_current_msec);
    const auto& release_early = call_->response().release_early;
    if (early <= 0 || (release_early && release_early())) return finish(std::move(call_->response()));
    const auto left = static_cast<ngx_msec_t>(early);
    wait(WaitingFor::answer, release_early ? std::min(left, answer_poll_ms) : left);
  }

  void end_guess() {
    const gate::LoginThrottle::Try guess = *std::exchange(guess_, std::nullopt);
    switch (call_->judgement()) {
      case Call::Judgement::wrong:
        return process_.throttle.wrong(guess, boot_ms());
      case Call::Judgement::right:
        return process_.throttle.right(guess);
      default:
        return process_.throttle.unjudged(guess);
    }
  }

  void wait(WaitingFor reason, ngx_msec_t ms) {
    waiting_for_ = reason;
    if (reason == WaitingFor::login) ++process_.delayed_logins;
    ngx_add_timer(&timer_, ms);
  }

  void end_wait() {
    if (waiting_for_ == WaitingFor::login) --process_.delayed_logins;
    waiting_for_ = WaitingFor::nothing;
    if (timer_.timer_set) ngx_del_timer(&timer_);
  }

  void on_timer() {
    const auto self = shared_from_this();
    const WaitingFor reason = waiting_for_;
    end_wait();
    guarded([&] {
      switch (reason) {
        case WaitingFor::start:
          return started();
        case WaitingFor::login:
        case WaitingFor::step:
          return next_step();
        default:
          return answer();
      }
    });
  }

  template <typename Work>
  void guarded(Work work) noexcept {
    const log::Traced traced(request_.trace_id);
    try {
      work();
    } catch (const std::exception& e) {
      log::error(std::string("api: ") + e.what());
      if (r_) fail(gate::plain(500));
    }
  }

  void finish(Response response) {
    const auto self = shared_from_this();
    ngx_http_request_t* r = r_;
    ngx_connection_t* connection = r->connection;
    ngx_http_set_log_request(connection->log, r);
    process_.counters.add(response.status < 500 ? counter::api_answers : counter::api_errors);
    measure(response.status);
    ngx_http_finalize_request(r, send(r, std::move(response)));
    // In a handler nginx does that itself afterwards, and needs the request until then.
    if (!in_handler_) ngx_http_run_posted_requests(connection);
  }

  ngx_http_request_t* r_;  // null: freed by nginx
  Process& process_;
  Request request_;
  const Route* page_;  // null: the API
  std::optional<Call> call_;
  std::string_view answered_endpoint_ = no_endpoint;  // without a call
  std::optional<gate::LoginThrottle::Try> guess_;
  bool ready_ = false;
  bool in_handler_ = false;  // called by nginx's handler of this connection
  std::atomic<bool> abandoned_{false};
  WaitingFor waiting_for_ = WaitingFor::nothing;
  BootTime began_, waits_until_;
  Clock::time_point arrived_;
  ngx_msec_t answer_at_ = 0;
  ngx_event_t timer_{};
};

using Owner = std::shared_ptr<ApiCall>;

void on_end(void* data) {
  auto* owner = static_cast<Owner*>(data);
  (*owner)->abandon();
  owner->~Owner();
}

void on_body(ngx_http_request_t* r) {
  static_cast<ApiCall*>(find_context(r)->call)->begin();
}

ngx_int_t read_body(ngx_http_request_t* r, Process& process, Request request, const Route* page = nullptr) {
  RequestContext* context = get_context(r);
  ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, sizeof(Owner));
  if (!context || !cleanup) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  auto call = std::make_shared<ApiCall>(r, process, std::move(request), page);
  context->call = call.get();
  new (cleanup->data) Owner(std::move(call));
  cleanup->handler = on_end;
  const ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
  return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

// GET and HEAD of a known token: the hot path has no body to wait for and needs no object that outlives this call.
bool answer_at_once(ngx_http_request_t* r, Process& process, const Request& request, ngx_int_t& rc) {
  const auto began = std::chrono::steady_clock::now();
  if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) return false;
  auto response = process.app.answer_from_memory(request);
  const bool is_status = response.has_value();
  if (!response && process.node.started()) response = process.app.answer_from_zone(request, loc_conf(r).grace);
  if (!response) return false;
  process.counters.add(counter::api_from_zone);
  process.meters.request(request.method, response->status, is_status ? "statuslist" : endpoint_of_zone(request.path),
                         std::chrono::steady_clock::now() - began);
  rc = ngx_http_discard_request_body(r);
  if (rc == NGX_OK) rc = send(r, std::move(*response));
  return true;
}

bool is_of_this_machine(const sockaddr& peer) {
  if (peer.sa_family == AF_UNIX) return true;
  if (peer.sa_family == AF_INET)
    return ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  if (peer.sa_family != AF_INET6) return false;
  const in6_addr& address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&address) || (IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr[12] == IN_LOOPBACKNET);
}

// Refused as by the daemon's own server: the part after "//" could be meant as a host.
ngx_int_t bad_target(ngx_http_request_t* r) {
  Response response;
  response.status = 400;
  response.content_type = "text/plain";
  response.body = "Invalid path in Request-URI.\n";
  const ngx_int_t rc = ngx_http_discard_request_body(r);
  return rc == NGX_OK ? send(r, std::move(response)) : rc;
}

// Nobody shows a token for it, as at the Python daemon's exporter: so whoever comes from elsewhere finds nothing.
bool is_scrape(const ngx_http_request_t& r, const Process& process, const Request& request) {
  return request.path == "/0.1/metrics" && (r.method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) != 0 &&
         process.app.settings().http_plugin("metrics") && is_of_this_machine(*r.connection->sockaddr);
}

}  // namespace

ngx_int_t api_handler(ngx_http_request_t* r) {
  Process* const process = nginx::process();
  if (!process) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  try {
    if (view(r->valid_unparsed_uri ? r->unparsed_uri : r->uri).starts_with("//")) return bad_target(r);
    Request request = make_request(r, process->conf, loc_conf(r));
    if (is_scrape(*r, *process, request)) return metrics_handler(r);
    const log::Traced traced(known_trace_id(r));
    ngx_int_t rc;
    if (answer_at_once(r, *process, request, rc)) return rc;
    return read_body(r, *process, std::move(request));
  } catch (const std::exception& e) {
    log::error(std::string("api: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

ngx_int_t oauth2_handler(ngx_http_request_t* r) {
  Process* const process = nginx::process();
  if (!process) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  try {
    return read_body(r, *process, make_request(r, process->conf, loc_conf(r)), &process->app.landing_page());
  } catch (const std::exception& e) {
    log::error(std::string("oauth2: ") + e.what());
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
}

}  // namespace wazoauth::nginx

#include "shadow.h"

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <unordered_map>

namespace wazoauth::nginx {

namespace {

// FNV-1a: the key outlives the process that made it, over a reload.
std::uint64_t hash(std::initializer_list<std::string_view> texts) {
  std::uint64_t value = 0xcbf29ce484222325;
  const auto add = [&](unsigned char c) { value = (value ^ c) * 0x100000001b3; };
  for (const std::string_view text : texts) {
    for (const char c : text) add(static_cast<unsigned char>(c));
    add(0);
  }
  return value;
}

std::uint64_t number(const std::atomic<std::uint64_t>& counter) {
  return counter.load(std::memory_order_relaxed);
}

void count(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

constexpr std::string_view zone_name = "wazo_auth_shadow_";  // and a number for its slots

// That of the configuration that runs, if it has one.
const ngx_shm_zone_t* zone_before(const ngx_conf_t* cf) {
  for (const ngx_list_part_t* part = &cf->cycle->old_cycle->shared_memory.part; part; part = part->next) {
    const auto* zones = static_cast<const ngx_shm_zone_t*>(part->elts);
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      if (zones[i].tag == &ngx_wazo_auth_gate_module && view(zones[i].shm.name).starts_with(zone_name))
        return &zones[i];
    }
  }
  return nullptr;
}

}  // namespace

std::size_t Shadow::add(std::string document, std::string operation, const std::string& need) {
  const std::uint64_t key = hash({document, operation, need});
  slots_.push_back({std::move(document), std::move(operation), key});
  return slots_.size() - 1;
}

bool Shadow::declare(ngx_conf_t* cf) {
  if (slots_.empty()) return true;
  const std::size_t bytes = sizeof(Head) + slots_.size() * sizeof(Record);
  // The slab allocator keeps a note of each page.
  const std::size_t size = ngx_align(bytes + bytes / 64, ngx_pagesize) + 16 * ngx_pagesize;
  // Memory with other slots has another name: nginx keeps what it knows by name and size, and frees the rest.
  std::uint64_t slots = sizeof(Record);
  for (const Slot& slot : slots_) slots = slots * 0x100000001b3 ^ slot.key;
  ngx_str_t name = copy(cf->pool, std::string(zone_name) + std::to_string(slots));
  ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &ngx_wazo_auth_gate_module);
  if (!zone) return false;
  zone->init = init;
  zone->data = this;
  const ngx_shm_zone_t* before = zone_before(cf);
  if (before) before_ = static_cast<Head*>(before->data);
  return true;
}

// Called in the master, for new memory and for what a reload keeps.
ngx_int_t Shadow::init(ngx_shm_zone_t* zone, void* old) {
  auto* shadow = static_cast<Shadow*>(zone->data);
  try {
    if (!old && !shadow->make(zone)) {
      ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "zone \"%V\": no memory", &zone->shm.name);
      return NGX_ERROR;
    }
  } catch (const std::exception& e) {
    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "zone \"%V\": %s", &zone->shm.name, e.what());
    return NGX_ERROR;
  }
  if (old) {
    zone->data = old;
    shadow->records_ = static_cast<Head*>(old)->records();
  }
  return NGX_OK;
}

bool Shadow::make(ngx_shm_zone_t* zone) {
  auto* pool = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
  pool->log_nomem = 0;
  void* memory = ngx_slab_alloc(pool, sizeof(Head) + slots_.size() * sizeof(Record));
  if (!memory) return false;
  auto* head = new (memory) Head{slots_.size()};
  records_ = head->records();
  std::unordered_map<std::uint64_t, const Record*> known;
  for (std::size_t i = 0; before_ && i < before_->count; ++i)
    known.emplace(before_->records()[i].key, &before_->records()[i]);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto* record = new (&records_[i]) Record;
    record->key = slots_[i].key;
    record->since = ngx_time();
    if (const auto found = known.find(record->key); found != known.end()) take_over(*found->second, *record);
  }
  zone->data = head;
  return true;
}

void Shadow::take_over(const Record& from, Record& to) {
  to.since = from.since;
  to.passed = from.passed.load();
  to.undecided = from.undecided.load();
  for (std::size_t i = 0; i < std::size(to.refused); ++i) to.refused[i] = from.refused[i].load();
  to.last_refused = from.last_refused.load();
  for (std::size_t i = 0; i < recents; ++i) {
    if (from.recent[i].version.load() % 2) continue;
    to.recent[i].reason = from.recent[i].reason;
    to.recent[i].last = from.recent[i].last;
    to.recent[i].times = from.recent[i].times;
    std::memcpy(to.recent[i].who, from.recent[i].who, sizeof(to.recent[i].who));
  }
}

void Shadow::passed(std::size_t slot) {
  count(records_[slot].passed);
}

void Shadow::undecided(std::size_t slot) {
  count(records_[slot].undecided);
}

bool Shadow::refused(ngx_http_request_t* r, const RequestContext& context) {
  Record& record = records_[context.slot];
  count(record.refused[static_cast<std::size_t>(context.reason)]);
  const std::int64_t now = ngx_time();
  record.last_refused.store(now, std::memory_order_relaxed);
  const FactText user = context.identified ? context.facts.get(Fact::user_uuid) : FactText();
  remember(record, user.view().empty() ? view(r->connection->addr_text) : user.view(), context.reason);
  std::int64_t last = record.last_logged.load(std::memory_order_relaxed);
  // Workers read the clock at different moments; and it may be set back.
  const bool another_second = last < now || last > now + 1;
  return another_second && record.last_logged.compare_exchange_strong(last, now);
}

void Shadow::remember(Record& record, std::string_view who, Reason reason) {
  who = who.substr(0, sizeof(Recent::who) - 1);
  Recent* oldest = record.recent;
  Recent* found = nullptr;
  for (Recent& each : record.recent) {
    if (each.last && each.reason == reason && who == each.who) found = &each;
    if (each.last < oldest->last) oldest = &each;
  }
  Recent& into = found ? *found : *oldest;
  std::uint32_t version = into.version.load(std::memory_order_relaxed);
  if (version % 2 || !into.version.compare_exchange_strong(version, version + 1, std::memory_order_acquire)) return;
  if (!found) {
    into.reason = reason;
    into.times = 0;
    std::memset(into.who, 0, sizeof(into.who));
    std::memcpy(into.who, who.data(), who.size());
  }
  into.last = ngx_time();
  ++into.times;
  into.version.store(version + 2, std::memory_order_release);
}

Json Shadow::report(const Slot& slot, const Record& record) const {
  Json refused = Json::object(), recent = Json::array();
  for (std::size_t i = 0; i < std::size(record.refused); ++i) {
    if (const auto times = number(record.refused[i]))
      refused.set(reason_name(static_cast<Reason>(i)), static_cast<std::int64_t>(times));
  }
  for (const Recent& each : record.recent) {
    const std::uint32_t version = each.version.load(std::memory_order_acquire);
    if (version % 2 || !each.last) continue;
    Json told = Json::object({{"who", std::string_view(each.who, strnlen(each.who, sizeof(each.who)))},
                              {"reason", reason_name(each.reason)},
                              {"times", static_cast<std::int64_t>(each.times)},
                              {"last", each.last}});
    std::atomic_thread_fence(std::memory_order_acquire);
    if (each.version.load(std::memory_order_relaxed) == version) recent.append(std::move(told));
  }
  const std::int64_t last = record.last_refused.load();
  return Json::object({{"document", slot.document},
                       {"operation", slot.operation},
                       {"since", record.since},
                       {"passed", static_cast<std::int64_t>(number(record.passed))},
                       {"undecided", static_cast<std::int64_t>(number(record.undecided))},
                       {"refused", std::move(refused)},
                       {"last_refused", last ? Json(last) : Json()},
                       {"recent", std::move(recent)}});
}

Json Shadow::report() const {
  Json operations = Json::array();
  for (std::size_t i = 0; records_ && i < slots_.size(); ++i) operations.append(report(slots_[i], records_[i]));
  return Json::object({{"now", static_cast<std::int64_t>(ngx_time())}, {"operations", std::move(operations)}});
}

std::vector<Shadow::Totals> Shadow::totals() const {
  std::vector<Totals> all;
  for (std::size_t i = 0; records_ && i < slots_.size(); ++i) {
    auto at = std::find_if(all.begin(), all.end(), [&](const Totals& t) { return t.document == slots_[i].document; });
    if (at == all.end()) at = all.insert(all.end(), {slots_[i].document});
    at->passed += number(records_[i].passed);
    at->undecided += number(records_[i].undecided);
    for (const auto& refused : records_[i].refused) at->refused += number(refused);
  }
  return all;
}

}  // namespace wazoauth::nginx

#include "wazoauth/cache/zone.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

#include "wazoauth/acl/compile.h"
#include "wazoauth/base/text.h"
#include "wazoauth/cache/zone_blobs.h"
#include "wazoauth/cache/zone_layout.h"
#include "wazoauth/cache/zone_record.h"
#include "wazoauth/cache/zone_revocations.h"
#include "wazoauth/cache/zone_slots.h"

namespace wazoauth {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
using zone::SlotBody;
using Extent = zone::Slots::Extent;

}  // namespace

struct Zone::Layout {
  Layout(const zone::Areas& areas, NodeState& node_state)
      : node(node_state),
        header(*areas.header),
        slots(areas),
        blobs(areas),
        tombstones(areas),
        ring(areas),
        unknown(areas) {}

  zone::SlotKey key_of(const ShownToken& token) const { return sip_hash(header.secret, token.text()); }

  // Calls use(body, list) with a consistent slot; see Slots::visit().
  template <class Use>
  bool visit(const ShownToken& token, Extent extent, SlotBody& body, Use use) const {
    return slots.visit(key_of(token), extent, body, [&](const SlotBody& seen) { return with_list(seen, use); });
  }

  template <class Use>
  bool with_list(const SlotBody& body, Use use) const {
    const zone::Blobs::Ref ref{body.blob, body.generation};
    const std::string_view block = blobs.view(ref);
    if (block.empty()) return false;
    use(body, acl::AccessList(block));
    return !blobs.view(ref).empty();
  }

  void collect_blobs() {
    blobs.begin_collection();
    slots.mark(blobs);
    blobs.end_collection();
  }

  // Makes space if need be, at the expense of the tokens that weren't used for longest.
  std::optional<zone::Blobs::Ref> intern(std::string_view block) {
    if (const auto ref = blobs.intern(block)) return ref;
    collect_blobs();
    for (;;) {
      if (const auto ref = blobs.intern(block)) return ref;
      if (header.used.load(relaxed) == 0) return std::nullopt;
      slots.evict_some();
      collect_blobs();
    }
  }

  // A writer died at its work. Tombstones are whole at any time; everything else is dropped. The lap of the ring makes
  // every load under way, and every owner of a connection, assume that it has missed something.
  void rebuild() {
    slots.clear();
    blobs.clear();
    unknown.clear();
    tombstones.count();
    ring.lap();
    node.raise_epoch();
  }

  NodeState& node;
  zone::SharedHeader& header;
  zone::Slots slots;
  zone::Blobs blobs;
  zone::Tombstones tombstones;
  zone::Ring ring;
  zone::UnknownTokens unknown;
};

namespace {

// Holds the writers' lock. Nothing that throws may happen meanwhile.
template <class Layout>
class Writer {
 public:
  Writer(Layout& layout, ZoneLock& lock) : dirty_(layout.header.dirty), lock_(lock) {
    lock_.lock();
    if (dirty_.load() != 0) layout.rebuild();
    dirty_.store(1);
  }
  ~Writer() {
    dirty_.store(0);
    lock_.unlock();
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

 private:
  zone::Number<std::uint32_t>& dirty_;
  ZoneLock& lock_;
};

// Work on a long table: the lock is held for one piece of it at a time.
template <class Layout, class Work>
void in_pieces(Layout& layout, ZoneLock& lock, std::size_t items, std::size_t piece, Work work) {
  for (std::size_t begin = 0; begin < items; begin += piece) {
    const Writer writer(layout, lock);
    const std::size_t end = std::min(items, begin + piece);
    for (std::size_t item = begin; item < end; ++item) work(item);
  }
}

}  // namespace

void Zone::format(void* memory, std::size_t size) {
  if (size < minimum_size) throw std::invalid_argument("token zone too small");
  zone::Areas areas(memory, size);
  zone::SharedHeader* const header = std::construct_at(areas.header);
  zone::Blobs(areas).format();
  header->size.store(size);
  const std::string secret = random_bytes(sizeof header->secret);
  std::memcpy(&header->secret, secret.data(), sizeof header->secret);
  header->magic.store(zone::magic);
}

bool Zone::compatible(const void* memory, std::size_t size) {
  if (size < minimum_size) return false;
  const zone::Areas areas(const_cast<void*>(memory), size);
  return areas.header->magic.load() == zone::magic && areas.header->size.load() == size;
}

Zone::Zone(void* memory, std::size_t size, ZoneLock& lock, NodeState& node) : lock_(lock), node_(node) {
  if (!compatible(memory, size)) throw std::invalid_argument("no token zone of this layout and size");
  layout_ = std::make_unique<Layout>(zone::Areas(memory, size), node);
}

Zone::~Zone() = default;

namespace {

// What `me` and `my_session` mean, made only where a list has one of them.
class HolderTexts {
 public:
  HolderTexts(const SlotBody& body, const acl::AccessList& list) {
    if (!list.asks_for_holder()) return;
    const PackedFacts known = zone::packed_facts(body);
    auth_id_ = known.get(Fact::auth_id);
    session_uuid_ = known.get(Fact::session_uuid);
  }
  acl::Holder holder() const { return {auth_id_.view(), session_uuid_.view()}; }

 private:
  FactText auth_id_, session_uuid_;
};

}  // namespace

Lookup Zone::check(const ShownToken& token, const acl::Required* required, TokenFacts& facts) const {
  SlotBody body;
  bool granted = false, learned = false;
  acl::KnownLists* const lists = required ? required->known : nullptr;
  const bool known = layout_->slots.visit(layout_->key_of(token), Extent::facts, body, [&](const SlotBody& seen) {
    learned = false;
    if (!required) return granted = true;
    if (const auto* entry = lists ? lists->find(seen.generation) : nullptr) {
      granted = entry->granted != 0;
      return true;
    }
    return layout_->with_list(seen, [&](const SlotBody&, const acl::AccessList& list) {
      granted = list.grants(*required, HolderTexts(seen, list).holder());
      learned = !list.asks_for_holder();
    });
  });
  if (!known) return layout_->tombstones.contains(token.key()) ? Lookup::revoked : Lookup::unknown;
  // Not before it is certain that nobody was writing meanwhile.
  if (lists && learned) lists->add(body.generation, granted);
  zone::copy_facts(body, facts);
  return granted ? Lookup::granted : Lookup::denied;
}

bool Zone::check_all(const ShownToken& token, const std::vector<std::string>& required, TokenFacts& facts,
                     std::vector<bool>& granted) const {
  SlotBody body;
  granted.assign(required.size(), false);
  const bool known = layout_->visit(token, Extent::facts, body, [&](const SlotBody& seen, const acl::AccessList& list) {
    const HolderTexts texts(seen, list);
    for (std::size_t i = 0; i < required.size(); ++i) granted[i] = list.grants(required[i], texts.holder());
  });
  if (known) zone::copy_facts(body, facts);
  return known;
}

std::optional<Zone::Full> Zone::find(const ShownToken& token) const {
  SlotBody body;
  Full full;
  const bool known = layout_->visit(token, Extent::all, body,
                                    [&](const SlotBody&, const acl::AccessList& list) { full.acl_json = list.json(); });
  if (!known) return std::nullopt;
  auto record = zone::record_of(body);
  if (!record) return std::nullopt;
  full.record = std::move(*record);
  zone::copy_facts(body, full.facts);
  return full;
}

bool Zone::known_unknown(const TokenKey& key, BootTime now) const {
  return layout_->unknown.contains(key, now);
}

std::uint64_t Zone::revocations() const {
  return layout_->ring.position();
}

bool Zone::insert(const ShownToken& token, const TokenRecord& record, BootTime now, std::uint64_t revocations_before,
                  std::uint32_t epoch_before) {
  const TokenKey& key = token.key();
  auto body = zone::pack(layout_->key_of(token), key, record, now, epoch_before);
  if (!body) return false;
  const std::string block = acl::compile(record.acl);
  if (block.size() > layout_->blobs.largest()) return false;

  const Writer writer(*layout_, lock_);
  if (layout_->tombstones.contains(key) || layout_->ring.may_contain(key, revocations_before)) return false;
  const auto blob = layout_->intern(block);
  if (!blob) return false;
  body->blob = blob->blob;
  body->generation = blob->generation;
  layout_->slots.store(*body);
  layout_->unknown.remove(key);
  return true;
}

namespace {
// Under which the tombstones remember something else of a token than its death.
TokenKey marked_key(TokenKey key, unsigned char mark) {
  for (unsigned char& byte : key) byte = static_cast<unsigned char>(byte ^ mark);
  return key;
}
constexpr unsigned char given_up_mark = 0x55, change_mark = 0xff;
}  // namespace

// That it was given up matters only for a moment: owners of connections look within 20 ms.
void Zone::revoke(const std::vector<Revocation>& revocations, std::int64_t unix_now) {
  const Writer writer(*layout_, lock_);
  for (const Revocation& revocation : revocations) {
    if (revocation.given_up) layout_->tombstones.add(marked_key(revocation.key, given_up_mark), unix_now, unix_now);
    layout_->tombstones.add(revocation.key, revocation.expire_t, unix_now);
    layout_->slots.remove(revocation.key);
    layout_->ring.append(revocation.key);
  }
}

bool Zone::given_up(const TokenKey& key) const {
  return layout_->tombstones.contains(marked_key(key, given_up_mark));
}

void Zone::change(const std::vector<Revocation>& changes, std::int64_t unix_now) {
  const Writer writer(*layout_, lock_);
  for (const Revocation& change : changes) {
    layout_->tombstones.add(marked_key(change.key, change_mark), change.expire_t, unix_now);
    layout_->slots.remove(change.key);
    layout_->unknown.remove(change.key);
    layout_->ring.append(change.key);
  }
}

bool Zone::changed(const TokenKey& key) const {
  return layout_->tombstones.contains(marked_key(key, change_mark));
}

void Zone::forget(const std::vector<TokenKey>& keys) {
  const Writer writer(*layout_, lock_);
  for (const TokenKey& key : keys) {
    layout_->slots.remove(key);
    layout_->unknown.remove(key);
    layout_->ring.append(key);
  }
}

void Zone::remember_unknown(const TokenKey& key, BootTime until) {
  const Writer writer(*layout_, lock_);
  if (!layout_->slots.contains(key)) layout_->unknown.add(key, until);
}

void Zone::sweep(std::int64_t unix_now, BootTime now) {
  constexpr std::size_t piece = 512;
  Layout& layout = *layout_;
  layout.slots.next_tick();
  in_pieces(layout, lock_, layout.slots.buckets(), piece,
            [&](std::size_t bucket) { layout.slots.sweep(bucket, unix_now); });
  in_pieces(layout, lock_, layout.tombstones.buckets(), piece,
            [&](std::size_t bucket) { layout.tombstones.sweep(bucket, unix_now); });
  in_pieces(layout, lock_, layout.unknown.size(), piece * 8,
            [&](std::size_t entry) { layout.unknown.sweep(entry, now); });
  const Writer writer(layout, lock_);
  layout.tombstones.end_sweep(unix_now);
  layout.collect_blobs();
}

bool Zone::tombstones_overflowed() const {
  return layout_->tombstones.overflowed();
}

RevokedKeys Zone::revoked_since(std::uint64_t revocations) const {
  return layout_->ring.since(revocations);
}

ZoneCounters Zone::counters() const {
  const zone::SharedHeader& header = layout_->header;
  return {.slots = layout_->slots.size(),
          .slot_bytes =
              layout_->slots.size() * (sizeof(zone::Slot) + sizeof(zone::TagLine) / zone::ways + sizeof(std::uint32_t)),
          .used = header.used.load(relaxed),
          .evictions = header.evictions.load(relaxed),
          .blobs = header.blobs.load(relaxed),
          .blob_bytes_used = header.blob_bytes_used.load(relaxed),
          .blob_bytes = layout_->blobs.capacity(),
          .tombstones = header.tombstones.load(relaxed),
          .tombstone_capacity = layout_->tombstones.capacity(),
          .tombstones_lost = header.tombstones_lost.load(relaxed),
          .negatives = header.negatives.load(relaxed)};
}

}  // namespace wazoauth

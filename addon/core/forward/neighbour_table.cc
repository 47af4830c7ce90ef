// Neighbours of one worker, lock-free. The worker alone makes and gives up slots; host only changes
// what is known of those there are.
//
//   kFree --find_or_request--> kRequested --update--> kResolved | kFailed
//     ^                            ^------- touch, later ---------'
//     '---- the table is full and the slot was not touched for long (any state)
//
// A slot's word is MAC (48 bits), state (8) and version (8). The version grows when the slot is
// given up, so host's compare-and-swap never puts an answer into a slot that has become another
// neighbour's meanwhile. Slots hang in hash chains that the worker links. When it hangs a used slot
// elsewhere, host may be led astray: it sees that in `relinked` and looks through all slots.
#include "core/forward/neighbour_table.h"

#include <algorithm>
#include <array>

#include "core/net/reserved_array.h"

namespace uvs {
namespace {

constexpr uint64_t kMacMask = 0xffff'ffff'ffff;
constexpr unsigned kStateShift = 48, kVersionShift = 56;
constexpr size_t kBuckets = NeighbourTable::kCapacity * 2;
static_assert((kBuckets & (kBuckets - 1)) == 0);
static_assert(NeighbourTable::kCapacity < kNoNeighbour);
constexpr Micros kSweepInterval = kMicrosPerSecond;

NeighbourState state_of(uint64_t word) {
  return static_cast<NeighbourState>(word >> kStateShift & 0xff);
}
uint8_t version_of(uint64_t word) { return static_cast<uint8_t>(word >> kVersionShift); }
uint64_t make_word(uint8_t version, NeighbourState state, uint64_t mac = 0) {
  return uint64_t{version} << kVersionShift | static_cast<uint64_t>(state) << kStateShift | mac;
}

// A place in a hash chain: 0 ends it, else it is a slot's index and 1. So a table of zeroes is an
// empty one, and its pages exist only once they are used.
using Link = uint16_t;
constexpr Link kEnd = 0;
constexpr Link link_to(NeighbourIndex index) { return static_cast<Link>(index + 1); }
constexpr NeighbourIndex index_of(Link link) { return static_cast<NeighbourIndex>(link - 1); }

// A key as three words that can be read and written atomically.
struct PackedKey {
  uint64_t words[3];

  explicit PackedKey(const NeighbourKey& key)
      : words{load<uint64_t>(key.address.bytes.data()),
              load<uint64_t>(key.address.bytes.data() + 8),
              key.ifindex | static_cast<uint64_t>(key.family) << 32} {}
};

}  // namespace

struct NeighbourTable::Impl {
  struct alignas(64) Slot {
    std::atomic<uint64_t> word{0};
    std::array<std::atomic<uint64_t>, 3> key{};
    std::atomic<Micros> last_used{0};
    std::atomic<Link> next{kEnd};  // in its chain
    Micros requested_at = 0;       // the worker's own; 0: not touched since
  };
  static_assert(sizeof(Slot) == 64);

  explicit Impl(const uvs_hash_key& key) : hash_key(key) {}

  std::atomic<Link>& chain_of(const PackedKey& key) {
    return heads[uvs_siphash(key.words, 3, &hash_key) & (kBuckets - 1)];
  }
  bool holds(const Slot& slot, const PackedKey& key) const {
    for (size_t i = 0; i < 3; i++) {
      // Acquire: the word is read again behind this, and must not be older than the key.
      if (slot.key[i].load(std::memory_order_acquire) != key.words[i]) return false;
    }
    return true;
  }

  NeighbourIndex make_slot();
  bool sweep();
  void unlink(NeighbourIndex index);
  NeighbourIndex find_for_host(const PackedKey& key, uint64_t& word);
  bool holds_now(NeighbourIndex index, const PackedKey& key, uint64_t& word);

  ReservedArray<Slot> slots{kCapacity};
  ReservedArray<std::atomic<Link>> heads{kBuckets};
  std::atomic<size_t> bound{0};
  std::atomic<bool> has_requests{false};
  std::atomic<uint32_t> relinked{0};
  uvs_hash_key hash_key;
  // The worker's own:
  ReservedArray<NeighbourIndex> free_slots{kCapacity};
  size_t free_count = 0;
  uint32_t recycled = 0;
  Micros now = 0;  // the latest touch
  Micros swept_at = 0;
  bool has_swept = false;
};

// --- worker
// ------------------------------------------------------------------------------------------------------

NeighbourTable::NeighbourTable(const uvs_hash_key& hash_key)
    : impl_(std::make_unique<Impl>(hash_key)) {}
NeighbourTable::~NeighbourTable() = default;

bool NeighbourTable::is_ready() const {
  return impl_->slots.is_ready() && impl_->heads.is_ready() && impl_->free_slots.is_ready();
}

NeighbourIndex NeighbourTable::find_or_request(const NeighbourKey& key) {
  const PackedKey packed(key);
  std::atomic<Link>& head = impl_->chain_of(packed);
  for (Link at = head.load(std::memory_order_relaxed); at != kEnd;) {
    Impl::Slot& slot = impl_->slots[index_of(at)];
    if (impl_->holds(slot, packed)) {
      slot.last_used.store(impl_->now,
                           std::memory_order_relaxed);  // not for the next sweep, at least
      return index_of(at);
    }
    at = slot.next.load(std::memory_order_relaxed);
  }
  const NeighbourIndex index = impl_->make_slot();
  if (index == kNoNeighbour) return kNoNeighbour;
  Impl::Slot& slot = impl_->slots[index];
  // The slot is kFree with its new version already; who sees a word of this key sees that version
  // as well.
  for (size_t i = 0; i < 3; i++) slot.key[i].store(packed.words[i], std::memory_order_release);
  slot.last_used.store(impl_->now, std::memory_order_relaxed);
  slot.requested_at = 0;
  const uint8_t version = version_of(slot.word.load(std::memory_order_relaxed));
  slot.word.store(make_word(version, NeighbourState::kRequested), std::memory_order_release);
  // The chain's head is read now: making the slot may have swept it away.
  impl_->relinked.fetch_add(1, std::memory_order_relaxed);
  slot.next.store(head.load(std::memory_order_relaxed), std::memory_order_release);
  head.store(link_to(index), std::memory_order_release);
  if (impl_->bound.load(std::memory_order_relaxed) <= index) {
    impl_->bound.store(size_t{index} + 1, std::memory_order_release);
  }
  impl_->has_requests.store(true, std::memory_order_release);
  return index;
}

NeighbourAnswer NeighbourTable::answer(NeighbourIndex index) const {
  if (index >= kCapacity) return {};
  const uint64_t word = impl_->slots[index].word.load(std::memory_order_acquire);
  NeighbourAnswer result{state_of(word), {}};
  std::memcpy(result.mac.bytes.data(), &word, result.mac.bytes.size());
  return result;
}

void NeighbourTable::touch(NeighbourIndex index, Micros now) {
  if (index >= kCapacity) return;
  impl_->now = now;
  Impl::Slot& slot = impl_->slots[index];
  // Host reads it now and then: a store of what stands there would cost a cache line each time.
  if (slot.last_used.load(std::memory_order_relaxed) != now)
    slot.last_used.store(now, std::memory_order_relaxed);
  uint64_t word = slot.word.load(std::memory_order_relaxed);
  const NeighbourState state = state_of(word);
  if (state == NeighbourState::kResolved) return;
  if (slot.requested_at == 0 && state == NeighbourState::kRequested) slot.requested_at = now;
  if (state != NeighbourState::kFailed || now - slot.requested_at < kRetryInterval) return;
  // Host may just have learnt better: then its word stays.
  if (slot.word.compare_exchange_strong(word,
                                        make_word(version_of(word), NeighbourState::kRequested),
                                        std::memory_order_acq_rel)) {
    slot.requested_at = now;
    impl_->has_requests.store(true, std::memory_order_release);
  }
}

uint32_t NeighbourTable::recycled() const { return impl_->recycled; }

NeighbourIndex NeighbourTable::Impl::make_slot() {
  const size_t used = bound.load(std::memory_order_relaxed);
  if (used < kCapacity) return static_cast<NeighbourIndex>(used);
  if (free_count == 0 && !sweep()) return kNoNeighbour;
  return free_slots[--free_count];
}

// Takes back every slot that was idle for long, all at once: each time costs every connection a new
// look.
bool NeighbourTable::Impl::sweep() {
  if (has_swept && now - swept_at < kSweepInterval) return false;
  has_swept = true;
  swept_at = now;
  for (size_t i = 0; i < kCapacity; i++) {
    Slot& slot = slots[i];
    const uint64_t word = slot.word.load(std::memory_order_relaxed);
    const Micros limit = state_of(word) == NeighbourState::kFailed ? kFailedIdleLimit : kIdleLimit;
    if (now - slot.last_used.load(std::memory_order_relaxed) < limit) continue;
    const auto index = static_cast<NeighbourIndex>(i);
    unlink(index);
    slot.word.store(make_word(static_cast<uint8_t>(version_of(word) + 1), NeighbourState::kFree),
                    std::memory_order_release);
    free_slots[free_count++] = index;
  }
  if (free_count == 0) return false;
  recycled++;
  return true;
}

void NeighbourTable::Impl::unlink(NeighbourIndex index) {
  uint64_t words[3];
  for (size_t i = 0; i < 3; i++) words[i] = slots[index].key[i].load(std::memory_order_relaxed);
  std::atomic<Link>* link = &heads[uvs_siphash(words, 3, &hash_key) & (kBuckets - 1)];
  while (link->load(std::memory_order_relaxed) != link_to(index))
    link = &slots[index_of(link->load(std::memory_order_relaxed))].next;
  link->store(slots[index].next.load(std::memory_order_relaxed), std::memory_order_release);
}

// --- host
// --------------------------------------------------------------------------------------------------------

bool NeighbourTable::take_requests() {
  return impl_->has_requests.exchange(false, std::memory_order_acq_rel);
}

std::optional<NeighbourKey> NeighbourTable::key(NeighbourIndex index) const {
  if (index >= kCapacity) return std::nullopt;
  const Impl::Slot& slot = impl_->slots[index];
  const uint64_t word = slot.word.load(std::memory_order_acquire);
  if (state_of(word) == NeighbourState::kFree) return std::nullopt;
  uint64_t words[3];
  for (size_t i = 0; i < 3; i++) words[i] = slot.key[i].load(std::memory_order_acquire);
  if (version_of(slot.word.load(std::memory_order_relaxed)) != version_of(word))
    return std::nullopt;
  NeighbourKey key;
  std::memcpy(key.address.bytes.data(), words, key.address.bytes.size());
  key.ifindex = static_cast<uint32_t>(words[2]);
  key.family = static_cast<Family>(words[2] >> 32);
  return key;
}

Micros NeighbourTable::last_used(NeighbourIndex index) const {
  return index < kCapacity ? impl_->slots[index].last_used.load(std::memory_order_relaxed) : 0;
}

size_t NeighbourTable::bound() const { return impl_->bound.load(std::memory_order_acquire); }

size_t NeighbourTable::longest_chain() const {
  size_t longest = 0;
  for (size_t bucket = 0; bucket < kBuckets; bucket++) {
    size_t length = 0;
    Link at = impl_->heads[bucket].load(std::memory_order_relaxed);
    for (; at != kEnd; length++) at = impl_->slots[index_of(at)].next.load(std::memory_order_relaxed);
    longest = std::max(longest, length);
  }
  return longest;
}

// Does slot `index` hold `key`? `word` is then one of the time when it did.
bool NeighbourTable::Impl::holds_now(NeighbourIndex index, const PackedKey& key, uint64_t& word) {
  const Slot& slot = slots[index];
  word = slot.word.load(std::memory_order_acquire);
  return state_of(word) != NeighbourState::kFree && holds(slot, key) &&
         version_of(slot.word.load(std::memory_order_relaxed)) == version_of(word);
}

NeighbourIndex NeighbourTable::Impl::find_for_host(const PackedKey& key, uint64_t& word) {
  constexpr int kMaxSteps = 64;  // no chain is that long, unless it is several
  const uint32_t relinked_before = relinked.load(std::memory_order_acquire);
  Link at = chain_of(key).load(std::memory_order_acquire);
  for (int steps = 0; at != kEnd && steps < kMaxSteps; steps++) {
    if (holds_now(index_of(at), key, word)) return index_of(at);
    at = slots[index_of(at)].next.load(std::memory_order_acquire);
  }
  // Whoever followed a changed link sees the counter changed, too.
  if (at == kEnd && relinked.load(std::memory_order_relaxed) == relinked_before)
    return kNoNeighbour;
  const auto end = static_cast<NeighbourIndex>(bound.load(std::memory_order_acquire));
  for (NeighbourIndex index = 0; index < end; index++) {
    if (holds_now(index, key, word)) return index;
  }
  return kNoNeighbour;
}

void NeighbourTable::update(const NeighbourKey& key, NeighbourState state, const MacAddress& mac) {
  if (state != NeighbourState::kResolved && state != NeighbourState::kFailed) return;
  const PackedKey packed(key);
  uint64_t word = 0;
  const NeighbourIndex index = impl_->find_for_host(packed, word);
  if (index == kNoNeighbour) return;
  uint64_t mac_bits = 0;
  if (state == NeighbourState::kResolved)
    std::memcpy(&mac_bits, mac.bytes.data(), mac.bytes.size());
  const uint64_t new_word = make_word(version_of(word), state, mac_bits & kMacMask);
  std::atomic<uint64_t>& slot_word = impl_->slots[index].word;
  const uint8_t version = version_of(word);
  // The worker may ask again meanwhile (same version: try again) or give the slot up (another:
  // nothing to tell).
  while (version_of(word) == version &&
         !slot_word.compare_exchange_weak(word, new_word, std::memory_order_acq_rel)) {
  }
}

}  // namespace uvs

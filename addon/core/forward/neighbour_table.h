// Next hops and their MACs, shared between one worker (asks, reads, marks as used) and host
// (answers). A fixed number of slots; MAC and state are one atomic word, so a reader never sees
// half an update. A full table takes back slots that are no longer used, and says so: an index is
// worth something only while recycled() stands where it stood when the index was found.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/net/address.h"
#include "core/net/time.h"
#include "shared/siphash.h"

namespace uvs {

enum class NeighbourState : uint8_t { kFree, kRequested, kResolved, kFailed };

struct NeighbourAnswer {
  NeighbourState state = NeighbourState::kFree;
  MacAddress mac;
};

using NeighbourIndex = uint16_t;
inline constexpr NeighbourIndex kNoNeighbour = 0xffff;

struct NeighbourKey {
  uint32_t ifindex = 0;
  Family family = Family::kIpv4;
  IpAddress address;
  bool operator==(const NeighbourKey&) const = default;
};

class NeighbourTable {
 public:
  static constexpr size_t kCapacity = 16384;
  // A failed slot in use is asked for again this long after the last request.
  static constexpr Micros kRetryInterval = kMicrosPerSecond;
  // A full table takes back what was not touched for this long, looking at most once a second. One that failed was
  // touched each second if anybody wanted it: strangers make up such by the thousand.
  static constexpr Micros kIdleLimit = 60 * kMicrosPerSecond;
  static constexpr Micros kFailedIdleLimit = 2 * kMicrosPerSecond;

  // `hash_key` is secret, random in production: strangers choose on-link addresses (of an IPv6 /64 as many as they
  // like), and who knew the key would choose such that share one chain.
  explicit NeighbourTable(const uvs_hash_key& hash_key);
  ~NeighbourTable();

  // False when there was no address space: nothing else may be called then.
  bool is_ready() const;

  // Worker. The slot of `key`, made (state kRequested, take_requests() becomes true) when it is
  // new; kNoNeighbour when the table is full of slots in use.
  NeighbourIndex find_or_request(const NeighbourKey& key);
  // Any. One atomic read. For the worker kFree only for an index older than recycled().
  NeighbourAnswer answer(NeighbourIndex index) const;
  // Worker. Marks the slot as in use at `now`, so that host keeps it fresh. Touching a failed slot
  // makes it kRequested again when kRetryInterval has passed since it was last requested.
  void touch(NeighbourIndex index, Micros now);
  // Worker. Grows when slots were given up: find again what was found before. Stamp it beside
  // HostView::generation.
  uint32_t recycled() const;

  // Host. True once after new requests came; clears the flag. Then those slots below bound() are
  // wanted whose answer() is kRequested.
  bool take_requests();
  // Host. The key in slot `index`, if it holds one.
  std::optional<NeighbourKey> key(NeighbourIndex index) const;
  // Host. When it was last touched or found; 0: before the table's first touch.
  Micros last_used(NeighbourIndex index) const;
  // Host. Slots in use are below this.
  size_t bound() const;
  // Worker. The most slots that one look-up may walk. Cost: all buckets.
  size_t longest_chain() const;
  // Host. Sets what is known; a key that nobody asked for is ignored. kFree and kRequested are no
  // knowledge: ignored.
  void update(const NeighbourKey& key, NeighbourState state, const MacAddress& mac);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

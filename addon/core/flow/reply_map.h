// Which packets from servers are expected as replies to NAT connections: a hash table of 64-byte
// buckets, shared with the steering program that reads it while we write. One writer; all of a slot
// is written in 64-bit atomic steps.
#pragma once

#include <cstdint>
#include <span>

#include "core/net/address.h"
#include "shared/flow.h"

namespace uvs {

// The packet that is expected: from the server's real address to the client. Ports in host order.
struct ReplyTuple {
  Family family = Family::kIpv4;
  uint8_t protocol = 0;
  IpAddress server;
  uint16_t server_port = 0;
  IpAddress client;
  uint16_t client_port = 0;
};

// A key may stand in either of two buckets. Readers look into the first, then into the second. When
// both are full an entry makes room by moving, and only ever from its first bucket to its second,
// copied before it is overwritten: a reader that comes too late for the one is in time for the
// other, so nobody misses a key that is there. The price: entries don't come back, so a map that
// lives for long should stay below 60 % (no insertion of 5 million failed; at 70 % 3 of 100,000
// did). An empty one can be filled to 94 %.
class ReplyMap {
 public:
  enum class Inserted : uint8_t { kDone, kFull, kTaken };

  // `buckets` is zeroed memory of a power-of-two length that outlives the map.
  ReplyMap(std::span<uvs_flow_bucket> buckets, const uvs_hash_key& key);

  uint64_t key_of(const ReplyTuple& tuple) const;

  // Cost: two buckets; when both are full a bounded search. kTaken: the key is there already.
  Inserted insert(uint64_t key);
  // False when it is not there.
  bool erase(uint64_t key);
  // As a reader does it: any thread.
  bool contains(uint64_t key) const;

  size_t count() const { return count_; }
  size_t capacity() const { return buckets_.size() * UVS_FLOW_SLOTS; }

 private:
  uvs_flow_bucket& first(uint64_t key) const { return buckets_[key & mask_]; }
  uvs_flow_bucket& second(uint64_t key) const { return buckets_[(key >> 32) & mask_]; }
  static uvs_flow_slot* find(uvs_flow_bucket& bucket, uint64_t key);
  uvs_flow_slot* make_room(uint64_t key);

  std::span<uvs_flow_bucket> buckets_;
  uint64_t mask_;
  uvs_hash_key key_;
  size_t count_ = 0;
};

}  // namespace uvs

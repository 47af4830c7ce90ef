// What sh, mh and dh share: an address folded into a key, and the bucket that it leads to.
#pragma once

#include <cstdint>

#include "core/net/bytes.h"
#include "core/schedule/scheduler.h"

namespace uvs {

// The words of the address, in host order, XORed.
inline uint32_t folded(Family family, const IpAddress& address) {
  const uint8_t* bytes = address.bytes.data();
  uint32_t sum = load<Be32>(bytes).host();
  if (family == Family::kIpv6) {
    for (size_t i = 4; i < 16; i += 4) sum ^= load<Be32>(bytes + i).host();
  }
  return sum;
}

// The kernel's hash_32, reduced to `bits`: the high bits of the product.
constexpr uint32_t hash_32(uint32_t value, unsigned bits) {
  constexpr uint32_t kGoldenRatio = 0x61C88647;
  return value * kGoldenRatio >> (32 - bits);
}

// Positions of the servers that buckets are dealt out to: all but those that left the configuration, whose clients must
// go elsewhere while their last connections run out.
inline std::vector<uint32_t> bucket_takers(const Service& service) {
  std::vector<uint32_t> positions;
  for (uint32_t i = 0; i < service.destinations.size(); i++) {
    if (!service.destinations[i].spec.is_removed) positions.push_back(i);
  }
  return positions;
}

// The client's key: its address, with the flag kPort its port too.
inline uint32_t client_key(const Choice& choice) {
  const ParsedPacket& packet = choice.packet;
  const uint32_t port = choice.has_flag(SchedulerFlag::kPort) ? packet.source_port : 0;
  return port + folded(packet.family, packet.source);
}

// The usable destination of bucket `bucket_of(0)`. Where it isn't, null; with the flag kFallback, the first usable one of
// the buckets of the offsets from there on. `bucket_of` gives numbers below the number of buckets.
template <typename BucketOf>
const Destination* choose_bucket(const Choice& choice, BucketOf bucket_of) {
  const std::vector<uint32_t>& buckets = choice.service.plan.buckets;
  if (buckets.empty()) return nullptr;
  const auto usable_in = [&](uint32_t bucket) -> const Destination* {
    const Destination& destination = choice.service.destinations[buckets[bucket]];
    return choice.states[destination.slot].is_usable() ? &destination : nullptr;
  };
  const uint32_t first = bucket_of(0);
  if (const Destination* destination = usable_in(first)) return destination;
  if (!choice.has_flag(SchedulerFlag::kFallback)) return nullptr;
  const auto count = static_cast<uint32_t>(buckets.size());
  for (uint32_t offset = 0; offset < count; offset++) {
    if (const Destination* next = usable_in(bucket_of((offset + first) % count))) return next;
  }
  return nullptr;
}

}  // namespace uvs

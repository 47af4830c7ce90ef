// sh: the client's address (with sh-port its port too) decides, through 256 buckets that are dealt
// out by weight. Without sh-fallback a client whose server can't be used is refused; with it, its
// next buckets are tried.
#include "core/net/bytes.h"
#include "core/schedule/registry.h"

namespace uvs {

namespace {

constexpr uint32_t kBuckets = 256;

// The list is dealt out round and round, each destination as many buckets in a row as its weight; a
// quiesced one still takes one a round (and refuses its clients, as in the kernel). No
// destinations: no buckets.
SchedulerPlan plan(const Service& service) {
  SchedulerPlan made;
  if (service.destinations.empty()) return made;
  made.buckets.reserve(kBuckets);
  uint32_t position = 0, dealt = 0;
  for (uint32_t i = 0; i < kBuckets; i++) {
    made.buckets.push_back(position);
    if (++dealt < service.destinations[position].spec.weight) continue;
    dealt = 0;
    position = position + 1 < service.destinations.size() ? position + 1 : 0;
  }
  return made;
}

void adopt(const ServiceChange&, DestinationStates, SchedulerState& state) { state = {}; }

// The kernel's hash_32 of (port + folded address), both in host order: the high 8 bits of the
// product.
uint32_t hash_of(const ParsedPacket& packet, bool has_port) {
  const uint8_t* bytes = packet.source.bytes.data();
  uint32_t folded = load<Be32>(bytes).host();
  if (packet.family == Family::kIpv6) {
    for (size_t i = 4; i < 16; i += 4) folded ^= load<Be32>(bytes + i).host();
  }
  constexpr uint32_t kGoldenRatio = 0x61C88647;
  return ((has_port ? packet.source_port : 0u) + folded) * kGoldenRatio >> 24;
}

const Destination* choose(const Service& service, DestinationStates states, SchedulerState&,
                          const ParsedPacket& packet) {
  const std::vector<uint32_t>& buckets = service.plan.buckets;
  if (buckets.empty()) return nullptr;
  const uint32_t hash = hash_of(packet, service.key.has_sh_port);
  const auto usable_in = [&](uint32_t bucket) -> const Destination* {
    const Destination& destination = service.destinations[buckets[bucket % kBuckets]];
    return states[destination.slot].is_usable() ? &destination : nullptr;
  };
  if (const Destination* first = usable_in(hash)) return first;
  if (!service.key.has_sh_fallback) return nullptr;
  for (uint32_t offset = 0; offset < kBuckets; offset++) {
    // The kernel adds the hash to the offset and then hashes with that offset again: it counts
    // twice.
    const Destination* next = usable_in((offset + hash) % kBuckets + hash);
    if (next != nullptr) return next;
  }
  return nullptr;
}

}  // namespace

const Scheduler kSourceHashScheduler = {"sh", plan, adopt, choose, true};

}  // namespace uvs

// dh: the address that the packet is sent to decides, through 256 buckets that are dealt out one by one, whatever the
// weights. For services of many addresses (by firewall mark); one virtual address has one server.
#include "core/schedule/hash.h"

namespace uvs {

namespace {

constexpr unsigned kBucketBits = 8;

SchedulerPlan plan(const Service& service) {
  SchedulerPlan made;
  const std::vector<uint32_t> takers = bucket_takers(service);
  if (takers.empty()) return made;
  for (uint32_t i = 0; i < 1u << kBucketBits; i++) made.buckets.push_back(takers[i % takers.size()]);
  return made;
}

const Destination* choose(const Choice& choice) {
  const ParsedPacket& packet = choice.packet;
  const std::vector<uint32_t>& buckets = choice.service.plan.buckets;
  if (buckets.empty()) return nullptr;
  const uint32_t bucket = hash_32(folded(packet.family, packet.destination), kBucketBits);
  const Destination& destination = choice.service.destinations[buckets[bucket]];
  return choice.states[destination.slot].is_usable() ? &destination : nullptr;
}

}  // namespace

extern const Scheduler kDestinationHashScheduler = {
    .name = "dh", .choose = choose, .plan = plan, .is_by_packet = true};

}  // namespace uvs

// mh: the client's address (with mh-port its port too) decides, through a table of 4,093 buckets that few clients leave
// when a server comes or goes (Eisenbud et al., Maglev, 2016, section 3.4). A server whose weight is 0 keeps its buckets:
// they go by its last weight above 0. Without mh-fallback its clients are refused meanwhile.
#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

#include "core/schedule/hash.h"

namespace uvs {

namespace {

// A prime: whatever a server's step, it comes by every bucket. The kernel's default (CONFIG_IP_VS_MH_TAB_INDEX 12).
constexpr uint32_t kBuckets = 4093;
// Beyond this the ratios of weights are rounded, so that one turn stays short.
constexpr int kMaxTurnBits = 6;

// SipHash-1-3 of four bytes, folded to 32 bits: the kernel's hsiphash on machines of 64 bits. The keys are the kernel's,
// and no secret: all directors must agree.
uint32_t hsiphash(uint32_t value, uint64_t key) {
  uint64_t v0 = 0x736f6d6570736575 ^ key, v1 = 0x646f72616e646f6d ^ key, v2 = 0x6c7967656e657261 ^ key,
           v3 = 0x7465646279746573 ^ key;
  const auto round = [&] {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  const uint64_t block = uint64_t{4} << 56 | value;
  v3 ^= block;
  round();
  v0 ^= block;
  v2 ^= 0xff;
  for (int i = 0; i < 3; i++) round();
  return static_cast<uint32_t>(v0 ^ v1 ^ v2 ^ v3);
}
constexpr uint64_t kFirstKey = 2654435761, kSecondKey = 2654446892;

// One server's walk over the buckets, and how many it takes each time that it is its turn.
struct Walk {
  uint32_t bucket, step, turns;
};

std::vector<Walk> walks_of(const Service& service) {
  uint32_t divisor = 0, highest = 0;
  for (const Destination& destination : service.destinations) {
    divisor = std::gcd(divisor, destination.last_weight);
    highest = std::max(highest, destination.last_weight);
  }
  std::vector<Walk> walks;
  if (highest == 0) return walks;
  const int shift = std::max(0, static_cast<int>(std::bit_width(highest / divisor)) - kMaxTurnBits);
  for (const auto& [spec, slot, last_weight] : service.destinations) {
    const uint32_t key = spec.port + folded(spec.family, spec.address);
    const uint32_t turns = last_weight == 0 ? 0 : std::max(1u, last_weight / divisor >> shift);
    walks.push_back({hsiphash(key, kFirstKey) % kBuckets, hsiphash(key, kSecondKey) % (kBuckets - 1) + 1, turns});
  }
  return walks;
}

SchedulerPlan plan(const Service& service) {
  SchedulerPlan made;
  std::vector<Walk> walks = walks_of(service);
  if (walks.empty()) return made;
  constexpr uint32_t kFree = UINT32_MAX;
  made.buckets.assign(kBuckets, kFree);
  for (uint32_t taken = 0;;) {
    for (uint32_t position = 0; position < walks.size(); position++) {
      auto& [bucket, step, turns] = walks[position];
      for (uint32_t turn = 0; turn < turns; turn++) {
        while (made.buckets[bucket] != kFree) bucket = (bucket + step) % kBuckets;
        made.buckets[bucket] = position;
        if (++taken == kBuckets) return made;
      }
    }
  }
}

const Destination* choose(const Choice& choice) {
  const uint32_t key = client_key(choice);
  return choose_bucket(choice, [key](uint32_t offset) { return hsiphash(offset + key, kFirstKey) % kBuckets; });
}

}  // namespace

extern const Scheduler kMaglevHashScheduler = {
    .name = "mh", .choose = choose, .plan = plan, .is_by_packet = true};

}  // namespace uvs

// sh: the client's address (with sh-port its port too) decides, through 256 buckets that are dealt out by weight. Without
// sh-fallback a client whose server can't be used is refused; with it, its next buckets are tried.
#include "core/schedule/hash.h"

namespace uvs {

namespace {

constexpr unsigned kBucketBits = 8;
constexpr uint32_t kBuckets = 1u << kBucketBits;

// The list is dealt out round and round, each destination as many buckets in a row as its weight; a
// quiesced one still takes one a round (and refuses its clients, as in the kernel). No
// destinations: no buckets.
SchedulerPlan plan(const Service& service) {
  SchedulerPlan made;
  const std::vector<uint32_t> takers = bucket_takers(service);
  if (takers.empty()) return made;
  made.buckets.reserve(kBuckets);
  size_t taker = 0;
  uint32_t dealt = 0;
  for (uint32_t i = 0; i < kBuckets; i++) {
    made.buckets.push_back(takers[taker]);
    if (++dealt < service.destinations[takers[taker]].spec.weight) continue;
    dealt = 0;
    taker = taker + 1 < takers.size() ? taker + 1 : 0;
  }
  return made;
}

const Destination* choose(const Choice& choice) {
  const uint32_t hash = hash_32(client_key(choice), kBucketBits);
  return choose_bucket(choice, [hash](uint32_t offset) { return (offset + hash) % kBuckets; });
}

}  // namespace

extern const Scheduler kSourceHashScheduler = {
    .name = "sh", .choose = choose, .plan = plan, .is_by_packet = true};

}  // namespace uvs

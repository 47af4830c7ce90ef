// How many of our own ICMP answers may leave, as Linux limits its own: "too big" as often as it is
// due, since path MTU discovery of all would end with one flood (icmpv4_mask_allow,
// icmpv6_mask_allow); any other by two token buckets, one of the host that it goes to
// (net.ipv4.icmp_ratelimit 1000) and one over all (icmp_msgs_per_sec 1000, icmp_msgs_burst 50). One
// thread; nothing allocated after it is made.
#pragma once

#include <cstdint>

#include "core/forward/icmp_error.h"
#include "core/net/address.h"
#include "core/net/reserved_array.h"
#include "shared/siphash.h"
#include "core/net/time.h"

namespace uvs {

// Time that has been saved up: an answer costs `price` of it, at most `burst` answers' worth is kept.
class TokenBucket {
 public:
  TokenBucket(Micros price, uint32_t burst) : price_(price), limit_(price * burst), saved_(limit_) {}

  bool has_token(Micros now);
  void take() { saved_ -= price_; }  // has_token() was asked

 private:
  Micros price_, limit_, saved_;
  Micros updated_at_ = 0;  // a clock that goes back counts as standing still
};

class AnswerLimits {
 public:
  static constexpr uint32_t kPerSecond = 1000, kBurst = 50;
  static constexpr uint32_t kBurstPerTarget = 6;  // XRLIM_BURST_FACTOR; then one a second
  // Targets that are remembered: of a set's, the one that was answered longest ago gives way, and
  // begins anew when it comes back. What it could gain by that the bucket over all bounds.
  static constexpr size_t kSets = 1024, kWays = 4;

  // `key` is secret: nobody chooses who shares a set with whom.
  explicit AnswerLimits(const uvs_hash_key& key) : key_(key), targets_(kSets * kWays) {}

  bool is_ready() const { return targets_.is_ready(); }

  // May one answer leave for `target` at `now`? Ask last, when it would be sent: a grant is final.
  // The target is asked first, so that one that is refused takes nothing from the others.
  [[nodiscard]] bool allow(Answer answer, Family family, const IpAddress& target, Micros now);

 private:
  struct Target {
    Target() : bucket(kMicrosPerSecond, kBurstPerTarget) {}
    IpAddress address;
    Family family = Family::kIpv4;
    Micros answered_at = 0;  // 0: never used
    TokenBucket bucket;
  };

  Target& find(Family family, const IpAddress& address);

  const uvs_hash_key key_;
  ReservedArray<Target> targets_;
  TokenBucket all_{kMicrosPerSecond / kPerSecond, kBurst};
};

}  // namespace uvs

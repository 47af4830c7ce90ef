#include "core/forward/answer_limits.h"

#include <algorithm>

namespace uvs {

bool TokenBucket::has_token(Micros now) {
  if (now > updated_at_) {
    saved_ += std::min(now - updated_at_, limit_ - saved_);
    updated_at_ = now;
  }
  return saved_ >= price_;
}

bool AnswerLimits::allow(Answer answer, Family family, const IpAddress& target, Micros now) {
  if (answer == Answer::kTooBig) return true;
  Target& found = find(family, target);
  found.answered_at = now;
  if (!found.bucket.has_token(now) || !all_.has_token(now)) return false;
  found.bucket.take();
  all_.take();
  return true;
}

// The target's place, made anew when it is not remembered.
AnswerLimits::Target& AnswerLimits::find(Family family, const IpAddress& address) {
  const uint64_t words[3] = {load<uint64_t>(address.bytes.data()),
                             load<uint64_t>(address.bytes.data() + 8),
                             static_cast<uint64_t>(family)};
  Target* set = &targets_[uvs_siphash(words, 3, &key_) % kSets * kWays];
  Target* oldest = set;
  for (Target* target = set; target < set + kWays; target++) {
    if (target->answered_at != 0 && target->family == family && target->address == address) {
      return *target;
    }
    if (target->answered_at < oldest->answered_at) oldest = target;
  }
  *oldest = Target{};
  oldest->address = address;
  oldest->family = family;
  return *oldest;
}

}  // namespace uvs

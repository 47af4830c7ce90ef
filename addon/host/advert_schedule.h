// When the repeater speaks for one virtual router, and until when it may: no sockets, no clock, `now` is handed in.
// src/dataplane/network.ts states the same rules for everybody (Repetition, repeatDelay, advertise).
#pragma once

#include <algorithm>
#include <optional>

#include "core/net/time.h"

namespace uvs {

inline constexpr Micros kNever = UINT64_MAX;

struct Repetition {
  Micros interval = 0;
  Micros lease = 0;
};

class AdvertSchedule {
 public:
  // Late enough that a caller who is on time is never doubled.
  static constexpr Micros delay_of(Micros interval) {
    return interval + std::max<Micros>(std::min<Micros>(interval / 4, 50'000), 2'000);
  }

  // Somebody has just spoken. Without repetition the repeater falls silent, and the lease goes on as long as before.
  void spoken(Micros now, const std::optional<Repetition>& repetition) {
    interval_ = repetition ? std::max<Micros>(repetition->interval, 1) : 0;
    repeat_at_ = repetition ? now + delay_of(interval_) : kNever;
    if (repetition) lease_ = repetition->lease;
    lease_end_ = lease_ == 0 ? kNever : now + lease_;
  }

  // True, and once only: the repeater has to speak now.
  bool take_repeat(Micros now) {
    if (now < repeat_at_) return false;
    // After a stall it does not catch up on what nobody missed.
    repeat_at_ = std::max(repeat_at_ + interval_, now + 1);
    return true;
  }

  bool is_repeating() const { return repeat_at_ != kNever; }
  // No lease: kNever.
  Micros lease_end() const { return lease_end_; }
  bool has_run_out(Micros now) const { return now >= lease_end_; }
  // What follows a lease that has run out.
  void end() {
    repeat_at_ = lease_end_ = kNever;
    lease_ = 0;
  }

  Micros next_deadline() const { return std::min(repeat_at_, lease_end_); }

 private:
  Micros interval_ = 0, lease_ = 0;
  Micros repeat_at_ = kNever, lease_end_ = kNever;
};

}  // namespace uvs

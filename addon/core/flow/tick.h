// Time inside a connection: 32 bits of 65.5 ms each, which wrap after nine years and are compared
// by their difference. Only these functions turn one kind of time into the other.
#pragma once

#include <cstdint>

#include "core/net/time.h"

namespace uvs {

using Tick = uint32_t;
inline constexpr unsigned kTickShift = 16;  // 2^16 us
// Nothing may lie further ahead than half of what 32 bits reach.
inline constexpr uint32_t kMaxTimeout_s = 365 * 24 * 3600;

constexpr Tick tick_of(Micros now) { return static_cast<Tick>(now >> kTickShift); }

// The first tick that begins no earlier than `timeout_s` after `now`.
constexpr Tick tick_after(Micros now, uint32_t timeout_s) {
  const uint32_t bounded = timeout_s < kMaxTimeout_s ? timeout_s : kMaxTimeout_s;
  return tick_of(now + bounded * kMicrosPerSecond + ((1u << kTickShift) - 1));
}

// The same in milliseconds.
constexpr Tick tick_after_ms(Micros now, uint64_t timeout_ms) {
  constexpr uint64_t kMost_ms = uint64_t{kMaxTimeout_s} * 1000;
  return tick_of(now + (timeout_ms < kMost_ms ? timeout_ms : kMost_ms) * 1000 + ((1u << kTickShift) - 1));
}

// Ticks from `from` to `to`; negative when `to` is the earlier one.
constexpr int32_t ticks_between(Tick from, Tick to) { return static_cast<int32_t>(to - from); }

}  // namespace uvs

// Time as the core sees it: integer microseconds of a monotonic clock, always handed in.
#pragma once

#include <cstdint>

namespace uvs {

using Micros = uint64_t;
inline constexpr Micros kMicrosPerSecond = 1'000'000;

}  // namespace uvs

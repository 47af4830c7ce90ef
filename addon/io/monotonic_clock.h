// The one clock of everything beside the packet path: CLOCK_MONOTONIC, which the steering program's
// heartbeat uses too.
#pragma once

#include <time.h>

#include "core/net/time.h"

namespace uvs {

inline Micros monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Micros>(now.tv_sec) * kMicrosPerSecond +
         static_cast<Micros>(now.tv_nsec) / 1000;
}

}  // namespace uvs

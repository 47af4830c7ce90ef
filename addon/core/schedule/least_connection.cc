// lc: whoever has the least overhead (active * 256 + inactive); weights only say who may be chosen
// at all. The first in the list wins a tie.
#include "core/schedule/scheduler.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) {
  const Destination* best = nullptr;
  uint64_t best_overhead = 0;
  for (const Destination& destination : choice.service.destinations) {
    const DestinationState& state = choice.states[destination.slot];
    if (!state.is_usable()) continue;
    const uint64_t overhead = state.overhead();
    if (best != nullptr && overhead >= best_overhead) continue;
    best = &destination;
    best_overhead = overhead;
  }
  return best;
}

}  // namespace

extern const Scheduler kLeastConnectionScheduler = {.name = "lc", .choose = choose};

}  // namespace uvs

// ovf: the highest weight that is not full; full is who has more active connections than its weight. The first in the
// list wins a tie. When all are full, nobody is chosen.
#include "core/schedule/scheduler.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) {
  const Destination* best = nullptr;
  for (const Destination& destination : choice.service.destinations) {
    const DestinationState& state = choice.states[destination.slot];
    if (!state.is_usable() || state.active.get() > destination.spec.weight) continue;
    if (best == nullptr || destination.spec.weight > best->spec.weight) best = &destination;
  }
  return best;
}

}  // namespace

extern const Scheduler kOverflowScheduler = {.name = "ovf", .choose = choose};

}  // namespace uvs

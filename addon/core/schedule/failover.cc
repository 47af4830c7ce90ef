// fo: everything to the highest weight that is usable. The first in the list wins a tie.
#include "core/schedule/scheduler.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) {
  const Destination* best = nullptr;
  for (const Destination& destination : choice.service.destinations) {
    if (!choice.states[destination.slot].is_usable()) continue;
    if (best == nullptr || destination.spec.weight > best->spec.weight) best = &destination;
  }
  return best;
}

}  // namespace

extern const Scheduler kFailoverScheduler = {.name = "fo", .choose = choose};

}  // namespace uvs

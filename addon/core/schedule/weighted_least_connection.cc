// wlc: the least overhead for its weight; the quotients are compared crosswise, so nothing is
// rounded. The first in the list wins a tie.
#include "core/schedule/registry.h"

namespace uvs {

namespace {

SchedulerPlan plan(const Service&) { return {}; }

void adopt(const ServiceChange&, DestinationStates, SchedulerState& state) { state = {}; }

const Destination* choose(const Service& service, DestinationStates states, SchedulerState&,
                          const ParsedPacket&) {
  const Destination* best = nullptr;
  uint64_t best_overhead = 0;
  for (const Destination& destination : service.destinations) {
    const DestinationState& state = states[destination.slot];
    if (!state.is_usable()) continue;
    const uint64_t overhead = state.overhead();
    // Overheads stay below 2^41 and weights below 2^16 (kMaxWeight): the products fit.
    if (best != nullptr &&
        best_overhead * destination.spec.weight <= overhead * best->spec.weight) {
      continue;
    }
    best = &destination;
    best_overhead = overhead;
  }
  return best;
}

}  // namespace

const Scheduler kWeightedLeastConnectionScheduler = {"wlc", plan, adopt, choose};

}  // namespace uvs

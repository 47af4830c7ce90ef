// lc: whoever has the least overhead (active * 256 + inactive); weights only say who may be chosen
// at all. The first in the list wins a tie.
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
    if (best != nullptr && overhead >= best_overhead) continue;
    best = &destination;
    best_overhead = overhead;
  }
  return best;
}

}  // namespace

const Scheduler kLeastConnectionScheduler = {"lc", plan, adopt, choose};

}  // namespace uvs

// nq: the first that has no active connection; when all have some, as sed.
#include "core/schedule/least.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) {
  for (const Destination& destination : choice.service.destinations) {
    const DestinationState& state = choice.states[destination.slot];
    if (state.is_usable() && state.active.get() == 0) return &destination;
  }
  return least_loaded(choice, delay_of);
}

}  // namespace

extern const Scheduler kNeverQueueScheduler = {.name = "nq", .choose = choose};

}  // namespace uvs

// rr: everyone in turn, whatever their weights. The state points at the destination chosen last, or
// at the list head.
#include "core/schedule/scheduler.h"

namespace uvs {

namespace {

// The pointer stays with its destination wherever that stands now. When it was removed, the pointer
// moves to the entry before it, so that the search goes on with the one after it.
void adopt(const ServiceChange& change, DestinationStates states, SchedulerState& state) {
  if (change.before == nullptr) {
    state.position = kListHead;
    return;
  }
  for (uint32_t i = state.position; i != kListHead; i--) {  // 0 - 1 is kListHead
    const DestinationState& old = states[change.before->destinations[i].slot];
    if (old.current == nullptr) continue;
    state.position = old.position;
    return;
  }
  state.position = kListHead;
}

const Destination* choose(const Choice& choice) {
  const auto& [service, states, state, packet, now] = choice;
  const auto count = static_cast<uint32_t>(service.destinations.size());
  uint32_t position = state.position;
  for (uint32_t tried = 0; tried < count; tried++) {
    position = position + 1 < count ? position + 1 : 0;  // kListHead + 1 is 0
    const Destination& destination = service.destinations[position];
    if (!states[destination.slot].is_usable()) continue;
    state.position = position;
    return &destination;
  }
  return nullptr;
}

}  // namespace

extern const Scheduler kRoundRobinScheduler = {.name = "rr", .choose = choose, .adopt = adopt};

}  // namespace uvs

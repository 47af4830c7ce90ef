// wrr: a turn goes through levels, from the highest weight down to 1 in steps of the weights'
// greatest common divisor; at each level everyone whose weight reaches it gets one connection.
// Weights 3, 2, 1 over a, b, c: a, a b, a b c.
#include <algorithm>
#include <numeric>

#include "core/schedule/scheduler.h"

namespace uvs {

namespace {

SchedulerPlan plan(const Service& service) {
  uint32_t step = 0, highest = 0;
  for (const Destination& destination : service.destinations) {
    step = std::gcd(step, destination.spec.weight);
    highest = std::max(highest, destination.spec.weight);
  }
  if (highest == 0) return {};
  // The lowest level is 1, so that the levels are weights less (step - 1).
  return {.weight_step = step, .weight_top = highest - (step - 1), .buckets = {}};
}

// As the kernel: a changed list is walked from its head again, at the level where the turn was if
// that still exists.
void adopt(const ServiceChange& change, DestinationStates, SchedulerState& state) {
  const SchedulerPlan& plan = change.after->plan;
  if (change.before == nullptr) {
    state.position = kListHead;
    state.level = plan.weight_top;
    return;
  }
  if (!change.has_new_destinations) return;
  state.position = kListHead;
  if (state.level > plan.weight_top || state.level == 0) {
    state.level = plan.weight_top;
  } else if (plan.weight_step > 1) {
    state.level = state.level / plan.weight_step * plan.weight_step + 1;
  }
}

const Destination* choose(const Choice& choice) {
  const auto& [service, states, state, packet, now] = choice;
  const SchedulerPlan& plan = service.plan;
  if (plan.weight_top == 0) return nullptr;
  const auto count = static_cast<uint32_t>(service.destinations.size());
  const uint32_t start = state.position;
  bool has_restarted = false;  // the level went back to the top
  // Everyone usable reaches the lowest level. So the search ends when a whole turn at that level
  // found nobody: one that began at the list head, or, when it all began in the middle of one, at
  // the place where it began.
  for (bool is_whole_lowest_turn = false;;) {
    const bool ends_at_start = is_whole_lowest_turn && has_restarted && start != kListHead;
    const uint32_t end = ends_at_start ? start + 1 : count;
    for (uint32_t i = state.position + 1; i < end; i++) {  // kListHead + 1 is 0
      const Destination& destination = service.destinations[i];
      if (destination.spec.weight < state.level || !states[destination.slot].is_usable()) continue;
      state.position = i;
      return &destination;
    }
    if (ends_at_start) {
      state.position = start;
      return nullptr;
    }
    state.position = kListHead;
    if (state.level > plan.weight_step) {
      state.level -= plan.weight_step;
    } else {
      state.level = plan.weight_top;
      if (is_whole_lowest_turn || start == kListHead) return nullptr;
      has_restarted = true;
    }
    is_whole_lowest_turn = state.level <= plan.weight_step;
  }
}

}  // namespace

extern const Scheduler kWeightedRoundRobinScheduler = {
    .name = "wrr", .choose = choose, .plan = plan, .adopt = adopt};

}  // namespace uvs

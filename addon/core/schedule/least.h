// The least load for its weight, which wlc, sed and those built on them go by.
#pragma once

#include <cstdint>

#include "core/schedule/scheduler.h"

namespace uvs {

// Is load / weight less than other_load / other_weight? Compared crosswise, so nothing is rounded. Loads stay below 2^41
// and weights below 2^16 (kMaxWeight): the products fit.
constexpr bool is_less_loaded(uint64_t load, uint32_t weight, uint64_t other_load, uint32_t other_weight) {
  return load * other_weight < other_load * weight;
}

// Of the usable destinations the one with the least `load(state)` for its weight, the first of equals; or null.
template <typename Load>
const Destination* least_loaded(const Choice& choice, Load load) {
  const Destination* best = nullptr;
  uint64_t best_load = 0;
  for (const Destination& destination : choice.service.destinations) {
    const DestinationState& state = choice.states[destination.slot];
    if (!state.is_usable()) continue;
    const uint64_t its_load = load(state);
    if (best != nullptr &&
        !is_less_loaded(its_load, destination.spec.weight, best_load, best->spec.weight)) {
      continue;
    }
    best = &destination;
    best_load = its_load;
  }
  return best;
}

// wlc's load.
inline uint64_t overhead_of(const DestinationState& state) { return state.overhead(); }
// sed's: the connections that it would have with this one; the inactive ones don't count.
inline uint64_t delay_of(const DestinationState& state) { return uint64_t{state.active.get()} + 1; }

}  // namespace uvs

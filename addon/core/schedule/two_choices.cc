// twos: two are drawn at random, each with a chance by its weight, and the one with the less overhead for its weight is
// taken (Mitzenmacher, The Power of Two Choices, 2001).
#include "core/schedule/least.h"

namespace uvs {

namespace {

// Below `bound`, which is above 0, from the next number of SplitMix64. Reduced by a multiplication: what is not even
// about it is below bound / 2^32.
uint64_t draw(uint64_t& random, uint64_t bound) {
  random += 0x9e3779b97f4a7c15;
  uint64_t mixed = (random ^ random >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return (mixed >> 32) * bound >> 32;
}

const Destination* choose(const Choice& choice) {
  uint64_t total = 0;
  for (const Destination& destination : choice.service.destinations) {
    if (choice.states[destination.slot].is_usable()) total += destination.spec.weight;
  }
  if (total == 0) return nullptr;
  // As the kernel draws: 0 to the sum of the weights, both included, so that the first has a chance more. Who makes the
  // sum of weights up to it reach the number is drawn.
  const auto drawn = [&]() -> const Destination* {
    const uint64_t number = draw(choice.state.random, total + 1);
    uint64_t sum = 0;
    for (const Destination& destination : choice.service.destinations) {
      if (!choice.states[destination.slot].is_usable()) continue;
      sum += destination.spec.weight;
      if (number <= sum) return &destination;
    }
    return nullptr;
  };
  const Destination *first = drawn(), *second = drawn();
  const auto overhead = [&](const Destination* destination) { return choice.states[destination->slot].overhead(); };
  return is_less_loaded(overhead(second), second->spec.weight, overhead(first), first->spec.weight) ? second : first;
}

}  // namespace

extern const Scheduler kTwoChoicesScheduler = {.name = "twos", .choose = choose};

}  // namespace uvs

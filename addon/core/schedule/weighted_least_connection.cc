// wlc: the least overhead (active * 256 + inactive) for its weight. The first in the list wins a tie.
#include "core/schedule/least.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) { return least_loaded(choice, overhead_of); }

}  // namespace

extern const Scheduler kWeightedLeastConnectionScheduler = {.name = "wlc", .choose = choose};

}  // namespace uvs

// sed: the least expected delay, (active + 1) / weight. The first in the list wins a tie.
#include "core/schedule/least.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) { return least_loaded(choice, delay_of); }

}  // namespace

extern const Scheduler kShortestDelayScheduler = {.name = "sed", .choose = choose};

}  // namespace uvs

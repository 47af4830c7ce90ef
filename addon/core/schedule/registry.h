// The schedulers that exist, one constant for each file of this folder.
// Only registry.cc and tests name them; everybody else asks scheduler(id).
#pragma once

#include "core/schedule/scheduler.h"

namespace uvs {

extern const Scheduler kRoundRobinScheduler;
extern const Scheduler kWeightedRoundRobinScheduler;
extern const Scheduler kLeastConnectionScheduler;
extern const Scheduler kWeightedLeastConnectionScheduler;
extern const Scheduler kSourceHashScheduler;

}  // namespace uvs

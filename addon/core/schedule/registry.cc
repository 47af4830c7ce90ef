// Which scheduler has which number: one line each, in the order of SchedulerId.
// The order is a contract with src/model/forwarding-table.ts.
#include "core/schedule/registry.h"

#include <array>

namespace uvs {

namespace {

constexpr std::array<const Scheduler*, kSchedulerCount> kSchedulers = {
    &kRoundRobinScheduler,               // kRoundRobin
    &kWeightedRoundRobinScheduler,       // kWeightedRoundRobin
    &kLeastConnectionScheduler,          // kLeastConnection
    &kWeightedLeastConnectionScheduler,  // kWeightedLeastConnection
    &kSourceHashScheduler,               // kSourceHash
};

}  // namespace

const Scheduler& scheduler(SchedulerId id) { return *kSchedulers[static_cast<size_t>(id)]; }

SchedulerPlan build_plan(const Service& service) {
  return scheduler(service.key.scheduler).plan(service);
}

}  // namespace uvs

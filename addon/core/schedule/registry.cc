// Which schedulers there are: one line each, the constant that its file defines.
#include <algorithm>
#include <array>

#include "core/schedule/scheduler.h"

#define UVS_SCHEDULERS(each)              \
  each(kRoundRobinScheduler)              \
  each(kWeightedRoundRobinScheduler)      \
  each(kLeastConnectionScheduler)         \
  each(kWeightedLeastConnectionScheduler) \
  each(kLocalityScheduler)                \
  each(kLocalitySetScheduler)             \
  each(kSourceHashScheduler)              \
  each(kMaglevHashScheduler)              \
  each(kDestinationHashScheduler)         \
  each(kFailoverScheduler)                \
  each(kOverflowScheduler)                \
  each(kShortestDelayScheduler)           \
  each(kNeverQueueScheduler)              \
  each(kTwoChoicesScheduler)

namespace uvs {

#define UVS_DECLARE(scheduler) extern const Scheduler scheduler;
UVS_SCHEDULERS(UVS_DECLARE)

namespace {

#define UVS_ADDRESS(scheduler) &scheduler,
constexpr std::array kSchedulers = {UVS_SCHEDULERS(UVS_ADDRESS)};

}  // namespace

std::span<const Scheduler* const> schedulers() { return kSchedulers; }

const Scheduler* scheduler_named(std::string_view name) {
  const auto found = std::ranges::find(kSchedulers, name, &Scheduler::name);
  return found == kSchedulers.end() ? nullptr : *found;
}

void prepare_service(Service& service, const Service* before) {
  const Scheduler& rule = *service.key.scheduler;
  service.plan = rule.plan(service);
  const bool is_kept = before != nullptr && before->key.scheduler == &rule;
  service.memory = is_kept ? before->memory : rule.make_memory();
}

}  // namespace uvs

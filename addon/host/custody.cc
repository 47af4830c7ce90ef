#include "host/custody.h"

namespace uvs {

std::string Custody::treat(const Deviation& deviation, Budget& budget, Micros now) {
  if (budget.used == 0 || now - budget.period_began >= kPeriod) budget = {now, 0, std::move(budget.told)};
  if (budget.used >= kPutBacks) {
    return "it was put back " + std::to_string(kPutBacks) +
           " times within a minute: find out who changes it; it is tried again then";
  }
  budget.used++;
  if (const Status status = deviation.put_back(); !status.ok()) return "it can't be put back: " + status.message;
  return {};
}

bool Custody::look(const std::vector<Deviation>& deviations, Micros now) {
  uint64_t put_back = 0;
  std::vector<std::string> left;
  for (const Deviation& deviation : deviations) {
    Budget& budget = budgets_[deviation.object];
    const std::string why = treat(deviation, budget, now);
    const std::string fact = deviation.object + " " + deviation.what;
    if (why.empty()) {
      put_back++;
      budget.told.clear();
      tell_(fact + ": somebody else changed it; it is put back");
      continue;
    }
    left.push_back(fact + ": " + why);
    if (budget.told == why) continue;
    budget.told = why;
    tell_(left.back());
  }
  std::erase_if(budgets_, [now](const auto& entry) { return now - entry.second.period_began >= 2 * kPeriod; });
  const std::lock_guard lock(mutex_);
  report_.put_back += put_back;
  report_.deviations = std::move(left);
  return report_.deviations.empty();
}

CustodyReport Custody::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

}  // namespace uvs

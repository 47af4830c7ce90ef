#include "host/custody.h"

namespace uvs {

CustodyOutcome Custody::treat(const Deviation& deviation, Micros now) {
  using State = CustodyOutcome::State;
  Budget& budget = budgets_[deviation.object];
  if (now - budget.period_began >= kPeriod) {
    budget.period_began = now;
    budget.used = 0;
  }
  const std::string fact = deviation.object + " " + deviation.what + ": ";
  const auto leave = [&](const std::string& why) {
    const bool is_new = budget.why_left != why;
    budget.why_left = why;
    return CustodyOutcome{State::kLeft, fact + why, is_new};
  };
  if (budget.used >= kPutBacks) {
    return leave("it was put back " + std::to_string(kPutBacks) +
                 " times within a minute: find out who changes it; it is tried again then");
  }
  if (budget.failed_at != 0 && now - budget.failed_at < kRetryPause) return leave(budget.why_left);
  const Result<bool> done = deviation.put_back();
  budget.failed_at = done.ok() ? 0 : now;
  if (!done.ok()) return leave("it can't be put back: " + done.status().message);
  budget.why_left.clear();
  if (!done.value()) return {};
  budget.used++;
  return {State::kPutBack, fact + "somebody else changed it; it is put back", true};
}

std::vector<CustodyOutcome> Custody::look(const std::vector<Deviation>& deviations, Micros now) {
  std::vector<CustodyOutcome> outcomes;
  uint64_t put_back = 0;
  std::vector<std::string> left;
  for (const Deviation& deviation : deviations) {
    outcomes.push_back(treat(deviation, now));
    const CustodyOutcome& outcome = outcomes.back();
    if (outcome.state == CustodyOutcome::State::kPutBack) put_back++;
    if (outcome.state == CustodyOutcome::State::kLeft) left.push_back(outcome.text);
  }
  std::erase_if(budgets_, [now](const auto& entry) { return now - entry.second.period_began >= 2 * kPeriod; });
  const std::lock_guard lock(mutex_);
  report_.put_back += put_back;
  report_.deviations = std::move(left);
  return outcomes;
}

CustodyReport Custody::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

}  // namespace uvs

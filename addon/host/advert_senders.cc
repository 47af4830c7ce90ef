#include "host/advert_senders.h"

#include <algorithm>
#include <utility>

#include "io/monotonic_clock.h"

namespace uvs {

void AdvertSenders::report(Reports& reports) {
  for (auto& [done, status] : reports.guardian.done) done(status);
  for (const std::string& text : reports.guardian.warnings) events_.warning(text);
  for (const std::string& router : reports.expired) events_.lease_expired(router);
}

// Outside of the mutex, except for the hand-over: a process takes its time to start.
Status AdvertSenders::start_guardian() {
  Result<GuardianProcess> started = GuardianProcess::start(guardian_path_, guardian_.board_descriptor());
  Reports reports;
  {
    const std::lock_guard lock(mutex_);
    if (started.ok()) {
      guardian_.adopt(std::move(started.value()), monotonic_now());
    } else {
      guardian_.note_start_failure(started.status(), monotonic_now(), reports.guardian);
    }
  }
  report(reports);
  return started.ok() ? Status{} : started.status();
}

std::optional<GuardianProcess> AdvertSenders::end(bool is_dismissed) {
  Reports reports;
  std::optional<GuardianProcess> left;
  std::map<std::string, Router> closed;  // behind the mutex
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    closed.swap(routers_);
    if (is_dismissed) left = guardian_.dismiss(reports.guardian);
  }
  report(reports);
  return left;
}

AdvertSenders::Wait AdvertSenders::serve() {
  Reports reports;
  Wait wait;
  bool needs_guardian = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_) return wait;
    const Micros now = monotonic_now();
    guardian_.serve(now, reports.guardian);
    wait = {std::min(repeat_due(now, reports), guardian_.next_deadline()), guardian_.descriptor(), guardian_.has_unsent()};
    needs_guardian = guardian_.needs_process(now);
  }
  report(reports);
  if (needs_guardian) {
    (void)start_guardian();
    wait.deadline = 0;  // it has a descriptor now, or another time to try
  }
  return wait;
}

std::optional<LeaseSlot> AdvertSenders::free_slot() const {
  for (LeaseSlot slot = 0; slot < LeaseBoard::kSlots; slot++) {
    const bool is_free = std::none_of(routers_.begin(), routers_.end(),
                                      [slot](const auto& entry) { return entry.second.slot == slot; });
    if (is_free) return slot;
  }
  return std::nullopt;
}

// The guardian finds out by itself.
void AdvertSenders::expire(const std::string& name, Router& router, Reports& reports) {
  const bool is_missed = router.schedule.is_repeating() || guardian_.has_will(router.slot);
  router.schedule.end();
  if (!is_missed) return;
  router.is_expired = router.is_will_lost = true;
  reports.expired.push_back(name);
}

// Repeats what is due and ends leases that have run out; returns when to look again.
Micros AdvertSenders::repeat_due(Micros now, Reports& reports) {
  Micros next = kNever;
  for (auto& [name, router] : routers_) {
    if (router.schedule.has_run_out(now)) expire(name, router, reports);
    // What keeps it from being sent is told to whoever calls next.
    if (router.schedule.take_repeat(now)) (void)router.sender.send(router.messages);
    next = std::min(next, router.schedule.next_deadline());
  }
  return next;
}

Status AdvertSenders::open(const std::string& name, const AdvertEgress& egress) {
  Result<AdvertSender> opened = AdvertSender::open(egress);
  if (!opened.ok()) return opened.status();
  Reports reports;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = routers_.find(name); known != routers_.end()) {
      known->second.egress = egress;
      std::swap(known->second.sender, opened.value());  // the old one is closed behind the mutex
      guardian_.change_egress(known->second.slot, egress, monotonic_now(), reports.guardian);
    } else {
      const auto slot = free_slot();
      if (!slot) return {ErrorCode::kLimitReached, "more than 512 virtual routers"};
      routers_.emplace(name, Router{egress, std::move(opened.value()), *slot, {}, {}, false, false});
    }
  }
  report(reports);
  return {};
}

void AdvertSenders::close(const std::string& name) {
  Reports reports;
  decltype(routers_)::node_type closed;
  {
    const std::lock_guard lock(mutex_);
    closed = routers_.extract(name);
    if (closed.empty()) return;
    guardian_.forget(closed.mapped().slot, reports.guardian);
  }
  report(reports);
}

std::string AdvertSenders::advertise(const std::string& name, std::vector<AdvertMessage> messages,
                                    const std::optional<Repetition>& repetition) {
  Reports reports;
  std::string failure;
  bool is_refused = false;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) return "the virtual router " + name + " is not open";
    Router& router = known->second;
    const Micros now = monotonic_now();
    if (router.schedule.has_run_out(now)) expire(name, router, reports);
    if (!router.is_expired) {
      if (router.is_will_lost && repetition) {  // another mastership begins
        guardian_.revoke(router.slot, reports.guardian);
        router.is_will_lost = false;
      }
      AdvertSchedule next = router.schedule;
      next.spoken(now, repetition);
      if (router.is_will_lost || guardian_.renew(router.slot, next.lease_end())) {
        router.schedule = next;
      } else {
        expire(name, router, reports);
      }
    }
    is_refused = router.is_expired && repetition.has_value();
    if (!is_refused) {
      router.messages = std::move(messages);
      failure = advert_error_text(router.egress, router.sender.send(router.messages));
    }
  }
  report(reports);
  return is_refused ? "the lease of " + name + " has run out" : failure;
}

void AdvertSenders::acknowledge_expiry(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = routers_.find(name); known != routers_.end()) known->second.is_expired = false;
}

void AdvertSenders::entrust(const std::string& name, LastWill will, Done done) {
  Reports reports;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) {
      reports.guardian.done.emplace_back(
          std::move(done), Status{ErrorCode::kIo, "the virtual router " + name + " is not open"});
    } else {
      Router& router = known->second;
      will.egress = router.egress;
      router.is_will_lost = false;
      guardian_.entrust(router.slot, std::move(will), router.schedule.lease_end(), monotonic_now(), std::move(done),
                        reports.guardian);
    }
  }
  report(reports);
}

void AdvertSenders::revoke(const std::string& name) {
  Reports reports;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) return;
    guardian_.revoke(known->second.slot, reports.guardian);
  }
  report(reports);
}

std::optional<pid_t> AdvertSenders::guardian_pid() const {
  const std::lock_guard lock(mutex_);
  return guardian_.pid();
}

}  // namespace uvs

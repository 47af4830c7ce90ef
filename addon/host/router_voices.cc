#include "host/router_voices.h"

#include <algorithm>
#include <utility>

#include "io/monotonic_clock.h"

namespace uvs {

void RouterVoices::tell(Tidings& tidings) {
  for (auto& [done, status] : tidings.guardian.done) done(status);
  for (const std::string& text : tidings.guardian.warnings) events_.warning(text);
  for (const std::string& router : tidings.expired) events_.lease_expired(router);
}

// Outside of the mutex, except for the hand-over: a process takes its time to start.
Status RouterVoices::start_guardian() {
  Result<GuardianProcess> started = GuardianProcess::start(guardian_path_, guardian_.board_descriptor());
  Tidings tidings;
  {
    const std::lock_guard lock(mutex_);
    if (started.ok()) {
      guardian_.adopt(std::move(started.value()), monotonic_now());
    } else {
      guardian_.note_start_failure(started.status(), monotonic_now(), tidings.guardian);
    }
  }
  tell(tidings);
  return started.ok() ? Status{} : started.status();
}

std::optional<GuardianProcess> RouterVoices::end(bool is_dismissed) {
  Tidings tidings;
  std::optional<GuardianProcess> left;
  std::map<std::string, Router> closed;  // behind the mutex
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    closed.swap(routers_);
    if (is_dismissed) left = guardian_.dismiss(tidings.guardian);
  }
  tell(tidings);
  return left;
}

RouterVoices::Wait RouterVoices::serve() {
  Tidings tidings;
  Wait wait;
  bool needs_guardian = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_ended_) return wait;
    const Micros now = monotonic_now();
    guardian_.serve(now, tidings.guardian);
    wait = {std::min(speak(now, tidings), guardian_.next_deadline()), guardian_.descriptor(), guardian_.has_unsent()};
    needs_guardian = guardian_.needs_process(now);
  }
  tell(tidings);
  if (needs_guardian) {
    (void)start_guardian();
    wait.deadline = 0;  // it has a descriptor now, or another time to try
  }
  return wait;
}

std::optional<LeaseSlot> RouterVoices::free_slot() const {
  for (LeaseSlot slot = 0; slot < LeaseBoard::kSlots; slot++) {
    const bool is_free = std::none_of(routers_.begin(), routers_.end(),
                                      [slot](const auto& entry) { return entry.second.slot == slot; });
    if (is_free) return slot;
  }
  return std::nullopt;
}

// The guardian finds out by itself.
void RouterVoices::expire(const std::string& name, Router& router, Tidings& tidings) {
  const bool is_missed = router.schedule.is_repeating() || guardian_.has_will(router.slot);
  router.schedule.end();
  if (!is_missed) return;
  router.is_expired = router.is_will_lost = true;
  tidings.expired.push_back(name);
}

// Repeats what is due and ends leases that have run out; returns when to look again.
Micros RouterVoices::speak(Micros now, Tidings& tidings) {
  Micros next = kNever;
  for (auto& [name, router] : routers_) {
    if (router.schedule.has_run_out(now)) expire(name, router, tidings);
    // What keeps it from being sent is told to whoever calls next.
    if (router.schedule.take_repeat(now)) (void)router.sender.send(router.messages);
    next = std::min(next, router.schedule.next_deadline());
  }
  return next;
}

Status RouterVoices::open(const std::string& name, const AdvertVoice& voice) {
  Result<AdvertSender> opened = AdvertSender::open(voice);
  if (!opened.ok()) return opened.status();
  Tidings tidings;
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = routers_.find(name); known != routers_.end()) {
      known->second.voice = voice;
      std::swap(known->second.sender, opened.value());  // the old one is closed behind the mutex
      guardian_.change_voice(known->second.slot, voice, monotonic_now(), tidings.guardian);
    } else {
      const auto slot = free_slot();
      if (!slot) return {ErrorCode::kLimitReached, "more than 512 virtual routers"};
      routers_.emplace(name, Router{voice, std::move(opened.value()), *slot, {}, {}, false, false});
    }
  }
  tell(tidings);
  return {};
}

void RouterVoices::close(const std::string& name) {
  Tidings tidings;
  decltype(routers_)::node_type closed;
  {
    const std::lock_guard lock(mutex_);
    closed = routers_.extract(name);
    if (closed.empty()) return;
    guardian_.forget(closed.mapped().slot, tidings.guardian);
  }
  tell(tidings);
}

std::string RouterVoices::advertise(const std::string& name, std::vector<AdvertMessage> messages,
                                    const std::optional<Repetition>& repetition) {
  Tidings tidings;
  std::string failure;
  bool is_refused = false;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) return "the virtual router " + name + " is not open";
    Router& router = known->second;
    const Micros now = monotonic_now();
    if (router.schedule.has_run_out(now)) expire(name, router, tidings);
    if (!router.is_expired) {
      if (router.is_will_lost && repetition) {  // another mastership begins
        guardian_.revoke(router.slot, tidings.guardian);
        router.is_will_lost = false;
      }
      AdvertSchedule next = router.schedule;
      next.spoken(now, repetition);
      if (router.is_will_lost || guardian_.renew(router.slot, next.lease_end())) {
        router.schedule = next;
      } else {
        expire(name, router, tidings);
      }
    }
    is_refused = router.is_expired && repetition.has_value();
    if (!is_refused) {
      router.messages = std::move(messages);
      failure = advert_error_text(router.voice, router.sender.send(router.messages));
    }
  }
  tell(tidings);
  return is_refused ? "the lease of " + name + " has run out" : failure;
}

void RouterVoices::acknowledge_expiry(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (const auto known = routers_.find(name); known != routers_.end()) known->second.is_expired = false;
}

void RouterVoices::entrust(const std::string& name, LastWill will, Done done) {
  Tidings tidings;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) {
      tidings.guardian.done.emplace_back(
          std::move(done), Status{ErrorCode::kIo, "the virtual router " + name + " is not open"});
    } else {
      Router& router = known->second;
      will.voice = router.voice;
      router.is_will_lost = false;
      guardian_.entrust(router.slot, std::move(will), router.schedule.lease_end(), monotonic_now(), std::move(done),
                        tidings.guardian);
    }
  }
  tell(tidings);
}

void RouterVoices::revoke(const std::string& name) {
  Tidings tidings;
  {
    const std::lock_guard lock(mutex_);
    const auto known = routers_.find(name);
    if (known == routers_.end()) return;
    guardian_.revoke(known->second.slot, tidings.guardian);
  }
  tell(tidings);
}

std::optional<pid_t> RouterVoices::guardian_pid() const {
  const std::lock_guard lock(mutex_);
  return guardian_.pid();
}

}  // namespace uvs

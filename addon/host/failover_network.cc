#include "host/failover_network.h"

#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>

#include "host/guardian_link.h"
#include "host/urgency.h"
#include "host/virtual_mac.h"
#include "host/virtual_routes.h"
#include "io/monotonic_clock.h"
#include "io/quiet_thread.h"
#include "io/rtnetlink.h"
#include "io/slow_path_pair.h"

namespace uvs {

namespace {

constexpr unsigned kMonitorGroups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
// A change rarely comes alone: the first is told at once, what follows within this time as one.
constexpr Micros kCoalesce = 10'000;
constexpr int kGuardianPatience_ms = 1'000;

std::string reason(int error) {
  if (error == 0) return {};
  const char* text = strerrordesc_np(error);
  return text ? text : "error " + std::to_string(error);
}

bool is_of_our_pair(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return false;
  const auto name = message.attributes<ifinfomsg>().text(IFLA_IFNAME);
  return name == kKernelEnd || name == kWorkerEnd;
}

using EarKey = std::pair<std::string, Family>;

struct Router {
  AdvertVoice voice;
  AdvertSender sender;
  LeaseSlot slot = 0;
  std::vector<AdvertMessage> messages;
  AdvertSchedule schedule;
  bool is_expired = false;    // and nobody has been told yet
  bool is_will_lost = false;  // the guardian has it, has done it, or does it right now
};

}  // namespace

struct FailoverNetwork::Impl {
  Impl(FailoverEvents& to, NetlinkSocket changes, FrameSender frame_sender, LeaseBoard board,
       std::string path)
      : events(to),
        monitor(std::move(changes)),
        frames(std::move(frame_sender)),
        guardian_path(std::move(path)),
        guardian(std::move(board)) {}

  // What a turn of the thread, or a call, has to tell once the mutex is released.
  struct Tidings {
    GuardianOutcome guardian;
    std::vector<std::string> expired;
  };
  // What the thread waits for. It owns no socket: closing one that has joined groups may wait for the kernel.
  struct Watched {
    std::string device;
    Family family = Family::kIpv4;
    std::weak_ptr<AdvertReceiver> ear;
    std::weak_ptr<ProbeListener> probe;
    int descriptor = -1;
  };

  FailoverEvents& events;
  NetlinkSocket monitor;
  const FrameSender frames;
  const std::string guardian_path;
  FileDescriptor wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::thread thread;

  mutable std::mutex mutex;  // guards what follows; nothing waits and nobody is called under it
  bool is_stopping = false;
  std::map<EarKey, std::shared_ptr<AdvertReceiver>> ears;
  std::map<std::string, std::shared_ptr<ProbeListener>> probes;
  std::map<std::string, Router> routers;
  GuardianLink guardian;
  AdvertGate gate;

  // The thread's own.
  bool is_change_pending = false;
  Micros quiet_until = 0;

  void wake() { (void)eventfd_write(wakeup.get(), 1); }
  void tell(Tidings& tidings);
  Status start_guardian();
  std::optional<LeaseSlot> free_slot() const;
  void expire(const std::string& name, Router& router, Tidings& tidings);
  Micros speak(Micros now, Tidings& tidings);
  std::vector<Watched> watched(Micros& deadline, bool& goes_on, bool& guardian_writes);
  void note_changes(Micros now);
  bool admits(const Watched& source, const HeardAdvert& advert);
  void hear_from(const Watched& source);
  void loop();
  void end(bool is_dismissed);
};

void FailoverNetwork::Impl::tell(Tidings& tidings) {
  for (auto& [done, status] : tidings.guardian.done) done(status);
  for (const std::string& text : tidings.guardian.warnings) events.warning(text);
  for (const std::string& router : tidings.expired) events.lease_expired(router);
}

// Outside of the mutex, except for the hand-over: a process takes its time to start.
Status FailoverNetwork::Impl::start_guardian() {
  Result<GuardianProcess> started =
      GuardianProcess::start(guardian_path, guardian.board_descriptor());
  Tidings tidings;
  {
    const std::lock_guard lock(mutex);
    if (started.ok()) {
      guardian.adopt(std::move(started.value()), monotonic_now());
    } else {
      guardian.note_start_failure(started.status(), monotonic_now(), tidings.guardian);
    }
  }
  tell(tidings);
  return started.ok() ? Status{} : started.status();
}

std::optional<LeaseSlot> FailoverNetwork::Impl::free_slot() const {
  for (LeaseSlot slot = 0; slot < LeaseBoard::kSlots; slot++) {
    const bool is_free = std::none_of(routers.begin(), routers.end(), [slot](const auto& entry) {
      return entry.second.slot == slot;
    });
    if (is_free) return slot;
  }
  return std::nullopt;
}

// The guardian finds out by itself.
void FailoverNetwork::Impl::expire(const std::string& name, Router& router, Tidings& tidings) {
  const bool is_missed = router.schedule.is_repeating() || guardian.has_will(router.slot);
  router.schedule.end();
  if (!is_missed) return;
  router.is_expired = router.is_will_lost = true;
  tidings.expired.push_back(name);
}

// Repeats what is due and ends leases that have run out; returns when to look again.
Micros FailoverNetwork::Impl::speak(Micros now, Tidings& tidings) {
  Micros next = kNever;
  for (auto& [name, router] : routers) {
    if (router.schedule.has_run_out(now)) expire(name, router, tidings);
    // What keeps it from being sent is told to whoever calls next.
    if (router.schedule.take_repeat(now)) (void)router.sender.send(router.messages);
    next = std::min(next, router.schedule.next_deadline());
  }
  return next;
}

std::vector<FailoverNetwork::Impl::Watched> FailoverNetwork::Impl::watched(Micros& deadline, bool& goes_on,
                                                           bool& guardian_writes) {
  Tidings tidings;
  std::vector<Watched> list;
  bool needs_guardian = false;
  {
    const std::lock_guard lock(mutex);
    goes_on = !is_stopping;
    if (!goes_on) return list;
    const Micros now = monotonic_now();
    guardian.serve(now, tidings.guardian);
    deadline = std::min(speak(now, tidings), guardian.next_deadline());
    needs_guardian = guardian.needs_process(now);
    guardian_writes = guardian.has_unsent();
    list.push_back({{}, Family::kIpv4, {}, {}, guardian.descriptor()});
    for (const auto& [key, ear] : ears)
      list.push_back({key.first, key.second, ear, {}, ear->descriptor()});
    for (const auto& [device, probe] : probes) {
      for (const int descriptor : probe->descriptors())
        list.push_back({device, Family::kIpv4, {}, probe, descriptor});
    }
  }
  tell(tidings);
  if (needs_guardian) {
    (void)start_guardian();
    deadline = 0;  // it has a descriptor now, or another time to try
  }
  return list;
}

void FailoverNetwork::Impl::note_changes(Micros now) {
  // Lost events are a change, too.
  const int error = monitor.drain([this](const NetlinkMessage& message) {
    if (message.type <= RTM_DELADDR && !is_of_our_pair(message)) is_change_pending = true;
  });
  if (error == ENOBUFS) is_change_pending = true;
  if (!is_change_pending || now < quiet_until) return;
  is_change_pending = false;
  quiet_until = now + kCoalesce;
  events.links_changed();
}

bool FailoverNetwork::Impl::admits(const Watched& source, const HeardAdvert& advert) {
  // One that names no virtual router is counted by the control plane, like any other.
  const uint8_t virtual_router_id = advert.message.size() > 1 ? advert.message[1] : uint8_t{0};
  const Micros now = monotonic_now();
  std::optional<std::string> report;
  bool is_admitted = true;
  {
    const std::lock_guard lock(mutex);
    is_admitted = gate.admits({source.device, advert.source, source.family, virtual_router_id}, now);
    if (!is_admitted) report = gate.report(now);
  }
  if (report) events.warning(*report);
  return is_admitted;
}

void FailoverNetwork::Impl::hear_from(const Watched& source) {
  if (const auto ear = source.ear.lock()) {
    ear->receive([&](const HeardAdvert& advert) {
      if (admits(source, advert)) events.advert(source.device, source.family, advert);
    });
  } else if (const auto probe = source.probe.lock()) {
    probe->receive(source.descriptor, [&](std::span<const uint8_t> frame) {
      events.frame(source.device, frame);
    });
  }
}

void FailoverNetwork::Impl::loop() {
  be_urgent();
  for (;;) {
    Micros deadline = kNever;
    bool goes_on = true, guardian_writes = false;
    const std::vector<Watched> sources = watched(deadline, goes_on, guardian_writes);
    if (!goes_on) return;
    if (is_change_pending) deadline = std::min(deadline, quiet_until);
    std::vector<pollfd> descriptors{{wakeup.get(), POLLIN, 0}, {monitor.descriptor(), POLLIN, 0}};
    for (const Watched& source : sources) descriptors.push_back({source.descriptor, POLLIN, 0});
    if (guardian_writes) descriptors[2].events |= POLLOUT;  // it is the first source
    const Micros now = monotonic_now();
    const Micros left = deadline <= now ? 0 : deadline - now;
    const timespec timeout{static_cast<time_t>(left / kMicrosPerSecond),
                           static_cast<long>(left % kMicrosPerSecond * 1000)};
    (void)ppoll(descriptors.data(), descriptors.size(), deadline == kNever ? nullptr : &timeout,
                nullptr);
    if (descriptors[0].revents != 0) {
      eventfd_t count;
      (void)eventfd_read(wakeup.get(), &count);
    }
    if (descriptors[1].revents != 0 || is_change_pending) note_changes(monotonic_now());
    for (size_t i = 0; i < sources.size(); i++) {
      if (descriptors[i + 2].revents != 0) hear_from(sources[i]);
    }
  }
}

Result<std::unique_ptr<FailoverNetwork>> FailoverNetwork::start(const std::string& guardian_path,
                                                FailoverEvents& events) {
  if (Status swept = remove_leftover_virtual_macs(); !swept.ok()) return swept;
  if (Status swept = remove_leftover_routes(); !swept.ok()) return swept;
  auto monitor = NetlinkSocket::open(kMonitorGroups);
  if (!monitor.ok()) return monitor.status();
  auto frames = FrameSender::open();
  if (!frames.ok()) return frames.status();
  auto board = LeaseBoard::create();
  if (!board.ok()) return board.status();
  auto impl = std::make_unique<Impl>(events, std::move(monitor.value()), std::move(frames.value()),
                                     std::move(board.value()), guardian_path);
  if (!impl->wakeup.is_open()) return errno_status(errno, "cannot make the event of the network");
  if (Status started = impl->start_guardian(); !started.ok()) return started;
  std::unique_ptr<FailoverNetwork> network(new FailoverNetwork(std::move(impl)));
  network->impl_->thread =
      start_quiet_thread("uvs-network", [running = network->impl_.get()] { running->loop(); });
  return network;
}

FailoverNetwork::FailoverNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void FailoverNetwork::Impl::end(bool is_dismissed) {
  Tidings tidings;
  std::optional<GuardianProcess> left;
  std::map<std::string, Router> closed;
  {
    const std::lock_guard lock(mutex);
    is_stopping = true;
    closed.swap(routers);
    if (is_dismissed) left = guardian.dismiss(tidings.guardian);
  }
  wake();
  if (thread.joinable()) thread.join();
  if (left) left->wait(kGuardianPatience_ms);
  tell(tidings);
}

FailoverNetwork::~FailoverNetwork() { impl_->end(false); }

void FailoverNetwork::stop() { impl_->end(true); }

// Joining a group may wait for the kernel's configuration lock: never under the mutex, or the repeater waits, too.
Status FailoverNetwork::hear(const std::string& device, Family family,
                     const std::vector<IpAddress>& groups) {
  std::shared_ptr<AdvertReceiver> known;
  {
    const std::lock_guard lock(impl_->mutex);
    if (const auto ear = impl_->ears.find({device, family}); ear != impl_->ears.end())
      known = ear->second;
  }
  // What waits unread in the old socket is not lost, unless its device is.
  if (known && known->ifindex() == if_nametoindex(device.c_str())) return known->change_groups(groups);
  Result<AdvertReceiver> opened = AdvertReceiver::open(device, family, groups);
  if (!opened.ok()) return opened.status();
  known = std::make_shared<AdvertReceiver>(std::move(opened.value()));
  {
    const std::lock_guard lock(impl_->mutex);
    std::swap(impl_->ears[{device, family}], known);
  }
  impl_->wake();
  return {};
}

void FailoverNetwork::stop_hearing(const std::string& device, Family family) {
  decltype(impl_->ears)::node_type closed;
  {
    const std::lock_guard lock(impl_->mutex);
    closed = impl_->ears.extract({device, family});
  }
  impl_->wake();
}

void FailoverNetwork::follow(const std::string& router, const std::optional<AdvertOrigin>& master) {
  const std::lock_guard lock(impl_->mutex);
  impl_->gate.follow(router, master);
}

Status FailoverNetwork::open(const std::string& name, const AdvertVoice& voice) {
  Result<AdvertSender> opened = AdvertSender::open(voice);
  if (!opened.ok()) return opened.status();
  Impl::Tidings tidings;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto known = impl_->routers.find(name);
    if (known != impl_->routers.end()) {
      known->second.voice = voice;
      std::swap(known->second.sender, opened.value());  // the old one is closed behind the mutex
      impl_->guardian.change_voice(known->second.slot, voice, monotonic_now(), tidings.guardian);
    } else {
      const auto slot = impl_->free_slot();
      if (!slot) return {ErrorCode::kLimitReached, "more than 512 virtual routers"};
      impl_->routers.emplace(name, Router{voice, std::move(opened.value()), *slot, {}, {}, false, false});
    }
    impl_->wake();
  }
  impl_->tell(tidings);
  return {};
}

void FailoverNetwork::close(const std::string& name) {
  Impl::Tidings tidings;
  decltype(impl_->routers)::node_type closed;
  {
    const std::lock_guard lock(impl_->mutex);
    closed = impl_->routers.extract(name);
    if (closed.empty()) return;
    impl_->guardian.forget(closed.mapped().slot, tidings.guardian);
  }
  impl_->tell(tidings);
}

std::string FailoverNetwork::advertise(const std::string& name, std::vector<AdvertMessage> messages,
                               const std::optional<Repetition>& repetition) {
  Impl::Tidings tidings;
  int error = 0;
  bool is_refused = false;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto known = impl_->routers.find(name);
    if (known == impl_->routers.end()) return "the virtual router " + name + " is not open";
    Router& router = known->second;
    const Micros now = monotonic_now();
    if (router.schedule.has_run_out(now)) impl_->expire(name, router, tidings);
    if (!router.is_expired) {
      if (router.is_will_lost && repetition) {  // another mastership begins
        impl_->guardian.revoke(router.slot, tidings.guardian);
        router.is_will_lost = false;
      }
      AdvertSchedule next = router.schedule;
      next.spoken(now, repetition);
      if (router.is_will_lost || impl_->guardian.renew(router.slot, next.lease_end())) {
        router.schedule = next;
      } else {
        impl_->expire(name, router, tidings);
      }
    }
    is_refused = router.is_expired && repetition.has_value();
    if (!is_refused) {
      router.messages = std::move(messages);
      error = router.sender.send(router.messages);
    }
    impl_->wake();
  }
  impl_->tell(tidings);
  return is_refused ? "the lease of " + name + " has run out" : reason(error);
}

void FailoverNetwork::acknowledge_expiry(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  const auto known = impl_->routers.find(name);
  if (known != impl_->routers.end()) known->second.is_expired = false;
}

void FailoverNetwork::entrust(const std::string& name, LastWill will, Done done) {
  Impl::Tidings tidings;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto known = impl_->routers.find(name);
    if (known == impl_->routers.end()) {
      tidings.guardian.done.emplace_back(
          std::move(done), Status{ErrorCode::kIo, "the virtual router " + name + " is not open"});
    } else {
      will.voice = known->second.voice;
      known->second.is_will_lost = false;
      impl_->guardian.entrust(known->second.slot, std::move(will),
                              known->second.schedule.lease_end(), monotonic_now(), std::move(done),
                              tidings.guardian);
      impl_->wake();
    }
  }
  impl_->tell(tidings);
}

void FailoverNetwork::revoke(const std::string& name) {
  Impl::Tidings tidings;
  {
    const std::lock_guard lock(impl_->mutex);
    const auto known = impl_->routers.find(name);
    if (known == impl_->routers.end()) return;
    impl_->guardian.revoke(known->second.slot, tidings.guardian);
  }
  impl_->tell(tidings);
}

std::string FailoverNetwork::send_frame(const std::string& device, std::span<const uint8_t> frame) {
  return reason(impl_->frames.send(device, frame));
}

Status FailoverNetwork::listen(const std::string& device, std::vector<ProbedAddress> addresses) {
  Result<ProbeListener> opened = ProbeListener::open(device, std::move(addresses));
  if (!opened.ok()) return opened.status();
  auto listener = std::make_shared<ProbeListener>(std::move(opened.value()));
  {
    const std::lock_guard lock(impl_->mutex);
    std::swap(impl_->probes[device], listener);
  }
  impl_->wake();
  if (listener == nullptr) return {};
  // What the one before has not been asked for yet: a reply comes within microseconds, the next question may, too.
  for (const int descriptor : listener->descriptors()) {
    listener->receive(descriptor, [&](std::span<const uint8_t> frame) {
      impl_->events.frame(device, frame);
    });
  }
  return {};
}

void FailoverNetwork::unlisten(const std::string& device) {
  decltype(impl_->probes)::node_type closed;
  {
    const std::lock_guard lock(impl_->mutex);
    closed = impl_->probes.extract(device);
  }
  impl_->wake();
}

std::optional<pid_t> FailoverNetwork::guardian_pid() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->guardian.pid();
}

}  // namespace uvs

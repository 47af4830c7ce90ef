#include "host/failover_network.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include "host/failover_listeners.h"
#include "host/urgency.h"
#include "host/virtual_mac.h"
#include "host/virtual_routes.h"
#include "io/monotonic_clock.h"
#include "io/quiet_thread.h"
#include "io/rtnetlink.h"
#include "io/slow_path_pair.h"

namespace uvs {

namespace {

constexpr unsigned kMonitorGroups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                       RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
// A change rarely comes alone: the first is told at once, what follows within this time as one.
constexpr Micros kCoalesce = 10'000;
constexpr int kGuardianPatience_ms = 1'000;

bool is_of_our_pair(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return false;
  const auto name = message.attributes<ifinfomsg>().text(IFLA_IFNAME);
  return name == kKernelEnd || name == kWorkerEnd;
}

// Until something comes, or until `deadline`.
void wait(std::vector<pollfd>& descriptors, Micros deadline) {
  const Micros now = monotonic_now();
  const Micros left = deadline <= now ? 0 : deadline - now;
  const timespec timeout{static_cast<time_t>(left / kMicrosPerSecond),
                         static_cast<long>(left % kMicrosPerSecond * 1000)};
  (void)ppoll(descriptors.data(), descriptors.size(), deadline == kNever ? nullptr : &timeout, nullptr);
}

}  // namespace

struct FailoverNetwork::Impl {
  Impl(FailoverEvents& to, NetlinkSocket changes, FrameSender frame_sender, LeaseBoard board,
       const std::string& guardian_path)
      : events(to),
        monitor(std::move(changes)),
        frames(std::move(frame_sender)),
        listeners(to),
        senders(to, std::move(board), guardian_path) {}

  FailoverEvents& events;
  NetlinkSocket monitor;
  const FrameSender frames;
  FailoverListeners listeners;
  AdvertSenders senders;
  FileDescriptor wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> is_stopping = false;
  std::thread thread;

  // The thread's own.
  bool is_change_pending = false;
  Micros quiet_until = 0;

  void wake() { (void)eventfd_write(wakeup.get(), 1); }
  void note_changes(Micros now);
  void loop();
  void end(bool is_dismissed);
};

void FailoverNetwork::Impl::note_changes(Micros now) {
  // Lost events are a change, too.
  const int error = monitor.drain([this](const NetlinkMessage& message) {
    const bool is_of_devices = message.type <= RTM_DELADDR && !is_of_our_pair(message);
    // Of ours, see start().
    if (is_of_devices || message.type == RTM_DELROUTE) is_change_pending = true;
  });
  if (error == ENOBUFS) is_change_pending = true;
  if (!is_change_pending || now < quiet_until) return;
  is_change_pending = false;
  quiet_until = now + kCoalesce;
  events.links_changed();
}

void FailoverNetwork::Impl::loop() {
  be_urgent();
  while (!is_stopping) {
    const AdvertSenders::Wait egress = senders.serve();
    const std::vector<FailoverListeners::Source> sources = listeners.sources();
    const short guardian_events = egress.is_for_writing ? POLLIN | POLLOUT : POLLIN;
    std::vector<pollfd> descriptors{
        {wakeup.get(), POLLIN, 0}, {monitor.descriptor(), POLLIN, 0}, {egress.guardian, guardian_events, 0}};
    const size_t first_source = descriptors.size();
    for (const FailoverListeners::Source& source : sources) descriptors.push_back({source.descriptor, POLLIN, 0});
    wait(descriptors, is_change_pending ? std::min(egress.deadline, quiet_until) : egress.deadline);
    if (descriptors[0].revents != 0) {
      eventfd_t count;
      (void)eventfd_read(wakeup.get(), &count);
    }
    if (descriptors[1].revents != 0 || is_change_pending) note_changes(monotonic_now());
    for (size_t i = 0; i < sources.size(); i++) {
      if (descriptors[first_source + i].revents != 0) listeners.receive(sources[i]);
    }
  }
}

Result<std::unique_ptr<FailoverNetwork>> FailoverNetwork::start(const std::string& guardian_path,
                                                                FailoverEvents& events) {
  if (Status swept = remove_leftover_virtual_macs(); !swept.ok()) return swept;
  if (Status swept = remove_leftover_routes(); !swept.ok()) return swept;
  auto monitor = NetlinkSocket::open(kMonitorGroups);
  if (!monitor.ok()) return monitor.status();
  if (Status status = monitor.value().ignore_routes_except(kRouteProtocol); !status.ok()) return status;
  auto frames = FrameSender::open();
  if (!frames.ok()) return frames.status();
  auto board = LeaseBoard::create();
  if (!board.ok()) return board.status();
  auto impl = std::make_unique<Impl>(events, std::move(monitor.value()), std::move(frames.value()),
                                     std::move(board.value()), guardian_path);
  if (!impl->wakeup.is_open()) return errno_status(errno, "cannot make the event of the network");
  if (Status started = impl->senders.start_guardian(); !started.ok()) return started;
  std::unique_ptr<FailoverNetwork> network(new FailoverNetwork(std::move(impl)));
  network->impl_->thread =
      start_quiet_thread("uvs-network", [running = network->impl_.get()] { running->loop(); });
  return network;
}

FailoverNetwork::FailoverNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

void FailoverNetwork::Impl::end(bool is_dismissed) {
  is_stopping = true;
  std::optional<GuardianProcess> left = senders.end(is_dismissed);
  wake();
  if (thread.joinable()) thread.join();
  if (left) left->wait(kGuardianPatience_ms);
}

FailoverNetwork::~FailoverNetwork() { impl_->end(false); }

void FailoverNetwork::stop() { impl_->end(true); }

Status FailoverNetwork::listen_for_adverts(const std::string& device, Family family, const std::vector<IpAddress>& groups) {
  Status heard = impl_->listeners.listen_for_adverts(device, family, groups);
  impl_->wake();
  return heard;
}

void FailoverNetwork::stop_listening_for_adverts(const std::string& device, Family family) {
  impl_->listeners.stop_listening_for_adverts(device, family);
  impl_->wake();
}

void FailoverNetwork::follow(const std::string& router, const std::optional<AdvertOrigin>& master) {
  impl_->listeners.follow(router, master);
}

Status FailoverNetwork::open(const std::string& router, const AdvertEgress& egress) {
  Status opened = impl_->senders.open(router, egress);
  impl_->wake();
  return opened;
}

void FailoverNetwork::close(const std::string& router) { impl_->senders.close(router); }

std::string FailoverNetwork::advertise(const std::string& router, std::vector<AdvertMessage> messages,
                                       const std::optional<Repetition>& repetition) {
  std::string error = impl_->senders.advertise(router, std::move(messages), repetition);
  impl_->wake();
  return error;
}

void FailoverNetwork::acknowledge_expiry(const std::string& router) { impl_->senders.acknowledge_expiry(router); }

void FailoverNetwork::entrust(const std::string& router, LastWill will, Done done) {
  impl_->senders.entrust(router, std::move(will), std::move(done));
  impl_->wake();
}

void FailoverNetwork::revoke(const std::string& router) { impl_->senders.revoke(router); }

std::string FailoverNetwork::send_frame(const std::string& device, std::span<const uint8_t> frame) {
  return error_text(impl_->frames.send(device, frame));
}

Status FailoverNetwork::listen_for_frames(const std::string& device, std::vector<ProbedAddress> addresses) {
  Status listening = impl_->listeners.listen_for_frames(device, std::move(addresses));
  impl_->wake();
  return listening;
}

void FailoverNetwork::stop_listening_for_frames(const std::string& device) {
  impl_->listeners.stop_listening_for_frames(device);
  impl_->wake();
}

std::optional<pid_t> FailoverNetwork::guardian_pid() const { return impl_->senders.guardian_pid(); }

}  // namespace uvs

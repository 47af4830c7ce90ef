#include "host/failover_listeners.h"

#include <net/if.h>

#include "io/monotonic_clock.h"

namespace uvs {

// Joining a group may wait for the kernel's configuration lock: never under the mutex, or the network thread waits, too.
Status FailoverListeners::listen_for_adverts(const std::string& device, Family family, const std::vector<IpAddress>& groups) {
  std::shared_ptr<AdvertReceiver> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto open = adverts_.find({device, family}); open != adverts_.end()) known = open->second;
  }
  // What waits unread in the old socket is not lost, unless its device is.
  if (known && known->ifindex() == if_nametoindex(device.c_str())) return known->change_groups(groups);
  Result<AdvertReceiver> opened = AdvertReceiver::open(device, family, groups);
  if (!opened.ok()) return opened.status();
  known = std::make_shared<AdvertReceiver>(std::move(opened.value()));
  const std::lock_guard lock(mutex_);
  std::swap(adverts_[{device, family}], known);
  return {};
}

void FailoverListeners::stop_listening_for_adverts(const std::string& device, Family family) {
  decltype(adverts_)::node_type closed;
  const std::lock_guard lock(mutex_);
  closed = adverts_.extract({device, family});
}

void FailoverListeners::follow(const std::string& router, const std::optional<AdvertOrigin>& master) {
  const std::lock_guard lock(mutex_);
  gate_.follow(router, master);
}

Status FailoverListeners::listen_for_frames(const std::string& device, std::vector<ProbedAddress> addresses) {
  Result<ProbeListener> opened = ProbeListener::open(device, std::move(addresses));
  if (!opened.ok()) return opened.status();
  auto before = std::make_shared<ProbeListener>(std::move(opened.value()));
  {
    const std::lock_guard lock(mutex_);
    std::swap(probes_[device], before);
  }
  if (before == nullptr) return {};
  // What the one before has not been asked for yet: a reply comes within microseconds, the next question may, too.
  for (const int descriptor : before->descriptors()) {
    before->receive(descriptor, [&](std::span<const uint8_t> frame) { events_.frame(device, frame); });
  }
  return {};
}

void FailoverListeners::stop_listening_for_frames(const std::string& device) {
  decltype(probes_)::node_type closed;
  const std::lock_guard lock(mutex_);
  closed = probes_.extract(device);
}

std::vector<FailoverListeners::Source> FailoverListeners::sources() const {
  std::vector<Source> sources;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, socket] : adverts_) {
    sources.push_back({key.first, key.second, socket, {}, socket->descriptor()});
  }
  for (const auto& [device, socket] : probes_) {
    for (const int descriptor : socket->descriptors()) {
      sources.push_back({device, Family::kIpv4, {}, socket, descriptor});
    }
  }
  return sources;
}

void FailoverListeners::receive(const Source& source) {
  if (const auto adverts = source.adverts.lock()) {
    adverts->receive([&](const HeardAdvert& advert) {
      if (admits(source, advert)) events_.advert(source.device, source.family, advert);
    });
  } else if (const auto probes = source.probes.lock()) {
    probes->receive(source.descriptor,
                    [&](std::span<const uint8_t> frame) { events_.frame(source.device, frame); });
  }
}

bool FailoverListeners::admits(const Source& source, const HeardAdvert& advert) {
  // One that names no virtual router is counted by the control plane, like any other.
  const uint8_t virtual_router_id = advert.message.size() > 1 ? advert.message[1] : uint8_t{0};
  const Micros now = monotonic_now();
  std::optional<std::string> report;
  {
    const std::lock_guard lock(mutex_);
    if (gate_.admits({source.device, advert.source, source.family, virtual_router_id}, now)) return true;
    report = gate_.report(now);
  }
  if (report) events_.warning(*report);
  return false;
}

}  // namespace uvs

#include "host/device_watch.h"

#include <algorithm>

namespace uvs {

void DeviceWatch::update(const std::vector<LinkRecord>& links) {
  for (auto device = devices_.begin(); device != devices_.end();) {
    const bool is_there = std::any_of(links.begin(), links.end(), [&](const LinkRecord& link) {
      return link.link.ifindex == device->first;
    });
    if (is_there) {
      ++device;
      continue;
    }
    if (device->second.is_attached) detach(device->second, "it was removed");
    device = devices_.erase(device);
  }
  for (const LinkRecord& link : links) update_one(link);
}

void DeviceWatch::detach(DeviceState& state, const std::string& reason) {
  follower_.detach(state.ifindex);
  state.is_attached = false;
  state.reason = reason;
  events_.device_detached(state, reason);
}

void DeviceWatch::update_one(const LinkRecord& link) {
  DeviceState& state = devices_[link.link.ifindex];
  const bool has_new_mac = !(state.mac == link.link.mac);
  state.name = link.name;
  state.ifindex = link.link.ifindex;
  state.mac = link.link.mac;
  state.mtu = link.link.mtu;
  const bool has_new_layer = state.layer != link.link.layer;
  state.layer = link.link.layer;
  if (state.is_attached && has_new_layer) detach(state, "it became another kind of device");
  const std::string reason = refusal(link, interfaces_);
  if (!reason.empty()) {
    if (state.is_attached) detach(state, reason);
    state.reason = reason;
    return;
  }
  if (state.is_attached) {
    if (!has_new_mac) return;
    const Status status = follower_.change_mac(state.ifindex, state.mac);
    if (!status.ok())
      events_.warning("the new MAC address of " + state.name +
                      " could not be taken up: " + status.message);
    return;
  }
  const Status status = follower_.attach(state.ifindex, state.mac, state.layer);
  if (!status.ok()) {
    // Tried again at the device's next change. Said once, as long as the reason is the same.
    if (state.reason != status.message)
      events_.warning("cannot attach to " + state.name + ": " + status.message);
    state.reason = status.message;
    return;
  }
  state.is_attached = true;
  state.reason.clear();
  events_.device_attached(state);
}

std::vector<DeviceState> DeviceWatch::states() const {
  std::vector<DeviceState> states;
  for (const auto& [ifindex, state] : devices_) states.push_back(state);
  if (!interfaces_) return states;
  for (const std::string& name : *interfaces_) {
    const bool is_there = std::any_of(devices_.begin(), devices_.end(), [&](const auto& device) {
      return device.second.name == name;
    });
    if (is_there) continue;
    DeviceState state;
    state.name = name;
    state.reason = "there is no such device";
    states.push_back(std::move(state));
  }
  return states;
}

std::string DeviceWatch::missing() const {
  for (const DeviceState& state : states()) {
    if (state.ifindex == 0) return state.name;
  }
  return {};
}

}  // namespace uvs

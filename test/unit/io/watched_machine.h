// A MachineWatch on a namespace of the test's own, and everything that it told.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "../../contract/io/scratch_network.h"
#include "host/machine_watch.h"
#include "io/monotonic_clock.h"

namespace uvs::test {

class RecordingFollower final : public DeviceFollower {
 public:
  Status attach(uint32_t ifindex, const MacAddress& mac, LinkLayer) override {
    const std::lock_guard lock(mutex);
    attached[ifindex] = mac;
    return {};
  }
  void detach(uint32_t ifindex) override {
    const std::lock_guard lock(mutex);
    attached.erase(ifindex);
  }
  Status change_mac(uint32_t ifindex, const MacAddress& mac) override {
    const std::lock_guard lock(mutex);
    attached[ifindex] = mac;
    return {};
  }
  std::optional<MacAddress> mac(uint32_t ifindex) const {
    const std::lock_guard lock(mutex);
    const auto found = attached.find(ifindex);
    return found == attached.end() ? std::nullopt : std::optional(found->second);
  }

  size_t count() const {
    const std::lock_guard lock(mutex);
    return attached.size();
  }

  mutable std::mutex mutex;
  std::map<uint32_t, MacAddress> attached;
};

class RecordingEvents final : public HostEvents {
 public:
  void host_view(std::unique_ptr<const HostView> next) override {
    const std::lock_guard lock(mutex);
    CHECK(next->generation == (view ? view->generation : 0) + 1);
    view = std::move(next);
  }
  void device_attached(const DeviceState& device) override { note("attached " + device.name); }
  void device_detached(const DeviceState& device, const std::string& reason) override {
    note("detached " + device.name + ": " + reason);
  }
  void addresses_changed(const std::vector<LocalAddress>&) override { note("addresses"); }
  void neighbours_changed() override {}
  void warning(const std::string& message) override { note("warning " + message); }
  void limit_reached(const std::string& limit, const std::string&) override {
    note("limit " + limit);
  }
  void failed(const std::string& message) override { note("failed " + message); }

  bool has(const std::string& text) const {
    const std::lock_guard lock(mutex);
    for (const std::string& line : log) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }
  RouteLookup lookup(const std::string& to, uint64_t hash = 0) const {
    const std::lock_guard lock(mutex);
    const Endpoint end = endpoint(to);
    return view->routes.lookup(end.family, end.address, hash);
  }
  bool is_local(const std::string& text) const {
    const std::lock_guard lock(mutex);
    const Endpoint end = endpoint(text);
    return view->is_local(end.family, end.address);
  }
  uint32_t generation() const {
    const std::lock_guard lock(mutex);
    return view->generation;
  }

  mutable std::mutex mutex;
  std::unique_ptr<const HostView> view;
  std::vector<std::string> log;

 private:
  void note(const std::string& line) {
    const std::lock_guard lock(mutex);
    log.push_back(line);
  }
};

inline bool eventually(const std::function<bool()>& is_so, Micros limit = 5 * kMicrosPerSecond) {
  const Micros until = monotonic_now() + limit;
  while (monotonic_now() < until) {
    if (is_so()) return true;
    usleep(2000);
  }
  return is_so();
}

struct WatchedMachine {
  explicit WatchedMachine(std::optional<std::vector<std::string>> interfaces = std::nullopt,
                          int event_buffer_bytes = NetlinkSocket::kBuffer_bytes) {
    auto started = MachineWatch::start({.interfaces = std::move(interfaces), .event_buffer_bytes = event_buffer_bytes},
                                       neighbours, follower, events);
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    watch = std::move(started.value());
  }
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  RecordingFollower follower;
  RecordingEvents events;
  std::unique_ptr<MachineWatch> watch;
};

// Where packets to `destinations` go, in words.
inline std::string ways_in(const RouteTable& table, const std::vector<std::string>& destinations) {
  std::ostringstream text;
  for (const std::string& to : destinations) {
    const Endpoint end = endpoint(to);
    text << to;
    for (uint64_t hash = 0; hash < 16; hash++) {
      const RouteLookup way = table.lookup(end.family, end.address, hash * 0x9e3779b97f4a7c15ULL);
      text << ' ' << static_cast<int>(way.kind) << ' ' << way.ifindex << ' ' << way.mtu << ' ';
      for (const uint8_t byte : way.next_hop.bytes) text << std::hex << int{byte} << std::dec << '.';
    }
    text << '\n';
  }
  return text.str();
}

}  // namespace uvs::test

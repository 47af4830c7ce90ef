// What the machine is and what it becomes: one housekeeping thread that follows the kernel by
// rtnetlink (links, addresses, routes, neighbours), publishes HostViews, resolves next hops, and
// says which devices to attach to. Never on the packet path.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/forward/host_view.h"
#include "core/forward/neighbour_table.h"
#include "io/rtnetlink.h"
#include "io/status.h"
#include "io/steering.h"

namespace uvs {

struct DeviceState {
  std::string name;
  uint32_t ifindex = 0;
  MacAddress mac;
  uint32_t mtu = 0;
  LinkLayer layer = LinkLayer::kEthernet;
  bool is_attached = false;
  std::string reason;  // why it is not attached; empty when it is
};

// Everything is called on the housekeeping thread (the first view and the first devices: inside
// start()). Must not call back into MachineWatch and must not wait.
class HostEvents {
 public:
  virtual ~HostEvents() = default;
  // A new snapshot; its generation is one more than the last. Take it over (Director::publish…),
  // free it when it is replaced.
  virtual void host_view(std::unique_ptr<const HostView> view) = 0;
  virtual void device_attached(const DeviceState& device) = 0;
  virtual void device_detached(const DeviceState& device, const std::string& reason) = 0;
  // All of this machine, sorted.
  virtual void addresses_changed(const std::vector<LocalAddress>& addresses) = 0;
  // A next hop that somebody waits for has answered or failed: Worker::wake().
  virtual void neighbours_changed() = 0;
  virtual void warning(const std::string& message) = 0;
  virtual void limit_reached(const std::string& limit, const std::string& message) = 0;
  // Housekeeping can't go on.
  virtual void failed(const std::string& message) = 0;
};

struct MachineWatchOptions {
  // Devices to attach to; empty optional: every device of the namespace that is up, not enslaved, and
  // whose frames begin with an Ethernet or an IP header.
  std::optional<std::vector<std::string>> interfaces = {};
  // Called at each `look_interval` and when a device, a filter or a queueing discipline has changed, on the housekeeping thread: what is ours in the kernel is looked
  // after.
  std::function<void()> look_after_ours = {};
  Micros look_interval = kMicrosPerSecond;
  // For tests: what the kernel may keep of events that were not read yet.
  int event_buffer_bytes = NetlinkSocket::kBuffer_bytes;
};

class MachineWatch {
 public:
  // Dumps everything, publishes the first view and attaches the devices before it returns.
  // DEVICE_MISSING when a named device does not exist, PRIVILEGE_MISSING, IO. The references
  // outlive the returned object.
  static Result<std::unique_ptr<MachineWatch>> start(const MachineWatchOptions& options,
                                                NeighbourTable& neighbours,
                                                DeviceFollower& follower, HostEvents& events);
  // Joins the thread; detaches no device (the follower's end does).
  ~MachineWatch();

  // Any thread.
  std::vector<DeviceState> devices() const;
  std::vector<LocalAddress> local_addresses() const;
  // An eventfd for WorkerOptions::resolver_descriptor.
  int wake_descriptor() const;

 private:
  struct Impl;
  explicit MachineWatch(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

// A director on this machine's devices: steering, packet I/O, housekeeping and one worker, made in the order in which
// they need each other and taken down so that no packet is swallowed on the way. No N-API.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/connection_file.h"
#include "dataplane/control_port.h"
#include "host/addresses.h"
#include "host/custody.h"
#include "host/machine_watch.h"
#include "io/af_packet.h"
#include "io/steering.h"

namespace uvs {

struct MachineOptions {
  std::optional<std::vector<std::string>> interfaces;
  uint32_t connections = 1'000'000;
  std::optional<unsigned> cpu;
  // Where connections go at the end and come from at the start; empty: they do not.
  std::string connection_file;
};

// As DataplaneEvent in src/dataplane/port.ts.
struct MachineEvent {
  enum class Kind : uint8_t { kDeviceAttached, kDeviceDetached, kWarning, kLimit, kAddressesChanged, kTakenUp, kFailed };
  Kind kind = Kind::kWarning;
  std::string subject;  // device or limit
  std::string text;     // message or reason
};

class Machine final : private HostEvents {
 public:
  using OnEvent = std::function<void(MachineEvent)>;

  // `on_event` is called on several threads and may not wait. Nothing is left behind when it fails.
  static Result<std::shared_ptr<Machine>> start(const MachineOptions& options, OnEvent on_event);
  ~Machine() override;

  // Detaches, ends the threads and removes what is ours in the kernel; connections go to their file. Twice is fine;
  // nothing else may be called after it. `is_restart`: a director is started again at once. What is ours is dropped
  // until that has settled, or for ten seconds.
  void stop(bool is_restart = false);
  // We are in the place of the director before, if there was one: what it had left is removed.
  Status settle() { return steering_->settle(); }

  ControlPort& port() { return *port_; }
  std::vector<DeviceState> devices() const;
  std::vector<LocalAddress> local_addresses() const;
  const std::string& steering() const { return steering_description_; }
  // What of ours in the kernel somebody else has changed.
  CustodyReport custody() const { return custody_.report(); }
  // What was dropped on the way to the path and behind it.
  std::vector<DropCount> drops() const;
  // What steering left to the host although services may be meant.
  std::vector<DropCount> passes() const;

 private:
  Machine(OnEvent on_event, const uvs_hash_key& neighbour_key)
      : on_event_(std::move(on_event)), neighbours_(neighbour_key) {}
  Status open(const MachineOptions& options);
  ControlPort::Steer steer();
  void take_up(ConnectionFile& file);
  Status check_ways(const TableSpec& table);
  Status steer_own_replies(const std::vector<LocalAddress>& addresses);
  void look_after_ours();

  void host_view(std::unique_ptr<const HostView> view) override;
  void device_attached(const DeviceState& device) override;
  void device_detached(const DeviceState& device, const std::string& reason) override;
  void addresses_changed(const std::vector<LocalAddress>& addresses) override;
  void neighbours_changed() override;
  void warning(const std::string& message) override;
  void limit_reached(const std::string& limit, const std::string& message) override;
  void failed(const std::string& message) override;

  const OnEvent on_event_;
  // Servers of the table whose way out was looked at.
  std::set<std::pair<Family, std::array<uint8_t, 16>>> checked_servers_;
  bool has_checked_ = false;
  NeighbourTable neighbours_;
  std::string steering_description_;
  std::string connection_file_;
  Custody custody_;
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<AfPacket> io_;
  std::unique_ptr<Director> director_;
  std::unique_ptr<MachineWatch> watch_;
  std::unique_ptr<Worker> worker_;
  std::atomic<Worker*> waiting_worker_ = nullptr;  // housekeeping wakes it; null before it is there
  std::unique_ptr<ControlPort> port_;
  std::mutex servers_mutex_;
  std::vector<LocalAddress> nat_servers_;  // of the newest table
};

}  // namespace uvs

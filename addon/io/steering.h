// Decides which packets reach the worker: loads bpf/steer.bpf.c, owns its maps, the slow-path pair
// uvs0/uvs1 and the attachment to each device. Off the packet path; control thread and housekeeping
// thread may both call (it locks). Nothing that swallows packets outlives it: tcx links die with
// the process, clsact filters call a program that the kernel takes away then.
//
//   device ingress --uvs_steer--> uvs0 ==pair==> uvs1 --tap--> AfPacket      (tag + ifindex in the
//   destination MAC) device ingress <--uvs_reinject-- uvs0 <==pair== uvs1 <--- AfPacket (to_host)
//   device egress --uvs_steer_out--> uvs0 (replies of this machine's own servers)
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "core/net/frame.h"
#include "core/net/time.h"
#include "io/deviation.h"
#include "io/status.h"
#include "shared/maps.h"

namespace uvs {

// What must hear of devices that come, change and go (host/machine_watch tells; Steering listens).
class DeviceFollower {
 public:
  virtual ~DeviceFollower() = default;
  // `layer`: kEthernet or kNone.
  virtual Status attach(uint32_t ifindex, const MacAddress& mac, LinkLayer layer) = 0;
  // Fine when the device is gone already.
  virtual void detach(uint32_t ifindex) = 0;
  virtual Status change_mac(uint32_t ifindex, const MacAddress& mac) = 0;
};

struct SteeringOptions {
  uint64_t connections = 1'000'000;  // sizes the map of expected replies
  bool force_clsact = false;         // for tests ($UVS_STEERING): the form of kernels before 6.6
  Micros patience = 0;               // for the director before, which may be about to end
};

// The addresses that are ours, as the maps want them.
struct SteeringKeys {
  std::vector<uvs_service_key> services;
  std::vector<uvs_address_key> addresses;
};
uvs_service_key service_key(Family family, const IpAddress& address, uint16_t port,
                            uint8_t protocol);
uvs_address_key address_key(Family family, const IpAddress& address, uvs_address_role role);

struct SteeringCounters {
  std::array<uint64_t, UVS_STEER_COUNTERS> values{};  // by uvs_steer_counter
  // Steered, but lost inside the pair: the kernel's receive queue (net.core.netdev_max_backlog) was
  // full before the worker's tap.
  uint64_t lost_in_pair = 0;
};

class Steering final : public DeviceFollower {
 public:
  static constexpr size_t kMaxServices = 65'536;

  // Takes the namespace's lock, makes the pair anew, loads the programs. What the director before
  // left at devices stays until settle(). ALREADY_RUNNING, PRIVILEGE_MISSING (names the capability), KERNEL_UNSUPPORTED, IO;
  // nothing is left behind then.
  static Result<std::unique_ptr<Steering>> start(const SteeringOptions& options);
  // Detaches everywhere and removes all that is ours.
  ~Steering() override;

  // Attaching twice is fine and refreshes the MAC.
  Status attach(uint32_t ifindex, const MacAddress& mac, LinkLayer layer) override;
  void detach(uint32_t ifindex) override;
  Status change_mac(uint32_t ifindex, const MacAddress& mac) override;
  bool is_attached(uint32_t ifindex) const;

  // A table change in two steps, so that no packet is lost between: cover() before the worker can
  // take the table up (adds what is new), restrict_to() once it has (removes what is gone). cover()
  // that fails takes its additions back.
  Status cover(const SteeringKeys& keys);
  void restrict_to(const SteeringKeys& keys);

  // From now on what this machine's own servers reply comes to the worker, too, when it is expected:
  // a second program at the egress of each device, those to come included. For good: connections
  // outlive the table that named their server. Twice is fine; an error leaves what was there.
  Status steer_own_replies();

  // The map of expected replies, shared with the program: the worker's ReplyMap writes it.
  // Power-of-two size.
  std::span<uvs_flow_bucket> flow_buckets();
  const uvs_hash_key& flow_key() const;
  // CLOCK_MONOTONIC nanoseconds of the worker's last turn. Older than UVS_HEARTBEAT_LATE_NS: what is
  // ours is dropped; older than UVS_HEARTBEAT_HOLD_NS, or 0: everything passes.
  void set_heartbeat(uint64_t now_ns);

  // The end, for a director that is started again at once: steering itself goes, but at each device
  // stays a filter that outlives us and drops what is ours, until UVS_HEARTBEAT_HOLD_NS after the
  // last heartbeat. The worker has ended (Worker::hold). Fails where the kernel has no clsact.
  Status leave_held();
  // We are in the place of the director before: its filters are removed.
  Status settle();

  // Where AfPacket listens (uvs1).
  uint32_t receive_ifindex() const;
  // What somebody else has changed of what is ours in the kernel: the pair and every attachment. Their put_back is
  // called before anything else of this object. After it receive_ifindex() may be another.
  std::vector<Deviation> deviations();
  // Looks whether packets get through the pair to `is_listening`. While they don't no heartbeat is written.
  void check_reachable(bool is_listening);
  SteeringCounters counters() const;
  // What was picked and why, in words; for status.
  const std::string& description() const;

 private:
  struct Impl;
  explicit Steering(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

// A forwarding table as the control plane hands it over: plain values, the mirror of
// src/model/forwarding-table.ts. Nothing here is on the packet path; TableStore::publish makes an
// immutable ForwardingTable of it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/net/address.h"

namespace uvs {

struct Scheduler;  // core/schedule

// The kernel's IP_VS_SVC_F_SCHED1 and 2, as the schedulers that have flags read them. Bits; the numbers cross into the
// addon.
enum class SchedulerFlag : uint8_t { kFallback = 1, kPort = 2 };

// In the order of `forwardingMethods`.
enum class ForwardingMethod : uint8_t { kNat, kDirectRoute };

struct DestinationSpec {
  Family family = Family::kIpv4;
  IpAddress address;
  uint16_t port = 0;  // host order
  ForwardingMethod method = ForwardingMethod::kNat;
  uint32_t weight = 1;           // 0: quiesced
  uint32_t upper_threshold = 0;  // connections; 0: no limit
  uint32_t lower_threshold = 0;
  bool is_removed = false;  // it, or its service, left the configuration: its connections run out
  bool operator==(const DestinationSpec&) const = default;
};

struct ServiceSpec {
  uint8_t protocol = 0;  // kProtocolTcp or kProtocolUdp
  Family family = Family::kIpv4;
  IpAddress address;
  uint16_t port = 0;  // host order; 0: every port that is no other service's (with persistence only)
  const Scheduler* scheduler = nullptr;  // one that is, when it is published
  uint8_t scheduler_flags = 0;           // SchedulerFlag
  bool is_one_packet = false;
  // Persistence: a client's next connections have the server of its first, so long after the last one; 0: not. All of a
  // network of this prefix length are one client.
  uint32_t persistence_timeout_s = 0;
  uint8_t persistence_prefix = 0;
  bool is_draining = false;
  // Another director serves it: what is sent to it goes to the host, connections and counters keep.
  bool is_standby = false;
  std::vector<DestinationSpec> destinations;  // in the scheduler's order of visit
  bool operator==(const ServiceSpec&) const = default;
};

// What becomes of connections whose server is no longer there. The first two are the kernel's expire_nodest_conn 0 and 1;
// the number crosses into the addon.
enum class NodestRule : uint8_t {
  kKeep,    // their packets are dropped until they time out, or the server comes back
  kExpire,  // they end at once, and a SYN leaves a quiesced server in any state
  kMove,    // ours: whoever asks anew, and whoever gets no answer, is served elsewhere
};

// What IPVS takes from sysctl and `ipvsadm --set`; the kernel's defaults, but for expire_nodest_conn.
struct Policy {
  uint32_t tcp_timeout_s = 900;
  uint32_t tcp_fin_timeout_s = 120;
  uint32_t udp_timeout_s = 300;
  uint8_t conn_reuse_mode = 1;
  NodestRule expire_nodest_conn = NodestRule::kMove;
  bool sloppy_tcp = false;
  bool expire_quiescent_template = false;  // a template of a server with weight 0 is void
  bool operator==(const Policy&) const = default;
};

// A virtual address at which the host takes nothing; the mirror of `closedAddresses`.
struct ClosedAddress {
  Family family = Family::kIpv4;
  IpAddress address;
};

// Clients that may open connections, or may not; the mirror of `ClientRules`.
struct ClientPrefix {
  Family family = Family::kIpv4;
  IpAddress address;
  uint8_t length = 0;
  bool is_allowed = false;
  bool operator==(const ClientPrefix&) const = default;
};

struct TableSpec {
  std::vector<ServiceSpec> services;
  std::vector<ClosedAddress> closed{};
  std::vector<ClientPrefix> clients{};
  Policy policy;
};

}  // namespace uvs

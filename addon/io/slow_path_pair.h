// The veth pair uvs0/uvs1 between the kernel's ingress and the worker. Steering redirects into
// uvs0, the worker listens on uvs1. No addresses, no ARP, no IPv6 autoconfiguration: nobody talks
// on it but us.
#pragma once

#include <cstdint>

#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

inline constexpr const char* kKernelEnd = "uvs0";
inline constexpr const char* kWorkerEnd = "uvs1";

struct SlowPathPair {
  uint32_t kernel_ifindex = 0;  // uvs0
  uint32_t worker_ifindex = 0;  // uvs1
};

// Makes the pair, down. IO, PRIVILEGE_MISSING, KERNEL_UNSUPPORTED (no veth).
Result<SlowPathPair> create_slow_path_pair(NetlinkSocket& netlink);
Status raise_slow_path_pair(NetlinkSocket& netlink, const SlowPathPair& pair);
// Frames that steering sent into the pair and that did not arrive at its other end.
uint64_t count_lost_in_pair(NetlinkSocket& netlink, const SlowPathPair& pair);
// Removes whatever bears its names; fine when there is nothing.
Status remove_slow_path_pair(NetlinkSocket& netlink);

}  // namespace uvs

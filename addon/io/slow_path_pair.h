// The veth pair uvs0/uvs1 between the kernel's ingress and the worker. Steering redirects into
// uvs0, the worker listens on uvs1. No addresses, no ARP, no IPv6 autoconfiguration: nobody talks
// on it but us. Their MAC addresses are the mark by which a later start knows them as ours.
#pragma once

#include <cstdint>
#include <string>

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
// Removes a pair of ours; fine when there is none. IO when a device that is not ours bears one of its names: that stays.
Status remove_slow_path_pair(NetlinkSocket& netlink);

// What somebody else has changed since create and raise: asks for the two devices alone.
struct PairState {
  bool is_whole = true;  // both ends are there, in this namespace
  bool is_up = true;     // both
  // By end, kernel's first: "is down"; empty: as we made it.
  std::string changes[2];
};
PairState inspect_slow_path_pair(NetlinkSocket& netlink, const SlowPathPair& pair);
// Undoes what inspect found at an end (0: kernel's, 1: worker's) that is there. Does not wait until it can send.
Status restore_pair_end(NetlinkSocket& netlink, const SlowPathPair& pair, size_t end);

}  // namespace uvs

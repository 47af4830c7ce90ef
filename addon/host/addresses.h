// Addresses on this machine's devices, as one rtnetlink dump tells them. Adding and removing is in
// netlink.h.
#pragma once

#include <cstdint>
#include <vector>

#include "core/forward/host_view.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

struct AddressRecord {
  LocalAddress local;
  uint8_t protocol = 0;  // IFA_PROTO: who put it there; 0 on kernels before 5.18
};

// Sorted by family, address, ifindex. Without addresses that failed duplicate detection.
Result<std::vector<AddressRecord>> dump_addresses(NetlinkSocket& netlink);

}  // namespace uvs

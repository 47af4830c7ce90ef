// The kernel's routes (main and local table, both families) as core's route table wants them, and
// the policy rules that it can't honour. Read by whole dumps: following single changes is where
// mirrors go wrong (appends, replaced multipath legs, routes that vanish with a device without a
// word).
#pragma once

#include <string>
#include <vector>

#include "core/forward/route_table.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

// Sorted as the kernel gives them. `warnings` gets one sentence for each kind of route that is not
// honoured.
Result<std::vector<Route>> dump_routes(NetlinkSocket& netlink, std::vector<std::string>& warnings);

// The device by which the kernel would send to `address` now; 0: by none.
uint32_t device_towards(NetlinkSocket& netlink, Family family, const IpAddress& address);

// One sentence for each policy rule other than the kernel's three defaults.
Result<std::vector<std::string>> dump_policy_rules(NetlinkSocket& netlink);

bool are_equal(const std::vector<Route>& a, const std::vector<Route>& b);

}  // namespace uvs

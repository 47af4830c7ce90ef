// The devices of this network namespace, as one rtnetlink dump tells them, and the choice of those
// to attach to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/forward/host_view.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

struct LinkRecord {
  std::string name;
  Link link;
  bool is_ethernet = false;
  uint32_t master = 0;  // bond, bridge, VRF that it is enslaved to; 0: none
  // The device that a virtual MAC of ours is on; empty: this is none.
  std::string virtual_mac_parent;

  bool operator==(const LinkRecord& other) const;
};

// Sorted by ifindex. Without our own pair.
Result<std::vector<LinkRecord>> dump_links(NetlinkSocket& netlink);

// Why `link` is not to be attached to; empty when it is. `interfaces` as in MachineWatchOptions.
std::string refusal(const LinkRecord& link,
                    const std::optional<std::vector<std::string>>& interfaces);

}  // namespace uvs

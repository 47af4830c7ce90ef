// The devices of this network namespace as the kernel tells them: the one reader of RTM_NEWLINK. And the choice of
// those to attach to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/forward/host_view.h"
#include "host/virtual_mac_mark.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

struct LinkRecord {
  std::string name;
  Link link;
  bool is_ethernet = false;
  // Able to send, as far as the driver knows: carrier and operational state.
  bool has_carrier = false;
  uint32_t master = 0;  // bond, bridge, VRF that it is enslaved to; 0: none
  uint32_t macvlan_parent = 0;  // ifindex of the device in this namespace that it is a macvlan of; 0: none
  std::optional<VirtualMacMark> mark;  // of a virtual MAC of ours
  std::optional<ArpSettings> arp;      // nothing for a device without IPv4
  // The device that a virtual MAC of ours is on; empty: this is none.
  std::string virtual_mac_parent;

  bool operator==(const LinkRecord&) const = default;
};

// Why nothing can come or leave by a device with LinkLayer::kOther.
inline constexpr const char* kUnservable =
    "its frames begin with neither an Ethernet nor an IP header, or it has no single far end";

// Sorted by ifindex. Without our own pair.
Result<std::vector<LinkRecord>> dump_links(NetlinkSocket& netlink);
// Null: there is none.
const LinkRecord* find_link(const std::vector<LinkRecord>& links, uint32_t ifindex);

// Why `link` is not to be attached to; empty when it is. `interfaces` as in MachineWatchOptions.
std::string refusal(const LinkRecord& link,
                    const std::optional<std::vector<std::string>>& interfaces);

}  // namespace uvs

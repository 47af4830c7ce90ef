// How a virtual MAC's device is known as ours: by its alias. It survives us, and holds what the parent's ARP settings
// were, so that whoever removes the last device of a parent restores them, a later director included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/rtnetlink.h"

namespace uvs {

// ARP settings of a device as the kernel counts them (net.ipv4.conf.DEVICE.arp_*).
struct ArpSettings {
  uint32_t ignore = 0;
  uint32_t announce = 0;
  bool operator==(const ArpSettings&) const = default;
};

// The alias of a device of ours: `uvs`, and behind it what concerns the parent.
struct VirtualMacMark {
  uint32_t parent_ifindex = 0;                // 0: the mark doesn't say
  std::optional<ArpSettings> parent_settings;  // as they were before our first device
  bool operator==(const VirtualMacMark&) const = default;
};
std::string write_mark(const VirtualMacMark& mark);
// Nothing: no mark of ours.
std::optional<VirtualMacMark> read_mark(std::string_view alias);
// Of a device as rtnetlink tells it. The kind counts too: an alias is quickly given by hand.
std::optional<VirtualMacMark> mark_of(const NetlinkAttributes& link);

}  // namespace uvs

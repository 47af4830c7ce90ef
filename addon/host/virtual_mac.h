// Devices that carry a virtual router's MAC address (VRRP: 00:00:5e:00:01:VRID, IPv6 :02:VRID):
// macvlan devices in VEPA mode that are marked as ours. Off the packet path; any thread, each
// call waits for the kernel's answer. Calls of one process do not overlap: it is serialised here.
//
// What the mark (the link alias) says survives us: it also holds what the parent's ARP settings
// were, so whoever removes the last device of a parent restores them, a later director included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/net/address.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

// ARP settings of a device as the kernel counts them (net.ipv4.conf.DEVICE.arp_*).
struct ArpSettings {
  uint32_t ignore = 0;
  uint32_t announce = 0;
};

// The alias of a device of ours: `uvs`, and behind it what concerns the parent.
struct VirtualMacMark {
  uint32_t parent_ifindex = 0;                // 0: the mark doesn't say
  std::optional<ArpSettings> parent_settings;  // as they were before our first device
};
std::string write_mark(const VirtualMacMark& mark);
// Nothing: no mark of ours.
std::optional<VirtualMacMark> read_mark(std::string_view alias);
// Of a device as rtnetlink tells it. The kind counts too: an alias is quickly given by hand.
std::optional<VirtualMacMark> mark_of(const NetlinkAttributes& link);

// Makes the macvlan device `name` (up to 15 characters) on `parent` with `mac`, up, so that an
// IPv4 address on it is answered with `mac` and by nobody else on this machine. Makes one of ours
// anew when its parent or MAC differs; fine when nothing differs. Has no link-local address and
// takes no part in IPv6 autoconfiguration.
// DEVICE_MISSING (the parent), KERNEL_UNSUPPORTED, PRIVILEGE_MISSING, IO; no device is left then.
Status add_virtual_mac(const std::string& name, const std::string& parent, const MacAddress& mac);
// Fine when it is gone. IO when the device is not ours: then it stays.
Status remove_virtual_mac(const std::string& name);
// Removes every device with our mark from this namespace.
Status remove_leftover_virtual_macs();

}  // namespace uvs

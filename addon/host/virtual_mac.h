// Devices that carry a virtual router's MAC address (VRRP: 00:00:5e:00:01:VRID, IPv6 :02:VRID):
// macvlan devices in VEPA mode that are marked as ours. Off the packet path; any thread, each
// call waits for the kernel's answer. Calls of one process do not overlap: it is serialised here.
#pragma once

#include <cstdint>
#include <string>

#include "core/net/address.h"
#include "io/status.h"

namespace uvs {

// Makes the macvlan device `name` (up to 15 characters) on `parent` with `mac`, up, so that an
// IPv4 address on it is answered with `mac` and by nobody else on this machine. One of ours with
// that name gets the MAC, and is made anew on another parent; one of ours with that parent and MAC
// gets the name. Fine when nothing differs. Has no link-local address and takes no part in IPv6
// autoconfiguration.
// DEVICE_MISSING (the parent), KERNEL_UNSUPPORTED, PRIVILEGE_MISSING, IO; nothing is made then.
Status add_virtual_mac(const std::string& name, const std::string& parent, const MacAddress& mac);
// As add_virtual_mac. False: it is there, up, and its settings and its parent's are those that it needs; asks for these two
// devices alone.
Result<bool> ensure_virtual_mac(const std::string& name, const std::string& parent, const MacAddress& mac);
// Fine when it is gone. IO when the device is not ours: then it stays.
Status remove_virtual_mac(const std::string& name);
// Removes every device with our mark from this namespace.
Status remove_leftover_virtual_macs();

}  // namespace uvs

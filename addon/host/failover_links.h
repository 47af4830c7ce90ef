// Devices with their addresses as failover looks at them: by name, with carrier, addresses in an order in which the
// first of a family is the one to speak from. Asks the kernel anew with each call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "io/status.h"

namespace uvs {

struct FailoverAddress {
  Family family = Family::kIpv4;
  IpAddress address;
  uint8_t prefix_length = 0;
  bool is_left_for_us = false;  // by the director before: see leave_address
};

struct FailoverLink {
  std::string name;
  uint32_t ifindex = 0;
  // All zero for a device that is no Ethernet.
  MacAddress mac;
  bool has_mac = false;
  // Administratively up, and with a carrier.
  bool is_up = false;
  uint32_t mtu = 0;
  bool is_set_down = false;  // administratively
  uint32_t parent = 0;  // ifindex of the device that it is a macvlan of; 0: none
  std::string parent_name;  // empty: none, or in another namespace
  // In the kernel's order, but secondary and deprecated ones and those that carry our mark behind the others: newer
  // IPv6 addresses come first from the kernel, and a virtual one is no source. Neither tentative nor failed ones.
  std::vector<FailoverAddress> addresses;
};

// Sorted by ifindex, without our own pair. Two dumps; IO.
Result<std::vector<FailoverLink>> snapshot_links();

}  // namespace uvs

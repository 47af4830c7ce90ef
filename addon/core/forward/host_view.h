// What the data plane knows of this machine: routes, links and own addresses, one immutable
// snapshot, built by host (rtnetlink) and swapped by pointer. Generations grow by one; connections
// stamp their next hops with it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/forward/route_table.h"
#include "core/net/address.h"
#include "core/net/frame.h"

namespace uvs {

// net.ipv4.conf of a device, those of `all` included: which sources may come in by it.
struct Ipv4SourceRules {
  uint8_t rp_filter = 0;  // 0, 1 strict, 2 loose (RFC 3704)
  bool accept_local = false;
  bool route_localnet = false;
  bool operator==(const Ipv4SourceRules&) const = default;
};

struct Link {
  uint32_t ifindex = 0;
  uint32_t mtu = 0;
  MacAddress mac;
  bool is_up = false;
  Ipv4SourceRules ipv4_source = {};
  LinkLayer layer = LinkLayer::kEthernet;
  bool operator==(const Link&) const = default;
};

struct LocalAddress {
  Family family = Family::kIpv4;
  IpAddress address;
  uint32_t ifindex = 0;
  uint8_t prefix_length = 0;
};

struct HostView {
  uint32_t generation = 0;
  RouteTable routes;
  std::vector<Link> links;                    // sorted by ifindex
  std::vector<LocalAddress> local_addresses;  // sorted by family, address
  bool has_policy_rules = false;              // more than the kernel's three: `routes` are not all

  const Link* find_link(uint32_t ifindex) const;
  bool is_local(Family family, const IpAddress& address) const;
  bool has_address(Family family, uint32_t ifindex) const;
  // An address of the device to send ICMP errors from (RFC 1812 4.3.2.4): the first of that family
  // on the device, else the first global one of the machine; all zero when there is none.
  IpAddress source_address(Family family, uint32_t ifindex) const;
};

}  // namespace uvs

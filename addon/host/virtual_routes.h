// Routes that come and go with a virtual router (`virtual_routes`). They carry our rtm_protocol, so
// a start can remove what a dead director left, and a route of somebody else is never removed. Any
// thread; each call uses a socket of its own and waits for the kernel's answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/net/address.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

inline constexpr uint8_t kRouteProtocol = 0x75;  // 'u', as in addresses

enum class VirtualRouteKind { kUnicast, kBlackhole, kUnreachable, kProhibit, kThrow };

struct VirtualRouteSpec {
  VirtualRouteKind kind = VirtualRouteKind::kUnicast;
  Family family = Family::kIpv4;
  IpAddress destination;  // bits behind `length` don't count
  uint8_t length = 0;     // 0: the default route
  std::optional<IpAddress> gateway, source;
  std::string device;  // empty: the one that leads to the gateway
  std::optional<uint32_t> metric, table;
  std::optional<uint8_t> scope;  // RT_SCOPE_*; none: link without a gateway, else universe
  bool is_on_link = false;  // the gateway counts as a neighbour
};

// Replaces a route of ours to the same destination with the same metric and table; fine when it is
// there already. DEVICE_MISSING, PRIVILEGE_MISSING, IO (somebody else's route is in the way, the
// gateway is out of reach, the source is no address of this machine).
Status add_route(const VirtualRouteSpec& route);
// True: it was not there as it should be, and is now. False: it is there. Asks for this route alone; of an IPv6 route with a
// source for ours in its table. Errors as add_route.
Result<bool> ensure_route(NetlinkSocket& netlink, const VirtualRouteSpec& route);
// Fine when the route or its device is gone. Removes none but ours.
Status remove_route(const VirtualRouteSpec& route);
// Removes every route of ours from this namespace, in all tables.
Status remove_leftover_routes();

}  // namespace uvs

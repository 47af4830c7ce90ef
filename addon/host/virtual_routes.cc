#include "host/virtual_routes.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "io/rtnetlink.h"

namespace uvs {

namespace {

// What the kernel gives an IPv6 route without a metric; said by us, so that removing finds just it.
constexpr uint32_t kDefaultMetric6 = 1024;  // IP6_RT_PRIO_USER

uint8_t family_number(Family family) { return family == Family::kIpv4 ? AF_INET : AF_INET6; }

std::string text_of(Family family, const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(family_number(family), address.bytes.data(), text.data(), text.size());
}

std::string describe(const VirtualRouteSpec& route) {
  std::string text =
      route.length == 0
          ? "default"
          : text_of(route.family, route.destination) + "/" + std::to_string(route.length);
  if (route.gateway) text += " via " + text_of(route.family, *route.gateway);
  if (!route.device.empty()) text += " dev " + route.device;
  if (route.table) text += " table " + std::to_string(*route.table);
  return text;
}

IpAddress masked(const VirtualRouteSpec& route) {
  IpAddress address = route.destination;
  for (size_t i = 0; i < address_size(route.family); i++) {
    const size_t kept = route.length > i * 8 ? route.length - i * 8 : 0;
    if (kept < 8) address.bytes[i] &= static_cast<uint8_t>(0xff00u >> kept);
  }
  return address;
}

rtmsg body_of(const VirtualRouteSpec& route) {
  rtmsg body{};
  body.rtm_family = family_number(route.family);
  body.rtm_dst_len = route.length;
  body.rtm_protocol = kRouteProtocol;
  const uint32_t table = route.table.value_or(RT_TABLE_MAIN);
  body.rtm_table = table < 256 ? static_cast<uint8_t>(table) : uint8_t{RT_TABLE_UNSPEC};
  return body;
}

// What names a route: all but its leg.
void describe_key(NetlinkRequest& request, const VirtualRouteSpec& route) {
  if (route.length != 0)
    request.bytes(RTA_DST, masked(route).bytes.data(), address_size(route.family));
  request.value(RTA_TABLE, route.table.value_or(RT_TABLE_MAIN));
  if (route.metric || route.family == Family::kIpv6)
    request.value(RTA_PRIORITY, route.metric.value_or(kDefaultMetric6));
}

void describe_leg(NetlinkRequest& request, const VirtualRouteSpec& route, uint32_t ifindex) {
  const size_t size = address_size(route.family);
  if (route.gateway) request.bytes(RTA_GATEWAY, route.gateway->bytes.data(), size);
  if (route.source) request.bytes(RTA_PREFSRC, route.source->bytes.data(), size);
  if (ifindex != 0) request.value(RTA_OIF, ifindex);
}

uint8_t type_of(VirtualRouteKind kind) {
  switch (kind) {
    case VirtualRouteKind::kUnicast: return RTN_UNICAST;
    case VirtualRouteKind::kBlackhole: return RTN_BLACKHOLE;
    case VirtualRouteKind::kUnreachable: return RTN_UNREACHABLE;
    case VirtualRouteKind::kProhibit: return RTN_PROHIBIT;
    case VirtualRouteKind::kThrow: return RTN_THROW;
  }
  return RTN_UNICAST;
}

uint8_t usual_scope(const VirtualRouteSpec& route) {
  const bool is_link = route.kind == VirtualRouteKind::kUnicast && !route.gateway && route.family == Family::kIpv4;
  return is_link ? uint8_t{RT_SCOPE_LINK} : uint8_t{RT_SCOPE_UNIVERSE};
}

int add(NetlinkSocket& netlink, const VirtualRouteSpec& route, uint32_t ifindex, uint16_t how = NLM_F_EXCL) {
  rtmsg body = body_of(route);
  body.rtm_type = type_of(route.kind);
  body.rtm_scope = route.scope.value_or(usual_scope(route));
  if (route.is_on_link) body.rtm_flags |= RTNH_F_ONLINK;
  NetlinkRequest request(RTM_NEWROUTE, static_cast<uint16_t>(NLM_F_CREATE | NLM_F_ACK | how), body);
  describe_key(request, route);
  describe_leg(request, route, ifindex);
  return netlink.request(request);
}

// With `ifindex` and the leg: this very route; without: whatever of ours has its key. The protocol
// in the request spares everybody else's; a type that is not given is any.
int remove(NetlinkSocket& netlink, const VirtualRouteSpec& route, std::optional<uint32_t> ifindex) {
  rtmsg body = body_of(route);
  body.rtm_scope = RT_SCOPE_NOWHERE;  // any
  NetlinkRequest request(RTM_DELROUTE, NLM_F_ACK, body);
  describe_key(request, route);
  if (ifindex) describe_leg(request, route, *ifindex);
  return netlink.request(request);
}

Status add_failed(int error, const VirtualRouteSpec& route) {
  const std::string what = "cannot add the virtual route " + describe(route);
  switch (error) {
    case EEXIST:
      return {ErrorCode::kIo, what + ": a route that is not ours has the same destination and "
                                     "metric; remove it, or give this one a metric of its own"};
    case ENETUNREACH:
    case EHOSTUNREACH:
      return errno_status(error,
                          what + ": no device leads to the gateway; name one in its network");
    case ENETDOWN:
      return errno_status(error, what + ": its device is down; bring it up");
    case EINVAL:
      return errno_status(error, what + (route.source
                                             ? ": is its source an address of this machine?"
                                             : ": it needs a gateway in reach or a device"));
    default:
      return errno_status(error, what);
  }
}

// A route as the dump tells it, in the words of a request that removes just it.
NetlinkRequest removal_of(const NetlinkMessage& message, const rtmsg& told) {
  rtmsg body = told;
  body.rtm_flags = 0;  // RTNH_F_*: states, not asked for
  NetlinkRequest request(RTM_DELROUTE, NLM_F_ACK, body);
  const auto attributes = message.attributes<rtmsg>();
  for (const uint16_t type : {RTA_DST, RTA_TABLE, RTA_PRIORITY, RTA_OIF, RTA_GATEWAY}) {
    if (const auto bytes = attributes.find(type)) request.bytes(type, bytes->data(), bytes->size());
  }
  return request;
}

// 0: it needs none.
Result<uint32_t> device_of(const VirtualRouteSpec& route) {
  const uint32_t ifindex = if_nametoindex(route.device.c_str());
  if (ifindex != 0 || route.device.empty()) return ifindex;
  return Status{ErrorCode::kDeviceMissing, "no such device: " + route.device + ", which the virtual route " +
                                               describe(route) + " leads to"};
}

// An IPv6 route outlives its source address, without a source and without a word, and is no other to the kernel for that.
// Asked for is what we have in that table: there is no question about one route by itself.
bool has_lost_source(NetlinkSocket& netlink, const VirtualRouteSpec& route) {
  if (route.family == Family::kIpv4 || !route.source) return false;
  rtmsg body = body_of(route);
  body.rtm_dst_len = 0;
  NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP, body);
  request.value(RTA_TABLE, route.table.value_or(RT_TABLE_MAIN));
  const IpAddress destination = masked(route);
  bool is_lost = false;
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    const auto* told = message.body<rtmsg>();
    if (!told || message.type != RTM_NEWROUTE || told->rtm_dst_len != route.length) return;
    const auto attributes = message.attributes<rtmsg>();
    const auto is = [&](uint16_t type, const IpAddress& address) {
      const auto bytes = attributes.find(type);
      return bytes && std::ranges::equal(*bytes, address.bytes);
    };
    if (route.length != 0 && !is(RTA_DST, destination)) return;
    if (attributes.value<uint32_t>(RTA_PRIORITY) != route.metric.value_or(kDefaultMetric6)) return;
    if (!is(RTA_PREFSRC, *route.source)) is_lost = true;
  });
  return is_lost;
}

}  // namespace

Result<bool> ensure_route(NetlinkSocket& netlink, const VirtualRouteSpec& route) {
  const Result<uint32_t> found = device_of(route);
  if (!found.ok()) return found.status();
  const uint32_t ifindex = found.value();
  if (has_lost_source(netlink, route)) (void)remove(netlink, route, ifindex);
  // Appending is refused only where this very route is there: the kernel compares the leg, too.
  int error = add(netlink, route, ifindex, NLM_F_APPEND);
  if (error == EEXIST) return false;
  if (error != 0) return add_failed(error, route);
  // It may stand behind somebody else's now, where it has no effect. Alone it is refused then.
  (void)remove(netlink, route, ifindex);
  error = add(netlink, route, ifindex);
  if (error != 0) return add_failed(error, route);
  return true;
}

Status add_route(const VirtualRouteSpec& route) {
  const Result<uint32_t> found = device_of(route);
  if (!found.ok()) return found.status();
  const uint32_t ifindex = found.value();
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  int error = add(netlink.value(), route, ifindex);
  if (error == EEXIST && remove(netlink.value(), route, std::nullopt) == 0)
    error = add(netlink.value(), route, ifindex);
  return error == 0 ? Status{} : add_failed(error, route);
}

Status remove_route(const VirtualRouteSpec& route) {
  uint32_t ifindex = 0;
  if (!route.device.empty()) {
    ifindex = if_nametoindex(route.device.c_str());
    if (ifindex == 0) return {};
  }
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const int error = remove(netlink.value(), route, ifindex);
  if (error == 0 || error == ESRCH || error == ENODEV) return {};
  return errno_status(error, "cannot remove the virtual route " + describe(route));
}

Status remove_leftover_routes() {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  std::vector<NetlinkRequest> removals;
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    rtmsg body{};
    body.rtm_family = family;
    NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP, body);
    const int error = netlink.value().request(request, [&](const NetlinkMessage& message) {
      const auto* told = message.body<rtmsg>();
      if (told && message.type == RTM_NEWROUTE && told->rtm_protocol == kRouteProtocol &&
          (told->rtm_flags & RTM_F_CLONED) == 0)
        removals.push_back(removal_of(message, *told));
    });
    // Interrupted by other changes: ours don't change meanwhile. A kernel without IPv6 says so.
    const bool is_absent = family == AF_INET6 && (error == EAFNOSUPPORT || error == EOPNOTSUPP);
    if (error != 0 && error != EINTR && !is_absent)
      return errno_status(error, "cannot list the routes");
  }
  for (NetlinkRequest& removal : removals) {
    const int error = netlink.value().request(removal);
    if (error != 0 && error != ESRCH)
      return errno_status(error, "cannot remove a virtual route that a dead director left");
  }
  return {};
}

}  // namespace uvs

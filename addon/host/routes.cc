#include "host/routes.h"

#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <map>
#include <optional>

namespace uvs {

namespace {

using NextHops = std::vector<NextHop>;
using NextHopObjects = std::map<uint32_t, NextHops>;

std::optional<Family> family_of(uint8_t family) {
  if (family == AF_INET) return Family::kIpv4;
  if (family == AF_INET6) return Family::kIpv6;
  return std::nullopt;
}

void set_gateway(NextHop& hop, Family family, std::span<const uint8_t> bytes) {
  if (bytes.size() < address_size(family)) return;
  hop.is_on_link = false;
  hop.gateway_family = family;
  std::copy_n(bytes.begin(), address_size(family), hop.gateway.bytes.begin());
}

// RTA_GATEWAY is of the route's family, RTA_VIA names its own (RFC 8950).
void read_gateway(NextHop& hop, Family family, const NetlinkAttributes& attributes) {
  hop.gateway_family = family;
  if (const auto gateway = attributes.find(RTA_GATEWAY)) set_gateway(hop, family, *gateway);
  const auto via = attributes.find(RTA_VIA);
  if (!via || via->size() < sizeof(uint16_t)) return;
  uint16_t via_family;
  std::memcpy(&via_family, via->data(), sizeof(via_family));
  if (const auto known = family_of(static_cast<uint8_t>(via_family)))
    set_gateway(hop, *known, via->subspan(sizeof(via_family)));
}

NextHops read_multipath(Family family, std::span<const uint8_t> rest) {
  NextHops hops;
  while (rest.size() >= sizeof(rtnexthop)) {
    rtnexthop header;
    std::memcpy(&header, rest.data(), sizeof(header));
    if (header.rtnh_len < sizeof(header) || header.rtnh_len > rest.size()) break;
    if ((header.rtnh_flags & RTNH_F_DEAD) == 0) {
      NextHop hop;
      hop.ifindex = static_cast<uint32_t>(header.rtnh_ifindex);
      hop.weight = uint32_t{header.rtnh_hops} + 1;
      read_gateway(
          hop, family,
          NetlinkAttributes(rest.subspan(sizeof(header), header.rtnh_len - sizeof(header))));
      hops.push_back(hop);
    }
    rest = rest.subspan(std::min<size_t>(RTNH_ALIGN(header.rtnh_len), rest.size()));
  }
  return hops;
}

// The upper half of a weight, in what older headers call reserved; zero on kernels before 6.12.
uint32_t weight_of(const nexthop_grp& member) {
  uint8_t high = 0;
  std::memcpy(&high, reinterpret_cast<const uint8_t*>(&member) + offsetof(nexthop_grp, weight) + 1, 1);
  return (uint32_t{high} << 8 | member.weight) + 1;
}

NextHopObjects dump_nexthop_objects(NetlinkSocket& netlink) {
  NextHopObjects objects;
  std::map<uint32_t, std::vector<nexthop_grp>> groups;
  NetlinkRequest request(RTM_GETNEXTHOP, NLM_F_DUMP, nhmsg{});
  const auto begin = [&] {
    objects.clear();
    groups.clear();
  };
  // Refused by kernels before 5.3, which have none.
  (void)netlink.dump(request, begin, [&](const NetlinkMessage& message) {
    const auto* body = message.body<nhmsg>();
    if (!body || message.type != RTM_NEWNEXTHOP) return;
    const auto attributes = message.attributes<nhmsg>();
    const uint32_t id = attributes.value<uint32_t>(NHA_ID).value_or(0);
    if (const auto group = attributes.find(NHA_GROUP)) {
      auto& members = groups[id];
      members.resize(group->size() / sizeof(nexthop_grp));
      std::memcpy(members.data(), group->data(), members.size() * sizeof(nexthop_grp));
      return;
    }
    NextHops& hops = objects[id];
    if (attributes.find(NHA_BLACKHOLE) || (body->nh_flags & RTNH_F_DEAD) != 0) return;
    NextHop hop;
    hop.ifindex = attributes.value<uint32_t>(NHA_OIF).value_or(0);
    const auto family = family_of(body->nh_family);
    if (const auto gateway = attributes.find(NHA_GATEWAY); gateway && family)
      set_gateway(hop, *family, *gateway);
    hops.push_back(hop);
  });
  for (const auto& [id, members] : groups) {
    NextHops hops;
    for (const nexthop_grp& member : members) {
      for (NextHop hop : objects[member.id]) {
        hop.weight = weight_of(member);
        hops.push_back(hop);
      }
    }
    objects[id] = std::move(hops);
  }
  return objects;
}

std::optional<RouteKind> kind_of(uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return RouteKind::kUnicast;
    case RTN_LOCAL:
    case RTN_ANYCAST:
      return RouteKind::kLocal;
    case RTN_BROADCAST:
      return RouteKind::kBroadcast;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
      return RouteKind::kUnreachable;
    case RTN_THROW:
      return RouteKind::kThrow;
    default:
      return std::nullopt;
  }
}

}  // namespace

void RouteReader::warn(const char* text) {
  if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end())
    warnings_.emplace_back(text);
}

NextHops RouteReader::object(uint32_t id) {
  if (!objects_) objects_ = dump_nexthop_objects(objects_socket_);
  const auto found = objects_->find(id);
  return found == objects_->end() ? NextHops{} : found->second;
}

// A group's legs stand in the route as well (net.ipv4.nexthop_compat_mode), with weights cut to 8 bits.
NextHops RouteReader::next_hops(Family family, const rtmsg& body,
                                const NetlinkAttributes& attributes) {
  const auto id = attributes.value<uint32_t>(RTA_NH_ID);
  const auto legs = attributes.find(RTA_MULTIPATH);
  if (legs && id) {
    const NextHops hops = object(*id);
    if (!hops.empty()) return hops;
  }
  if (legs) return read_multipath(family, *legs);
  NextHop hop;
  hop.ifindex = attributes.value<uint32_t>(RTA_OIF).value_or(0);
  read_gateway(hop, family, attributes);
  if (hop.ifindex != 0) return (body.rtm_flags & RTNH_F_DEAD) != 0 ? NextHops{} : NextHops{hop};
  return id ? object(*id) : NextHops{};
}

std::optional<Route> RouteReader::read(const NetlinkMessage& message) {
  const auto* body = message.body<rtmsg>();
  const bool is_route = message.type == RTM_NEWROUTE || message.type == RTM_DELROUTE;
  if (!body || !is_route || (body->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  const auto family = family_of(body->rtm_family);
  const auto attributes = message.attributes<rtmsg>();
  const uint32_t table = attributes.value<uint32_t>(RTA_TABLE).value_or(body->rtm_table);
  if (!family || (table != RT_TABLE_MAIN && table != RT_TABLE_LOCAL)) return std::nullopt;
  const auto kind = kind_of(body->rtm_type);
  if (!kind) return std::nullopt;
  if (body->rtm_src_len != 0 || body->rtm_tos != 0) {
    warn(
        "routes that depend on the source address or the TOS are not honoured for forwarded "
        "packets");
    return std::nullopt;
  }
  Route route;
  route.family = *family;
  route.prefix_length = body->rtm_dst_len;
  route.kind = *kind;
  if (const auto prefix = attributes.find(RTA_DST)) {
    std::copy_n(prefix->begin(), std::min(prefix->size(), address_size(*family)),
                route.prefix.bytes.begin());
  }
  route.is_in_local_table = table == RT_TABLE_LOCAL;
  route.metric = attributes.value<uint32_t>(RTA_PRIORITY).value_or(0);
  if (attributes.find(RTA_ENCAP)) {
    warn(
        "routes with an encapsulation of their own (MPLS, SRv6, …) are not honoured: their "
        "destinations are unreachable for us");
    route.kind = RouteKind::kUnreachable;
  }
  if (const auto metrics = attributes.find(RTA_METRICS))
    route.mtu = NetlinkAttributes(*metrics).value<uint32_t>(RTAX_MTU).value_or(0);
  if (route.kind == RouteKind::kUnicast) route.next_hops = next_hops(*family, *body, attributes);
  return route;
}

namespace {

bool is_default_rule(const fib_rule_hdr& rule, uint32_t priority, uint32_t table) {
  if (rule.action != FR_ACT_TO_TBL || rule.src_len != 0 || rule.dst_len != 0) return false;
  return (priority == 0 && table == RT_TABLE_LOCAL) ||
         (priority == 32766 && table == RT_TABLE_MAIN) ||
         (priority == 32767 && table == RT_TABLE_DEFAULT);
}

}  // namespace

Result<std::vector<Route>> dump_routes(NetlinkSocket& netlink, RouteReader& reader, bool& is_whole) {
  std::vector<Route> routes;
  is_whole = true;
  reader.forget_objects();
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    rtmsg body{};
    body.rtm_family = family;
    NetlinkRequest request(RTM_GETROUTE, NLM_F_DUMP, body);
    const int error = netlink.request(request, [&](const NetlinkMessage& message) {
      auto route = reader.read(message);
      if (route) routes.push_back(std::move(*route));
    });
    // A kernel without IPv6 says so.
    const bool is_absent = family == AF_INET6 && (error == EAFNOSUPPORT || error == EOPNOTSUPP);
    if (error == EINTR) is_whole = false;
    if (error != 0 && error != EINTR && !is_absent)
      return errno_status(error, "cannot list the routes");
  }
  return routes;
}

uint32_t device_towards(NetlinkSocket& netlink, Family family, const IpAddress& address) {
  rtmsg body{};
  body.rtm_family = family == Family::kIpv4 ? AF_INET : AF_INET6;
  body.rtm_dst_len = static_cast<uint8_t>(address_size(family) * 8);
  NetlinkRequest request(RTM_GETROUTE, NLM_F_ACK, body);
  request.bytes(RTA_DST, address.bytes.data(), address_size(family));
  uint32_t ifindex = 0;
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    if (message.type == RTM_NEWROUTE)
      ifindex = message.attributes<rtmsg>().value<uint32_t>(RTA_OIF).value_or(0);
  });
  return ifindex;
}

Result<std::vector<std::string>> dump_policy_rules(NetlinkSocket& netlink) {
  std::vector<std::string> warnings;
  for (const uint8_t family : {uint8_t{AF_INET}, uint8_t{AF_INET6}}) {
    fib_rule_hdr body{};
    body.family = family;
    NetlinkRequest request(RTM_GETRULE, NLM_F_DUMP, body);
    const auto begin = [&, count = warnings.size()] { warnings.resize(count); };
    const int error = netlink.dump(request, begin, [&](const NetlinkMessage& message) {
      const auto* rule = message.body<fib_rule_hdr>();
      if (!rule || message.type != RTM_NEWRULE) return;
      const auto attributes = message.attributes<fib_rule_hdr>();
      const uint32_t priority = attributes.value<uint32_t>(FRA_PRIORITY).value_or(0);
      const uint32_t table = attributes.value<uint32_t>(FRA_TABLE).value_or(rule->table);
      if (is_default_rule(*rule, priority, table)) return;
      warnings.push_back(std::string("policy rule ") + std::to_string(priority) +
                         (family == AF_INET ? " (IPv4)" : " (IPv6)") +
                         " is not honoured: packets to real servers follow the main table, and rp_filter is not "
                         "asked about who opens connections");
    });
    if (error != 0 && error != EINTR && error != EAFNOSUPPORT && error != EOPNOTSUPP) {
      return errno_status(error, "cannot list the policy rules");
    }
  }
  return warnings;
}

}  // namespace uvs

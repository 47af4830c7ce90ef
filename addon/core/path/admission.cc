// In the order in which the kernel asks, so that a packet with several faults has the same one.
#include "core/path/admission.h"

namespace uvs {
namespace {

constexpr IpAddress kUnspecified{};
constexpr IpAddress kBroadcast = IpAddress::ipv4(255, 255, 255, 255);

bool has_loopback(const ParsedPacket& packet) {
  return is_loopback(packet.family, packet.source) || is_loopback(packet.family, packet.destination);
}
bool is_multicast4(const IpAddress& address) { return (address.bytes[0] & 0xf0) == 0xe0; }

// rp_filter: is the way back by the device that the packet came in by (1), or by any (2)?
bool is_expected_there(const SourceWay& back, const Link& link, const HostView& view) {
  if (back.kind != RouteKind::kUnicast) return false;
  if (back.is_by_device) return true;
  return link.ipv4_source.rp_filter != 1 && view.has_address(Family::kIpv4, link.ifindex);
}

DropReason why_refused_ipv4(const ParsedPacket& packet, uint32_t ifindex, const HostView& view,
                            const ForwardingTable& table) {
  static constexpr Link kUnknownDevice;
  const Link* found = view.find_link(ifindex);
  const Link& link = found != nullptr ? *found : kUnknownDevice;
  const Ipv4SourceRules& rules = link.ipv4_source;
  const IpAddress& source = packet.source;

  if (is_multicast4(source) || source == kBroadcast) return DropReason::kMartian;
  if (source == kUnspecified) return DropReason::kMartian;
  if (has_loopback(packet) && !rules.route_localnet) return DropReason::kMartian;

  const SourceWay back = view.routes.way_to(Family::kIpv4, source, ifindex);
  // Without rp_filter the kernel looks for broadcast addresses only where somebody has added a local
  // route. A connection never has one: its replies would go to a whole network.
  if (back.kind == RouteKind::kBroadcast) return DropReason::kMartian;
  if (back.kind == RouteKind::kLocal || view.is_local(Family::kIpv4, source) ||
      table.has_address(Family::kIpv4, source)) {
    return rules.accept_local ? DropReason::kNone : DropReason::kOwnSource;
  }
  // The mirror has no policy rules: what it would say of a way back need not be so.
  if (rules.rp_filter == 0 || view.has_policy_rules) return DropReason::kNone;
  return is_expected_there(back, link, view) ? DropReason::kNone : DropReason::kReversePath;
}

DropReason why_refused_ipv6(const ParsedPacket& packet, uint32_t ifindex, const HostView& view,
                            const ForwardingTable& table) {
  const IpAddress& source = packet.source;
  if (has_loopback(packet)) return DropReason::kMartian;
  if (source == kUnspecified || source.bytes[0] == 0xff) return DropReason::kMartian;
  const bool is_own = view.routes.way_to(Family::kIpv6, source, ifindex).kind == RouteKind::kLocal ||
                      view.is_local(Family::kIpv6, source) ||
                      table.has_address(Family::kIpv6, source);
  return is_own ? DropReason::kOwnSource : DropReason::kNone;
}

}  // namespace

DropReason why_refused(const ParsedPacket& packet, uint32_t ifindex, const HostView& view,
                       const ForwardingTable& table) {
  return packet.family == Family::kIpv4 ? why_refused_ipv4(packet, ifindex, view, table)
                                        : why_refused_ipv6(packet, ifindex, view, table);
}

}  // namespace uvs

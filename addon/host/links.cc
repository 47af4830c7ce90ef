#include "host/links.h"

#include <linux/ip.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "host/ipv4_settings.h"
#include "io/slow_path_pair.h"

namespace uvs {

namespace {

constexpr uint8_t kOperUnknown = 0, kOperUp = 6;  // IF_OPER_*, which clash between headers

bool has_carrier(const NetlinkAttributes& attributes) {
  const uint8_t state = attributes.value<uint8_t>(IFLA_OPERSTATE).value_or(kOperUnknown);
  return attributes.value<uint8_t>(IFLA_CARRIER).value_or(1) != 0 &&
         (state == kOperUp || state == kOperUnknown);
}

// IFLA_LINK of a veth is its peer; of another namespace, when the kernel says so, it means nothing here.
uint32_t macvlan_parent(const NetlinkAttributes& attributes) {
  const auto about = attributes.find(IFLA_LINKINFO);
  const bool is_macvlan = about && NetlinkAttributes(*about).text(IFLA_INFO_KIND) == "macvlan";
  if (!is_macvlan || attributes.find(IFLA_LINK_NETNSID)) return 0;
  return attributes.value<uint32_t>(IFLA_LINK).value_or(0);
}

std::optional<ArpSettings> arp_settings(const NetlinkAttributes& attributes) {
  const auto ignore = ipv4_setting(attributes, IPV4_DEVCONF_ARP_IGNORE);
  const auto announce = ipv4_setting(attributes, IPV4_DEVCONF_ARP_ANNOUNCE);
  if (!ignore || !announce) return std::nullopt;
  return ArpSettings{*ignore, *announce};
}

// Not in every libc's <net/if_arp.h>, and <linux/if_arp.h> does not go with <net/if.h>.
constexpr uint16_t kArphrdRawIp = 519, kArphrdIp6Gre = 823, kArphrdNone = 0xfffe;

LinkLayer layer_of(const ifinfomsg& body, std::string_view kind) {
  switch (body.ifi_type) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return LinkLayer::kEthernet;
    case kArphrdNone:
    case kArphrdRawIp:
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case kArphrdIp6Gre: {
      // A tunnel with many far ends takes the end from a header that is no IP header, and IPsec's
      // devices leave before the packet what the tunnel came in.
      const bool is_ipsec = kind == "xfrm" || kind.starts_with("vti");
      const bool has_one_end = (body.ifi_flags & IFF_POINTOPOINT) != 0;
      return has_one_end && !is_ipsec ? LinkLayer::kNone : LinkLayer::kOther;
    }
    default:
      return LinkLayer::kOther;
  }
}

std::optional<LinkRecord> read_link(const NetlinkMessage& message, const Ipv4SourceRules& of_all) {
  const auto* body = message.body<ifinfomsg>();
  if (!body || message.type != RTM_NEWLINK) return std::nullopt;
  const auto attributes = message.attributes<ifinfomsg>();
  LinkRecord record;
  record.name = attributes.text(IFLA_IFNAME);
  record.link.ifindex = static_cast<uint32_t>(body->ifi_index);
  record.link.mtu = attributes.value<uint32_t>(IFLA_MTU).value_or(0);
  record.link.is_up = (body->ifi_flags & IFF_UP) != 0;
  record.link.ipv4_source = source_rules(attributes, of_all);
  record.is_ethernet = body->ifi_type == ARPHRD_ETHER;
  record.has_carrier = has_carrier(attributes);
  const auto info = attributes.find(IFLA_LINKINFO);
  const std::string_view kind =
      info ? NetlinkAttributes(*info).text(IFLA_INFO_KIND) : std::string_view{};
  record.link.layer = layer_of(*body, kind);
  record.master = attributes.value<uint32_t>(IFLA_MASTER).value_or(0);
  if (record.link.layer == LinkLayer::kEthernet)
    record.link.mac = attributes.value<MacAddress>(IFLA_ADDRESS).value_or(MacAddress{});
  record.macvlan_parent = macvlan_parent(attributes);
  record.mark = mark_of(attributes);
  record.arp = arp_settings(attributes);
  return record;
}

// Of a virtual MAC of ours; 0: it is none.
uint32_t parent_of(const LinkRecord& link) {
  if (!link.mark) return 0;
  return link.mark->parent_ifindex != 0 ? link.mark->parent_ifindex : link.macvlan_parent;
}

}  // namespace

const LinkRecord* find_link(const std::vector<LinkRecord>& links, uint32_t ifindex) {
  const auto found = std::ranges::find(links, ifindex, [](const LinkRecord& link) { return link.link.ifindex; });
  return found == links.end() ? nullptr : &*found;
}

Result<std::vector<LinkRecord>> dump_links(NetlinkSocket& netlink) {
  std::vector<LinkRecord> links;
  const Ipv4SourceRules of_all = source_rules_of_all();
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  const int error = netlink.dump(
      request, [&] { links.clear(); },
      [&](const NetlinkMessage& message) {
        auto link = read_link(message, of_all);
        if (link && link->name != kKernelEnd && link->name != kWorkerEnd)
          links.push_back(std::move(*link));
      });
  if (error != 0 && error != EINTR) return errno_status(error, "cannot list the network devices");
  for (LinkRecord& link : links) {
    if (const LinkRecord* parent = find_link(links, parent_of(link))) link.virtual_mac_parent = parent->name;
  }
  std::ranges::sort(links, {}, [](const LinkRecord& link) { return link.link.ifindex; });
  return links;
}

std::string refusal(const LinkRecord& link,
                    const std::optional<std::vector<std::string>>& interfaces) {
  const auto is_named = [&](const std::string& name) {
    return std::find(interfaces->begin(), interfaces->end(), name) != interfaces->end();
  };
  // What is sent to a virtual MAC is nobody's on the parent and comes in by this device: who names
  // the parent means both.
  if (interfaces && !is_named(link.name) && !is_named(link.virtual_mac_parent))
    return "it is not among the interfaces of the configuration";
  // Ethernet headers all the same: the loopback.
  if (link.link.layer == LinkLayer::kEthernet && !link.is_ethernet)
    return "what the machine sends to itself passes no ingress";
  if (link.link.layer == LinkLayer::kOther) return kUnservable;
  // A device that is named is taken even when it is enslaved: a VRF's or bridge's port may be just
  // what is meant.
  if (!interfaces && link.master != 0)
    return "it is part of another device, which is attached to instead";
  if (!link.link.is_up) return "it is down";
  return {};
}

}  // namespace uvs

#include "host/failover_links.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>

#include "host/addresses.h"
#include "io/rtnetlink.h"
#include "io/slow_path_pair.h"

namespace uvs {

namespace {

constexpr uint16_t kIfaProto = 11;  // IFA_PROTO, kernel 5.18; older headers lack it
// A dump that the kernel's changes interrupted is taken again this often.
constexpr int kDumpAttempts = 8;
constexpr uint8_t kOperUnknown = 0, kOperUp = 6;  // IF_OPER_*, which clash between headers

struct FoundAddress {
  uint32_t ifindex = 0;
  FailoverAddress address;
  bool is_last_choice = false;
};

bool is_macvlan(const NetlinkAttributes& attributes) {
  const auto about = attributes.find(IFLA_LINKINFO);
  return about && NetlinkAttributes(*about).text(IFLA_INFO_KIND) == "macvlan";
}

std::optional<FailoverLink> read_link(const NetlinkMessage& message) {
  const auto* body = message.body<ifinfomsg>();
  if (!body || message.type != RTM_NEWLINK) return std::nullopt;
  const auto attributes = message.attributes<ifinfomsg>();
  FailoverLink link;
  link.name = attributes.text(IFLA_IFNAME);
  if (link.name == kKernelEnd || link.name == kWorkerEnd) return std::nullopt;
  link.ifindex = static_cast<uint32_t>(body->ifi_index);
  link.mtu = attributes.value<uint32_t>(IFLA_MTU).value_or(0);
  // Of another namespace when the kernel says so: then the number means nothing here. A veth's is its peer.
  if (is_macvlan(attributes) && !attributes.find(IFLA_LINK_NETNSID))
    link.parent = attributes.value<uint32_t>(IFLA_LINK).value_or(0);
  const uint8_t state = attributes.value<uint8_t>(IFLA_OPERSTATE).value_or(kOperUnknown);
  const bool has_carrier = attributes.value<uint8_t>(IFLA_CARRIER).value_or(1) != 0;
  link.is_up = (body->ifi_flags & IFF_UP) != 0 && has_carrier &&
               (state == kOperUp || state == kOperUnknown);
  const auto mac = attributes.value<MacAddress>(IFLA_ADDRESS);
  link.has_mac = body->ifi_type == ARPHRD_ETHER && mac.has_value();
  if (link.has_mac) link.mac = *mac;
  return link;
}

std::optional<FoundAddress> read_address(const NetlinkMessage& message) {
  const auto* body = message.body<ifaddrmsg>();
  if (!body || message.type != RTM_NEWADDR) return std::nullopt;
  if (body->ifa_family != AF_INET && body->ifa_family != AF_INET6) return std::nullopt;
  const auto attributes = message.attributes<ifaddrmsg>();
  FoundAddress found;
  found.address.family = body->ifa_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  // IFA_ADDRESS is the peer's on a point-to-point device; IPv6 has IFA_LOCAL only there.
  auto bytes = attributes.find(IFA_LOCAL);
  if (!bytes) bytes = attributes.find(IFA_ADDRESS);
  if (!bytes || bytes->size() != address_size(found.address.family)) return std::nullopt;
  const uint32_t flags = attributes.value<uint32_t>(IFA_FLAGS).value_or(body->ifa_flags);
  const bool is_optimistic = (flags & IFA_F_OPTIMISTIC) != 0;
  if ((flags & IFA_F_DADFAILED) != 0 || ((flags & IFA_F_TENTATIVE) != 0 && !is_optimistic))
    return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), found.address.address.bytes.begin());
  found.address.prefix_length = body->ifa_prefixlen;
  found.ifindex = body->ifa_index;
  found.is_last_choice = (flags & (IFA_F_SECONDARY | IFA_F_DEPRECATED)) != 0 ||
                         attributes.value<uint8_t>(kIfaProto).value_or(0) == kAddressProtocol;
  return found;
}

// The kernel's answer to a dump as a list; taken again when a change got in between.
template <typename T, typename Body>
Result<std::vector<T>> dump(uint16_t type, const Body& body,
                            std::optional<T> (*read)(const NetlinkMessage&)) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  for (int attempt = 1;; attempt++) {
    std::vector<T> found;
    NetlinkRequest request(type, NLM_F_DUMP, body);
    const int error = netlink.value().request(request, [&](const NetlinkMessage& message) {
      if (std::optional<T> one = read(message)) found.push_back(std::move(*one));
    });
    if (error == 0 || (error == EINTR && attempt >= kDumpAttempts)) return found;
    if (error != EINTR) return errno_status(error, "cannot list devices and addresses");
  }
}

}  // namespace

Result<std::vector<FailoverLink>> snapshot_links() {
  auto links = dump<FailoverLink>(RTM_GETLINK, ifinfomsg{}, read_link);
  if (!links.ok()) return links;
  auto addresses = dump<FoundAddress>(RTM_GETADDR, ifaddrmsg{}, read_address);
  if (!addresses.ok()) return addresses.status();
  std::sort(links.value().begin(), links.value().end(),
            [](const FailoverLink& a, const FailoverLink& b) { return a.ifindex < b.ifindex; });
  std::map<uint32_t, FailoverLink*> by_index;
  for (FailoverLink& link : links.value()) by_index[link.ifindex] = &link;
  for (const bool is_last_choice : {false, true}) {
    for (const FoundAddress& found : addresses.value()) {
      const auto link = by_index.find(found.ifindex);
      if (found.is_last_choice == is_last_choice && link != by_index.end())
        link->second->addresses.push_back(found.address);
    }
  }
  return links;
}

}  // namespace uvs

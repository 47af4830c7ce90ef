#include "host/links.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/ipv4_settings.h"
#include "host/virtual_mac.h"
#include "io/slow_path_pair.h"

namespace uvs {

namespace {

// With the ifindex of the device that it is a virtual MAC's on; 0: it is none.
std::optional<std::pair<LinkRecord, uint32_t>> read_link(const NetlinkMessage& message,
                                                         const Ipv4SourceRules& of_all) {
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
  record.master = attributes.value<uint32_t>(IFLA_MASTER).value_or(0);
  if (record.is_ethernet)
    record.link.mac = attributes.value<MacAddress>(IFLA_ADDRESS).value_or(MacAddress{});
  uint32_t parent = 0;
  if (const auto mark = mark_of(attributes)) {
    parent = mark->parent_ifindex != 0 ? mark->parent_ifindex
                                       : attributes.value<uint32_t>(IFLA_LINK).value_or(0);
  }
  return std::pair(std::move(record), parent);
}

}  // namespace

bool LinkRecord::operator==(const LinkRecord& other) const {
  return name == other.name && link.ifindex == other.link.ifindex && link.mtu == other.link.mtu &&
         link.mac == other.link.mac && link.is_up == other.link.is_up &&
         link.ipv4_source == other.link.ipv4_source && is_ethernet == other.is_ethernet && master == other.master &&
         virtual_mac_parent == other.virtual_mac_parent;
}

Result<std::vector<LinkRecord>> dump_links(NetlinkSocket& netlink) {
  std::vector<LinkRecord> links;
  std::vector<std::pair<size_t, uint32_t>> virtual_macs;  // place in `links`, parent
  const Ipv4SourceRules of_all = source_rules_of_all();
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  const int error = netlink.request(request, [&](const NetlinkMessage& message) {
    auto read = read_link(message, of_all);
    if (!read || read->first.name == kKernelEnd || read->first.name == kWorkerEnd) return;
    if (read->second != 0) virtual_macs.emplace_back(links.size(), read->second);
    links.push_back(std::move(read->first));
  });
  // An interrupted dump is good enough: the change that interrupted it comes as an event, and that
  // dumps again.
  if (error != 0 && error != EINTR) return errno_status(error, "cannot list the network devices");
  for (const auto& [place, parent] : virtual_macs) {
    const auto found = std::find_if(links.begin(), links.end(), [&](const LinkRecord& link) {
      return link.link.ifindex == parent;
    });
    if (found != links.end()) links[place].virtual_mac_parent = found->name;
  }
  std::sort(links.begin(), links.end(), [](const LinkRecord& a, const LinkRecord& b) {
    return a.link.ifindex < b.link.ifindex;
  });
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
  if (!link.is_ethernet) return "it is no Ethernet device";
  // A device that is named is taken even when it is enslaved: a VRF's or bridge's port may be just
  // what is meant.
  if (!interfaces && link.master != 0)
    return "it is part of another device, which is attached to instead";
  if (!link.link.is_up) return "it is down";
  return {};
}

}  // namespace uvs

#include "host/failover_links.h"

#include <linux/if_addr.h>

#include <map>

#include "host/addresses.h"
#include "host/links.h"

namespace uvs {

namespace {

FailoverLink view_of(const LinkRecord& record) {
  FailoverLink link;
  link.name = record.name;
  link.ifindex = record.link.ifindex;
  link.mac = record.link.mac;
  link.has_mac = record.is_ethernet;
  link.is_up = record.link.is_up && record.has_carrier;
  link.is_set_down = !record.link.is_up;
  link.mtu = record.link.mtu;
  link.parent = record.macvlan_parent;
  return link;
}

bool is_usable(const AddressRecord& record) {
  return (record.flags & IFA_F_TENTATIVE) == 0 || (record.flags & IFA_F_OPTIMISTIC) != 0;
}

bool is_last_choice(const AddressRecord& record) {
  return (record.flags & (IFA_F_SECONDARY | IFA_F_DEPRECATED)) != 0 || record.protocol == kAddressProtocol;
}

}  // namespace

Result<std::vector<FailoverLink>> snapshot_links() {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const auto records = dump_links(netlink.value());
  if (!records.ok()) return records.status();
  const auto addresses = dump_addresses(netlink.value());
  if (!addresses.ok()) return addresses.status();
  std::vector<FailoverLink> links;
  for (const LinkRecord& record : records.value()) links.push_back(view_of(record));
  std::map<uint32_t, FailoverLink*> by_index;
  for (FailoverLink& link : links) by_index[link.ifindex] = &link;
  for (FailoverLink& link : links) {
    if (const auto parent = by_index.find(link.parent); parent != by_index.end()) link.parent_name = parent->second->name;
  }
  for (const bool is_behind : {false, true}) {
    for (const AddressRecord& record : addresses.value()) {
      const auto link = by_index.find(record.local.ifindex);
      if (link != by_index.end() && is_usable(record) && is_last_choice(record) == is_behind)
        link->second->addresses.push_back({record.local.family, record.local.address, record.local.prefix_length,
                                           record.is_left_for_us()});
    }
  }
  return links;
}

}  // namespace uvs

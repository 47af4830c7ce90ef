#include "host/virtual_mac.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <vector>

#include "host/addresses.h"
#include "host/ipv4_settings.h"
#include "host/links.h"
#include "host/virtual_mac_mark.h"
#include "io/file_descriptor.h"

namespace uvs {

namespace {

constexpr std::string_view kKind = "macvlan";
constexpr uint8_t kAddrGenModeNone = 1;  // IN6_ADDR_GEN_MODE_NONE
// arp_ignore: answer only for addresses of the very device that was asked on.
constexpr uint32_t kIgnoreForeign = 1;
// arp_announce: ask in the name of an address of the very device, whatever the packet's source is.
constexpr uint32_t kAnnounceOwn = 2;

// Two calls must not both take the parent's settings for those that were before us.
std::mutex calls;

const LinkRecord* find_by_name(const std::vector<LinkRecord>& links, const std::string& name) {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const LinkRecord& link) { return link.name == name; });
  return found == links.end() ? nullptr : &*found;
}

NetlinkRequest change(uint32_t ifindex, unsigned flags = 0) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  body.ifi_flags = flags;
  body.ifi_change = flags;
  return NetlinkRequest(RTM_SETLINK, NLM_F_ACK, body);
}

struct Setting {
  uint16_t which;  // IPV4_DEVCONF_*
  uint32_t value;
};

// By rtnetlink: /proc/sys is read-only in many containers.
int set_ipv4(NetlinkSocket& netlink, uint32_t ifindex, const std::vector<Setting>& settings) {
  if (settings.empty()) return 0;
  NetlinkRequest request = change(ifindex);
  const size_t families = request.begin(IFLA_AF_SPEC | NLA_F_NESTED);
  const size_t inet = request.begin(AF_INET | NLA_F_NESTED);
  const size_t values = request.begin(IFLA_INET_CONF | NLA_F_NESTED);
  for (const Setting& setting : settings) request.value(setting.which, setting.value);
  request.end(values);
  request.end(inet);
  request.end(families);
  return netlink.request(request);
}

std::string ipv6_setting(const std::string& device, const char* which) {
  return "/proc/sys/net/ipv6/conf/" + device + "/" + which;
}

std::optional<char> read_first(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char value;
  if (!file.is_open() || read(file.get(), &value, 1) != 1) return std::nullopt;
  return value;
}

// A virtual MAC's device speaks only for virtual addresses (RFC 9568 section 7.4). rtnetlink knows
// one of these settings; the others go where /proc/sys may be written, and matter only where a
// router on the link advertises prefixes.
void quieten_ipv6(NetlinkSocket& netlink, uint32_t ifindex, const std::string& name,
                  const std::string& parent) {
  NetlinkRequest request = change(ifindex);
  const size_t families = request.begin(IFLA_AF_SPEC | NLA_F_NESTED);
  const size_t ipv6 = request.begin(AF_INET6 | NLA_F_NESTED);
  request.value(IFLA_INET6_ADDR_GEN_MODE, kAddrGenModeNone);
  request.end(ipv6);
  request.end(families);
  (void)netlink.request(request);  // a kernel without IPv6 refuses, and needs it not

  const auto write_first = [&](const char* which, char value) {
    FileDescriptor file(open(ipv6_setting(name, which).c_str(), O_WRONLY | O_CLOEXEC));
    if (file.is_open()) (void)!write(file.get(), &value, 1);
  };
  write_first("accept_ra", '0');
  write_first("autoconf", '0');
  write_first("router_solicitations", '0');
  // Where new devices begin without IPv6, the parent was given it for a reason.
  if (const auto is_disabled = read_first(ipv6_setting(parent, "disable_ipv6")))
    write_first("disable_ipv6", *is_disabled);
}

// Strict reverse-path filtering would drop what clients send to an address here, since the way
// back leads over the parent. The kernel takes the greater of this and of `all`: where `all` is
// strict (1), loose (2) is what can be had.
uint32_t reverse_path_filter() {
  const auto all = read_first("/proc/sys/net/ipv4/conf/all/rp_filter");
  return all && *all != '0' ? 2 : 0;
}

// Values under which a device answers and asks only in the name of addresses of its own.
ArpSettings restricted(const ArpSettings& settings) {
  ArpSettings result = settings;
  // 0 answers for every address of the machine, 3 for all but those of host scope.
  if (settings.ignore == 0 || settings.ignore == 3) result.ignore = kIgnoreForeign;
  result.announce = kAnnounceOwn;
  return result;
}

int restrict_parent(NetlinkSocket& netlink, uint32_t ifindex, const ArpSettings& original) {
  const ArpSettings wanted = restricted(original);
  std::vector<Setting> settings;
  if (wanted.ignore != original.ignore)
    settings.push_back({IPV4_DEVCONF_ARP_IGNORE, wanted.ignore});
  if (wanted.announce != original.announce)
    settings.push_back({IPV4_DEVCONF_ARP_ANNOUNCE, wanted.announce});
  return set_ipv4(netlink, ifindex, settings);
}

// Undoes restrict_parent when no device of ours is left there. What somebody changed meanwhile
// stays.
Status release_parent(NetlinkSocket& netlink, const VirtualMacMark& mark) {
  if (!mark.parent_settings || mark.parent_ifindex == 0) return {};
  const auto devices = dump_links(netlink);
  if (!devices.ok()) return devices.status();
  for (const LinkRecord& device : devices.value()) {
    if (device.mark && device.mark->parent_ifindex == mark.parent_ifindex) return {};
  }
  const LinkRecord* parent = find_link(devices.value(), mark.parent_ifindex);
  if (!parent || !parent->arp) return {};
  const ArpSettings &original = *mark.parent_settings, ours = restricted(original);
  std::vector<Setting> settings;
  if (ours.ignore != original.ignore && parent->arp->ignore == ours.ignore)
    settings.push_back({IPV4_DEVCONF_ARP_IGNORE, original.ignore});
  if (ours.announce != original.announce && parent->arp->announce == ours.announce)
    settings.push_back({IPV4_DEVCONF_ARP_ANNOUNCE, original.announce});
  const int error = set_ipv4(netlink, parent->link.ifindex, settings);
  return error == 0 ? Status{}
                    : errno_status(error, "cannot restore arp_ignore and arp_announce of " +
                                              parent->name);
}

int delete_device(NetlinkSocket& netlink, uint32_t ifindex) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(ifindex);
  NetlinkRequest request(RTM_DELLINK, NLM_F_ACK, body);
  const int error = netlink.request(request);
  return error == ENODEV ? 0 : error;
}

// One of ours.
Status remove_device(NetlinkSocket& netlink, const LinkRecord& device) {
  if (const int error = delete_device(netlink, device.link.ifindex))
    return errno_status(error, "cannot remove the virtual MAC's device " + device.name);
  return release_parent(netlink, *device.mark);
}

// Addresses, sockets and filters stay with it. Linux before 6.2 renames no device that is up: there set_up raises it again,
// and IPv6 addresses and routes are gone.
Status rename(NetlinkSocket& netlink, const LinkRecord& device, const std::string& name) {
  NetlinkRequest naming = change(device.link.ifindex);
  naming.text(IFLA_IFNAME, name);
  int error = netlink.request(naming);
  if (error == EBUSY) {
    ifinfomsg down{};
    down.ifi_index = static_cast<int>(device.link.ifindex);
    down.ifi_change = IFF_UP;
    NetlinkRequest lowering(RTM_SETLINK, NLM_F_ACK, down);
    if (error = netlink.request(lowering); error == 0) error = netlink.request(naming);
  }
  return error == 0 ? Status{} : errno_status(error, "cannot rename " + device.name + " to " + name);
}

Status readdress(NetlinkSocket& netlink, const LinkRecord& device, const MacAddress& mac) {
  NetlinkRequest request = change(device.link.ifindex);
  request.value(IFLA_ADDRESS, mac);
  const int error = netlink.request(request);
  return error == 0 ? Status{} : errno_status(error, "cannot give " + device.name + " its MAC address");
}

Status creation_failed(int error, const std::string& name, const std::string& parent) {
  const std::string what = "cannot make the virtual MAC's device " + name + " on " + parent;
  switch (error) {
    case EOPNOTSUPP:
      return {ErrorCode::kKernelUnsupported,
              what + ": this kernel has no macvlan devices (CONFIG_MACVLAN); load the module "
                     "macvlan, or leave use_vmac out"};
    case EBUSY:
      return errno_status(error, what + ": it is a port of a bridge, bond or the like; name that "
                                        "device as the virtual router's interface");
    case EINVAL:
      return errno_status(error, what + ": it is no Ethernet device; leave use_vmac out");
    default:
      return errno_status(error, what);
  }
}

Result<uint32_t> create(NetlinkSocket& netlink, const std::string& name, const LinkRecord& parent,
                        const MacAddress& mac) {
  NetlinkRequest request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  request.value(IFLA_LINK, parent.link.ifindex);
  request.value(IFLA_ADDRESS, mac);
  const size_t info = request.begin(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, kKind);
  const size_t data = request.begin(IFLA_INFO_DATA);
  // Of all modes the one in which the parent hears a peer that speaks with the same virtual MAC: in private mode the
  // kernel takes such frames for our own, come back.
  request.value(IFLA_MACVLAN_MODE, uint32_t{MACVLAN_MODE_VEPA});
  request.end(data);
  request.end(info);
  if (const int error = netlink.request(request))
    return creation_failed(error, name, parent.name);
  const uint32_t ifindex = if_nametoindex(name.c_str());
  if (ifindex == 0)
    return Status{ErrorCode::kIo, "the virtual MAC's device " + name + " vanished as it was made"};
  return ifindex;
}

// Mark, settings, up; in this order, so that nothing is answered wrongly and a death in between
// leaves what a later start recognises.
Status set_up(NetlinkSocket& netlink, uint32_t ifindex, const std::string& name,
              const LinkRecord& parent, const VirtualMacMark& mark) {
  const std::string what = "cannot set up the virtual MAC's device " + name;
  NetlinkRequest marking = change(ifindex);
  const std::string alias = write_mark(mark);
  marking.bytes(IFLA_IFALIAS, alias.data(), alias.size());
  if (const int error = netlink.request(marking)) return errno_status(error, what);
  // No accept_local, which keepalived sets to hear its own adverts: with it the kernel answers the
  // gratuitous ARP of a second master, and takes packets that claim to come from our addresses.
  const int error = set_ipv4(netlink, ifindex,
                             {{IPV4_DEVCONF_RP_FILTER, reverse_path_filter()},
                              {IPV4_DEVCONF_ARP_IGNORE, kIgnoreForeign},
                              {IPV4_DEVCONF_ARP_ANNOUNCE, kAnnounceOwn},
                              {IPV4_DEVCONF_PROMOTE_SECONDARIES, 1}});
  if (error != 0) return errno_status(error, what);
  quieten_ipv6(netlink, ifindex, name, parent.name);
  if (mark.parent_settings) {
    if (const int refused = restrict_parent(netlink, parent.link.ifindex, *mark.parent_settings))
      return errno_status(refused, "cannot set arp_ignore and arp_announce of " + parent.name);
  }
  NetlinkRequest raising = change(ifindex, IFF_UP);
  const int refused = netlink.request(raising);
  if (refused == EADDRINUSE || refused == EEXIST || refused == EBUSY) {
    return {ErrorCode::kIo, "cannot bring up " + name + ": another device on " + parent.name +
                                " has its MAC address; is a second virtual router there with the "
                                "same number, or a device that keepalived left?"};
  }
  return refused == 0 ? Status{} : errno_status(refused, "cannot bring up " + name);
}

// What the parent's settings were before us: as a sibling remembers it, else as they are.
std::optional<ArpSettings> original_settings(const std::vector<LinkRecord>& devices,
                                             const LinkRecord& parent) {
  for (const LinkRecord& device : devices) {
    if (device.mark && device.mark->parent_ifindex == parent.link.ifindex &&
        device.mark->parent_settings)
      return device.mark->parent_settings;
  }
  return parent.arp;
}

Status check_name(const std::string& name) {
  const bool is_valid = !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
                        name.find_first_of("/: \t\n%") == std::string::npos;
  if (is_valid) return {};
  return {ErrorCode::kIo, "a virtual MAC's device can't be called \"" + name +
                              "\": a name has 1 to 15 characters, without blank, / : %"};
}

// What RTM_GETLINK tells of the device; false: there is none.
bool ask_link(NetlinkSocket& netlink, const std::string& name, const NetlinkSocket::Visitor& visit) {
  NetlinkRequest request(RTM_GETLINK, NLM_F_ACK, ifinfomsg{});
  request.text(IFLA_IFNAME, name);
  return netlink.request(request, visit) == 0;
}

bool is_parent_restricted(NetlinkSocket& netlink, const std::string& parent) {
  bool is_restricted = false;
  (void)ask_link(netlink, parent, [&](const NetlinkMessage& message) {
    const auto link = message.attributes<ifinfomsg>();
    const auto ignore = ipv4_setting(link, IPV4_DEVCONF_ARP_IGNORE);
    const auto announce = ipv4_setting(link, IPV4_DEVCONF_ARP_ANNOUNCE);
    // A device without IPv4 has none to be restricted.
    const ArpSettings settings{ignore.value_or(kIgnoreForeign), announce.value_or(kAnnounceOwn)};
    is_restricted = restricted(settings) == settings;
  });
  return is_restricted;
}

bool is_as_set_up(const NetlinkMessage& message, uint32_t parent_ifindex, const MacAddress& mac) {
  const auto* body = message.body<ifinfomsg>();
  const auto link = message.attributes<ifinfomsg>();
  const auto mark = mark_of(link);
  const auto has = [&](uint32_t which, uint32_t value) { return ipv4_setting(link, which).value_or(value) == value; };
  return body && (body->ifi_flags & IFF_UP) != 0 && mark && mark->parent_ifindex == parent_ifindex &&
         link.value<MacAddress>(IFLA_ADDRESS) == mac && has(IPV4_DEVCONF_RP_FILTER, reverse_path_filter()) &&
         has(IPV4_DEVCONF_ARP_IGNORE, kIgnoreForeign) && has(IPV4_DEVCONF_ARP_ANNOUNCE, kAnnounceOwn) &&
         has(IPV4_DEVCONF_PROMOTE_SECONDARIES, 1);
}

}  // namespace

Result<bool> ensure_virtual_mac(const std::string& name, const std::string& parent, const MacAddress& mac) {
  {
    auto netlink = NetlinkSocket::open();
    if (!netlink.ok()) return netlink.status();
    const uint32_t parent_ifindex = if_nametoindex(parent.c_str());
    bool is_in_place = false;
    (void)ask_link(netlink.value(), name, [&](const NetlinkMessage& message) {
      is_in_place = is_as_set_up(message, parent_ifindex, mac);
    });
    if (is_in_place && is_parent_restricted(netlink.value(), parent)) return false;
  }
  Status made = add_virtual_mac(name, parent, mac);
  if (!made.ok()) return made;
  return true;
}

Status add_virtual_mac(const std::string& name, const std::string& parent_name,
                       const MacAddress& mac) {
  if (Status status = check_name(name); !status.ok()) return status;
  const std::lock_guard lock(calls);
  auto opened = NetlinkSocket::open();
  if (!opened.ok()) return opened.status();
  NetlinkSocket& netlink = opened.value();
  const auto devices = dump_links(netlink);
  if (!devices.ok()) return devices.status();
  const LinkRecord* parent = find_by_name(devices.value(), parent_name);
  if (!parent) {
    return {ErrorCode::kDeviceMissing, "no such device: " + parent_name +
                                           "; the virtual MAC's device " + name +
                                           " can't be made on it"};
  }
  VirtualMacMark mark;
  mark.parent_ifindex = parent->link.ifindex;
  mark.parent_settings = original_settings(devices.value(), *parent);

  uint32_t ifindex = 0;
  const LinkRecord* there = find_by_name(devices.value(), name);
  const auto twin = std::find_if(devices.value().begin(), devices.value().end(), [&](const LinkRecord& device) {
    return device.mark && device.mark->parent_ifindex == parent->link.ifindex && device.link.mac == mac;
  });
  if (!there && twin != devices.value().end()) {
    if (Status status = rename(netlink, *twin, name); !status.ok()) return status;
    ifindex = twin->link.ifindex;
  } else if (there) {
    if (!there->mark) {
      return {ErrorCode::kIo, "the device " + name +
                                  " is there already and is not ours; remove it (ip link del " +
                                  name + ") or give use_vmac another name"};
    }
    if (there->mark->parent_ifindex == parent->link.ifindex) {
      ifindex = there->link.ifindex;
      if (there->link.mac != mac) {
        if (Status status = readdress(netlink, *there, mac); !status.ok()) return status;
      }
    } else if (Status status = remove_device(netlink, *there); !status.ok()) {
      return status;
    }
  }
  const bool is_new = ifindex == 0;
  if (is_new) {
    const auto created = create(netlink, name, *parent, mac);
    if (!created.ok()) return created.status();
    ifindex = created.value();
  }
  Status status = set_up(netlink, ifindex, name, *parent, mark);
  if (!status.ok() && is_new) {
    (void)delete_device(netlink, ifindex);
    (void)release_parent(netlink, mark);
  }
  return status;
}

Status remove_virtual_mac(const std::string& name) {
  const std::lock_guard lock(calls);
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const auto devices = dump_links(netlink.value());
  if (!devices.ok()) return devices.status();
  const LinkRecord* device = find_by_name(devices.value(), name);
  if (!device) return {};
  if (!device->mark)
    return {ErrorCode::kIo, "the device " + name + " is not ours (its alias is not uvs); it stays"};
  return remove_device(netlink.value(), *device);
}

Status remove_leftover_virtual_macs() {
  const std::lock_guard lock(calls);
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const auto devices = dump_links(netlink.value());
  if (!devices.ok()) return devices.status();
  const auto addresses = dump_addresses(netlink.value());
  if (!addresses.ok()) return addresses.status();
  for (const LinkRecord& device : devices.value()) {
    // An address that was left for us would go with its device.
    const bool is_left = std::any_of(
        addresses.value().begin(), addresses.value().end(), [&](const AddressRecord& address) {
          return address.local.ifindex == device.link.ifindex && address.is_left_for_us();
        });
    if (!device.mark || is_left) continue;
    if (Status status = remove_device(netlink.value(), device); !status.ok()) return status;
  }
  return {};
}

}  // namespace uvs

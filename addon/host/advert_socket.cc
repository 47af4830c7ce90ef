#include "host/advert_socket.h"

#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "host/failover_links.h"

namespace uvs {

namespace {

// Class selector 6, network control (RFC 9568 says nothing; keepalived and routers send it so).
constexpr int kTrafficClass = 0xc0;
constexpr int kControlPriority = 7;  // TC_PRIO_CONTROL
constexpr size_t kLongestPacket = 65'536;

bool set(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

bool is_link_local(const IpAddress& address) {
  return address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

socklen_t fill_address(sockaddr_storage& storage, Family family, const IpAddress& address,
                       uint32_t scope) {
  storage = {};
  if (family == Family::kIpv4) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
    ipv4.sin_family = AF_INET;
    std::memcpy(&ipv4.sin_addr, address.bytes.data(), sizeof(ipv4.sin_addr));
    return sizeof(ipv4);
  }
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  ipv6.sin6_family = AF_INET6;
  std::memcpy(&ipv6.sin6_addr, address.bytes.data(), sizeof(ipv6.sin6_addr));
  ipv6.sin6_scope_id = scope;
  return sizeof(ipv6);
}

struct OpenSocket {
  FileDescriptor socket;
  uint32_t ifindex = 0;
};

Result<OpenSocket> open_on(const std::string& device, Family family) {
  const uint32_t ifindex = if_nametoindex(device.c_str());
  if (ifindex == 0) return Status{ErrorCode::kDeviceMissing, "no such device: " + device};
  const int domain = family == Family::kIpv4 ? AF_INET : AF_INET6;
  FileDescriptor socket(::socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, kVrrpProtocol));
  if (!socket.is_open())
    return errno_status(errno, "cannot open a socket for VRRP adverts", "CAP_NET_RAW");
  if (setsockopt(socket.get(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
                 static_cast<socklen_t>(device.size())) != 0) {
    return errno_status(errno, "cannot bind to the device " + device, "CAP_NET_RAW");
  }
  return OpenSocket{std::move(socket), ifindex};
}

// The time to live behind a packet's data; empty when the kernel did not tell.
std::optional<uint8_t> hop_limit(msghdr& header, IpAddress& destination) {
  std::optional<uint8_t> hops;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level == SOL_IP && part->cmsg_type == IP_TTL) {
      int value;
      std::memcpy(&value, CMSG_DATA(part), sizeof(value));
      hops = static_cast<uint8_t>(value);
    } else if (part->cmsg_level == SOL_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(part), sizeof(info));
      destination = IpAddress::load_ipv4(reinterpret_cast<const uint8_t*>(&info.ipi_addr));
    } else if (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_HOPLIMIT) {
      int value;
      std::memcpy(&value, CMSG_DATA(part), sizeof(value));
      hops = static_cast<uint8_t>(value);
    } else if (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(part), sizeof(info));
      destination = IpAddress::load_ipv6(info.ipi6_addr.s6_addr);
    }
  }
  return hops;
}

// What is behind the IPv4 header, which raw sockets hand over, too.
std::span<const uint8_t> without_ipv4_header(std::span<const uint8_t> packet) {
  if (packet.size() < sizeof(iphdr)) return {};
  const size_t header = (packet[0] & 15u) * 4u;
  return packet.size() < header ? std::span<const uint8_t>{} : packet.subspan(header);
}

// A sender's socket would hoard every advert that is addressed to its source.
bool hear_nothing(int socket) {
  sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &nothing};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

// Without it the kernel keeps silent about an IPv4 message that found no room in its neighbour table, and of either family
// in the device's queue. With it comes what ICMP says of peers: of that nothing need be kept.
bool hear_of_losses(int socket, Family family) {
  return (family == Family::kIpv4 ? set(socket, SOL_IP, IP_RECVERR, 1) : set(socket, SOL_IPV6, IPV6_RECVERR, 1)) &&
         set(socket, SOL_SOCKET, SO_RCVBUF, 0);
}

bool set_sending(int socket, const AdvertEgress& egress, uint32_t ifindex) {
  // The default priority stays where this is refused.
  (void)set(socket, SOL_SOCKET, SO_PRIORITY, kControlPriority);
  if (egress.family == Family::kIpv4) {
    ip_mreqn leaves{};
    leaves.imr_ifindex = static_cast<int>(ifindex);
    return set(socket, SOL_IP, IP_TTL, egress.ttl) &&
           set(socket, SOL_IP, IP_MULTICAST_TTL, egress.ttl) &&
           set(socket, SOL_IP, IP_MULTICAST_LOOP, 0) && set(socket, SOL_IP, IP_TOS, kTrafficClass) &&
           setsockopt(socket, SOL_IP, IP_MULTICAST_IF, &leaves, sizeof(leaves)) == 0;
  }
  return set(socket, SOL_IPV6, IPV6_UNICAST_HOPS, egress.ttl) &&
         set(socket, SOL_IPV6, IPV6_MULTICAST_HOPS, egress.ttl) &&
         set(socket, SOL_IPV6, IPV6_MULTICAST_LOOP, 0) &&
         set(socket, SOL_IPV6, IPV6_TCLASS, kTrafficClass) &&
         set(socket, SOL_IPV6, IPV6_MULTICAST_IF, static_cast<int>(ifindex));
}

// With net.ipv4.ip_nonlocal_bind, usual on such machines, bind() takes any source; sending then fails or lies.
Status check_source(const AdvertEgress& egress, uint32_t ifindex) {
  const auto links = snapshot_links();
  if (!links.ok()) return links.status();
  uint32_t parent = ifindex;
  for (const FailoverLink& link : links.value()) {
    if (link.ifindex == ifindex && link.parent != 0) parent = link.parent;
  }
  const bool is_bound_to_link = egress.family == Family::kIpv6 && is_link_local(egress.source);
  for (const FailoverLink& link : links.value()) {
    if (is_bound_to_link && link.ifindex != ifindex && link.ifindex != parent) continue;
    for (const FailoverAddress& address : link.addresses) {
      if (address.family == egress.family && address.address == egress.source) return {};
    }
  }
  return {ErrorCode::kIo, "cannot send adverts on " + egress.device +
                              ": their source is no address of this machine, or not usable yet"};
}

}  // namespace

Result<AdvertReceiver> AdvertReceiver::open(const std::string& device, Family family,
                                            const std::vector<IpAddress>& groups) {
  Result<OpenSocket> opened = open_on(device, family);
  if (!opened.ok()) return opened.status();
  const int socket = opened.value().socket.get();
  // Otherwise it hears every group that anybody on this machine has joined.
  const bool is_set = family == Family::kIpv4 ? set(socket, SOL_IP, IP_RECVTTL, 1) &&
                                                    set(socket, SOL_IP, IP_PKTINFO, 1) &&
                                                    set(socket, SOL_IP, IP_MULTICAST_ALL, 0)
                                              : set(socket, SOL_IPV6, IPV6_RECVHOPLIMIT, 1) &&
                                                    set(socket, SOL_IPV6, IPV6_RECVPKTINFO, 1) &&
                                                    set(socket, SOL_IPV6, IPV6_MULTICAST_ALL, 0);
  if (!is_set) return errno_status(errno, "cannot hear adverts on " + device);
  AdvertReceiver receiver(std::move(opened.value().socket), opened.value().ifindex, family);
  if (Status joined = receiver.change_groups(groups); !joined.ok()) return joined;
  return receiver;
}

int AdvertReceiver::change_group(int option_ipv4, int option_ipv6, const IpAddress& group) {
  if (family_ == Family::kIpv4) {
    ip_mreqn membership{};
    std::memcpy(&membership.imr_multiaddr, group.bytes.data(), sizeof(membership.imr_multiaddr));
    membership.imr_ifindex = static_cast<int>(ifindex_);
    return setsockopt(socket_.get(), SOL_IP, option_ipv4, &membership, sizeof(membership)) == 0
               ? 0
               : errno;
  }
  ipv6_mreq membership{};
  std::memcpy(&membership.ipv6mr_multiaddr, group.bytes.data(),
              sizeof(membership.ipv6mr_multiaddr));
  membership.ipv6mr_interface = ifindex_;
  return setsockopt(socket_.get(), SOL_IPV6, option_ipv6, &membership, sizeof(membership)) == 0
             ? 0
             : errno;
}

Status AdvertReceiver::change_groups(const std::vector<IpAddress>& groups) {
  const auto has = [](const std::vector<IpAddress>& list, const IpAddress& group) {
    return std::find(list.begin(), list.end(), group) != list.end();
  };
  for (const IpAddress& group : groups) {
    if (has(groups_, group)) continue;
    const int error = change_group(IP_ADD_MEMBERSHIP, IPV6_ADD_MEMBERSHIP, group);
    if (error != 0 && error != EADDRINUSE)
      return errno_status(error, "cannot join a multicast group for adverts");
    groups_.push_back(group);
  }
  for (const IpAddress& group : groups_) {
    if (!has(groups, group)) (void)change_group(IP_DROP_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, group);
  }
  groups_ = groups;
  return {};
}

void AdvertReceiver::receive(const std::function<void(const HeardAdvert&)>& visit) {
  std::array<uint8_t, kLongestPacket> packet;
  alignas(cmsghdr) std::array<uint8_t, 256> control;
  for (int count = 0; count < kMostAtOnce; count++) {
    sockaddr_storage from{};
    iovec part{packet.data(), packet.size()};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof(from);
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = recvmsg(socket_.get(), &header, MSG_DONTWAIT);
    if (size < 0) {
      if (errno == EINTR) continue;
      return;  // EAGAIN; or an error of the device, which rtnetlink tells, too
    }
    HeardAdvert advert;
    const std::optional<uint8_t> hops = hop_limit(header, advert.destination);
    if (!hops || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) continue;
    const std::span<const uint8_t> bytes(packet.data(), static_cast<size_t>(size));
    advert.ttl = *hops;
    if (family_ == Family::kIpv4) {
      const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(from);
      advert.source = IpAddress::load_ipv4(reinterpret_cast<const uint8_t*>(&ipv4.sin_addr));
      advert.message = without_ipv4_header(bytes);
    } else {
      advert.source =
          IpAddress::load_ipv6(reinterpret_cast<const sockaddr_in6&>(from).sin6_addr.s6_addr);
      advert.message = bytes;
    }
    visit(advert);
  }
}

Result<AdvertSender> AdvertSender::open(const AdvertEgress& egress) {
  Result<OpenSocket> opened = open_on(egress.device, egress.family);
  if (!opened.ok()) return opened.status();
  const auto& [descriptor, ifindex] = opened.value();
  const int socket = descriptor.get();
  if (Status checked = check_source(egress, ifindex); !checked.ok()) return checked;
  if (!hear_nothing(socket) || !hear_of_losses(socket, egress.family) || !set_sending(socket, egress, ifindex))
    return errno_status(errno, "cannot set up a socket for adverts on " + egress.device);
  const bool is_bound_to_link = egress.family == Family::kIpv6 && is_link_local(egress.source);
  // A macvlan device has no link-local address of its own: its parent's is the source.
  if (is_bound_to_link) (void)set(socket, SOL_IPV6, IPV6_FREEBIND, 1);
  sockaddr_storage source;
  const uint32_t scope = is_bound_to_link ? ifindex : 0;
  const socklen_t size = fill_address(source, egress.family, egress.source, scope);
  if (bind(socket, reinterpret_cast<sockaddr*>(&source), size) != 0)
    return errno_status(errno, "cannot send adverts on " + egress.device + " from their source");
  return AdvertSender(std::move(opened.value().socket), ifindex, egress);
}

int AdvertSender::send_one(const AdvertMessage& message) const {
  const IpAddress& destination = message.destination;
  const bool has_scope = is_link_local(destination) || destination.bytes[0] == 0xff;
  sockaddr_storage to;
  const socklen_t size =
      fill_address(to, egress_.family, destination, has_scope ? ifindex_ : 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&to);
  // An error may be ICMP's answer to an earlier message, which keeps this one back: such an error comes once.
  int error = 0;
  for (int attempts = 0; attempts < 2;) {
    if (sendto(socket_.get(), message.bytes.data(), message.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               address, size) >= 0)
      return 0;
    error = errno;
    if (error != EINTR) attempts++;
  }
  return error;
}

int AdvertSender::send(std::span<const AdvertMessage> messages) const {
  int first_error = device_error(socket_.get(), egress_.device.c_str());
  for (const AdvertMessage& message : messages) {
    const int error = send_one(message);
    if (first_error == 0) first_error = error;
  }
  return first_error;
}

std::string advert_error_text(const AdvertEgress& egress, int error) {
  const bool is_ipv4 = egress.family == Family::kIpv4;
  // The kernel's words for a neighbour table without room: ip_finish_output2, ip6_finish_output2.
  const bool may_be_full = error == (is_ipv4 ? ENOBUFS : EINVAL);
  if (!may_be_full && error != ENOBUFS) return error_text(error);
  const std::string queue = "the queue of " + egress.device + " is full";
  const std::string table = std::string("the kernel's neighbour table is full (sysctl net.") +
                            (is_ipv4 ? "ipv4" : "ipv6") + ".neigh.default.gc_thresh3)";
  return error_text(error) + ": " + (!may_be_full ? queue : table + (is_ipv4 ? ", or " + queue : "?"));
}

int device_error(int socket, const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
  if (ioctl(socket, SIOCGIFFLAGS, &request) != 0) return errno;
  constexpr int kReady = IFF_UP | IFF_RUNNING;
  return (request.ifr_flags & kReady) == kReady ? 0 : ENETDOWN;
}

}  // namespace uvs

#include "io/slow_path_pair.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string>
#include <string_view>

#include "core/net/address.h"
#include "io/device_features.h"

namespace uvs {

namespace {

// The largest that IPv4 can say: GSO and jumbo frames of every device fit.
constexpr uint32_t kMtu = 65'535;
constexpr uint32_t kTxQueueLength = 1000;
constexpr uint8_t kAddrGenModeNone = 1;  // IN6_ADDR_GEN_MODE_NONE
constexpr uint8_t kOperUp = 6;           // IF_OPER_UP
constexpr int kReadyPatience_ms = 5000;

NetlinkRequest link_request(uint16_t type, uint16_t flags, uint32_t ifindex, unsigned set,
                            unsigned mask) {
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  body.ifi_index = static_cast<int>(ifindex);
  body.ifi_flags = set;
  body.ifi_change = mask;
  return NetlinkRequest(type, flags, body);
}

// Locally administered, and nobody's by chance: "uvs". The kernel takes it together with the name, so there is no moment
// in which the pair can't be told from a device of the user's.
struct End {
  const char* name;
  MacAddress mac;
};
constexpr End kEnds[2] = {{kKernelEnd, {{0x02, 'u', 'v', 's', 0, 0}}}, {kWorkerEnd, {{0x02, 'u', 'v', 's', 0, 1}}}};

uint32_t ifindex_of(const SlowPathPair& pair, size_t end) {
  return end == 0 ? pair.kernel_ifindex : pair.worker_ifindex;
}

void describe_end(NetlinkRequest& request, const End& end) {
  request.text(IFLA_IFNAME, end.name);
  request.value(IFLA_ADDRESS, end.mac);
  request.value(IFLA_MTU, kMtu);
  request.value(IFLA_TXQLEN, kTxQueueLength);
}

std::string ipv6_switch(const char* name) {
  return std::string("/proc/sys/net/ipv6/conf/") + name + "/disable_ipv6";
}

// Without it the kernel gives the end a link-local address and speaks router solicitations and MLD
// on it. IPv6 is switched off where /proc/sys may be written; where not (some containers), at least
// no address comes up by itself.
void silence_ipv6(NetlinkSocket& netlink, const char* name, uint32_t ifindex) {
  NetlinkRequest request = link_request(RTM_SETLINK, NLM_F_ACK, ifindex, 0, 0);
  const size_t families = request.begin(IFLA_AF_SPEC | NLA_F_NESTED);
  const size_t ipv6 = request.begin(AF_INET6 | NLA_F_NESTED);
  request.value(IFLA_INET6_ADDR_GEN_MODE, kAddrGenModeNone);
  request.end(ipv6);
  request.end(families);
  (void)netlink.request(request);  // a kernel without IPv6 refuses, and needs it not

  FileDescriptor file(open(ipv6_switch(name).c_str(), O_WRONLY | O_CLOEXEC));
  if (file.is_open()) (void)!write(file.get(), "1", 1);
}

// Only where it could be switched off: a file that can't be written is no change of somebody's.
bool has_ipv6(const char* name) {
  FileDescriptor file(open(ipv6_switch(name).c_str(), O_RDWR | O_CLOEXEC));
  char value = '1';
  return file.is_open() && read(file.get(), &value, 1) == 1 && value == '0';
}

// ENODEV when it is not in this namespace (any more); nothing else stands for that.
int ask_link(NetlinkSocket& netlink, uint32_t ifindex, const NetlinkSocket::Visitor& visit) {
  NetlinkRequest request = link_request(RTM_GETLINK, NLM_F_ACK, ifindex, 0, 0);
  return netlink.request(request, visit);
}

// In words, the first that was found.
std::string change_of(const NetlinkMessage& message, const End& end) {
  const auto* body = message.body<ifinfomsg>();
  if (!body) return {};
  const auto attributes = message.attributes<ifinfomsg>();
  constexpr unsigned kFlags = IFF_UP | IFF_NOARP;
  if ((body->ifi_flags & IFF_UP) == 0) return "is down";
  if ((body->ifi_flags & kFlags) != kFlags) return "has ARP switched on";
  if (attributes.text(IFLA_IFNAME) != end.name)
    return "is called " + std::string(attributes.text(IFLA_IFNAME));
  if (attributes.value<uint32_t>(IFLA_MTU) != kMtu) return "has another MTU";
  if (attributes.value<MacAddress>(IFLA_ADDRESS) != end.mac) return "has another MAC address";
  if (attributes.value<uint32_t>(IFLA_MASTER).value_or(0) != 0) return "is part of another device";
  if (has_ipv6(end.name)) return "has IPv6 switched on";
  return {};
}

// Ours, somebody else's, or nothing by that name.
enum class Owner { kNobody, kUs, kOther };

Owner owner_of(NetlinkSocket& netlink, const End& end) {
  Owner owner = Owner::kNobody;
  NetlinkRequest request = link_request(RTM_GETLINK, NLM_F_ACK, 0, 0, 0);
  request.text(IFLA_IFNAME, end.name);
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    if (message.type != RTM_NEWLINK) return;
    const auto attributes = message.attributes<ifinfomsg>();
    const auto info = attributes.find(IFLA_LINKINFO);
    const bool is_veth = info && NetlinkAttributes(*info).text(IFLA_INFO_KIND) == "veth";
    owner = is_veth && attributes.value<MacAddress>(IFLA_ADDRESS) == end.mac ? Owner::kUs : Owner::kOther;
  });
  return owner;
}

// What the header before a packet on an AF_PACKET socket (virtio_net_hdr) can't tell, or not in every
// kernel: GSO frames inside tunnels, of UDP (told since 6.2), with accurate ECN, as lists of packets.
// The kernel loses a part of it or the whole frame. Switched off at our door, it segments them in
// software before.
bool is_untellable(std::string_view feature) {
  constexpr std::string_view kTellable[] = {
      "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation",
      "tx-tcp-mangleid-segmentation"};
  if (std::find(std::begin(kTellable), std::end(kTellable), feature) != std::end(kTellable))
    return false;
  return feature.starts_with("tx-gso-") ||
         (feature.starts_with("tx-") && feature.ends_with("-segmentation"));
}

bool is_ready_to_send(NetlinkSocket& netlink, uint32_t ifindex) {
  bool is_ready = false;
  NetlinkRequest request = link_request(RTM_GETLINK, NLM_F_ACK, ifindex, 0, 0);
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    const auto attributes = message.attributes<ifinfomsg>();
    is_ready = attributes.value<uint8_t>(IFLA_OPERSTATE) == kOperUp &&
               attributes.text(IFLA_QDISC) != "noop";
  });
  return is_ready;
}

}  // namespace

Result<SlowPathPair> create_slow_path_pair(NetlinkSocket& netlink) {
  NetlinkRequest request =
      link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, 0, 0, 0);
  describe_end(request, kEnds[0]);
  const size_t link = request.begin(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  const size_t veth = request.begin(IFLA_INFO_DATA);
  const size_t peer = request.begin(VETH_INFO_PEER);
  const ifinfomsg peer_body{};
  request.append(&peer_body, sizeof(peer_body));
  describe_end(request, kEnds[1]);
  request.end(peer);
  request.end(veth);
  request.end(link);
  if (const int error = netlink.request(request)) {
    if (error == EOPNOTSUPP) {
      return Status{ErrorCode::kKernelUnsupported,
                    "this kernel has no veth devices (CONFIG_VETH), which the slow path needs"};
    }
    return errno_status(error, "cannot create the veth pair uvs0/uvs1");
  }
  SlowPathPair pair;
  pair.kernel_ifindex = if_nametoindex(kKernelEnd);
  pair.worker_ifindex = if_nametoindex(kWorkerEnd);
  if (pair.kernel_ifindex == 0 || pair.worker_ifindex == 0) {
    return Status{ErrorCode::kIo, "the veth pair uvs0/uvs1 vanished while it was made"};
  }
  silence_ipv6(netlink, kKernelEnd, pair.kernel_ifindex);
  silence_ipv6(netlink, kWorkerEnd, pair.worker_ifindex);
  if (Status status = disable_features(kKernelEnd, is_untellable); !status.ok()) return status;
  return pair;
}

Status raise_slow_path_pair(NetlinkSocket& netlink, const SlowPathPair& pair) {
  for (const uint32_t ifindex : {pair.kernel_ifindex, pair.worker_ifindex}) {
    NetlinkRequest request =
        link_request(RTM_NEWLINK, NLM_F_ACK, ifindex, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
    if (const int error = netlink.request(request))
      return errno_status(error, "cannot bring up the veth pair uvs0/uvs1");
  }
  // A device that got its carrier becomes able to send a moment later, in the kernel's work queue (up
  // to some hundred milliseconds where many devices come and go). What is redirected into it before
  // is lost.
  for (const uint32_t ifindex : {pair.kernel_ifindex, pair.worker_ifindex}) {
    for (int waited_ms = 0; !is_ready_to_send(netlink, ifindex); waited_ms++) {
      if (waited_ms >= kReadyPatience_ms)
        return {ErrorCode::kIo, "the veth pair uvs0/uvs1 is up, but the kernel does not let it send"};
      usleep(1000);
    }
  }
  return {};
}

uint64_t count_lost_in_pair(NetlinkSocket& netlink, const SlowPathPair& pair) {
  uint64_t lost = 0;
  NetlinkRequest request = link_request(RTM_GETLINK, NLM_F_ACK, pair.kernel_ifindex, 0, 0);
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    const auto stats = message.attributes<ifinfomsg>().value<rtnl_link_stats64>(IFLA_STATS64);
    if (stats) lost = stats->tx_dropped;
  });
  return lost;
}

Status remove_slow_path_pair(NetlinkSocket& netlink) {
  for (const End& end : kEnds) {
    const Owner owner = owner_of(netlink, end);
    if (owner == Owner::kNobody) continue;
    const std::string name = end.name;
    if (owner == Owner::kOther) {
      return {ErrorCode::kIo, "there is a device " + name + " that is not the director's, which needs that name: rename it (ip link set " + name +
                                  " name NAME), or remove it if nobody uses it"};
    }
    NetlinkRequest request = link_request(RTM_DELLINK, NLM_F_ACK, 0, 0, 0);
    request.text(IFLA_IFNAME, name);
    const int error = netlink.request(request);
    if (error != 0 && error != ENODEV) return errno_status(error, "cannot remove the device " + name);
  }
  return {};
}

PairState inspect_slow_path_pair(NetlinkSocket& netlink, const SlowPathPair& pair) {
  PairState state;
  for (size_t end = 0; end < 2; end++) {
    const int error = ask_link(netlink, ifindex_of(pair, end), [&](const NetlinkMessage& message) {
      state.changes[end] = change_of(message, kEnds[end]);
      const auto* body = message.body<ifinfomsg>();
      state.is_up &= body != nullptr && (body->ifi_flags & IFF_UP) != 0;
    });
    if (error == ENODEV) state.is_whole = false;
  }
  return state;
}

Status restore_pair_end(NetlinkSocket& netlink, const SlowPathPair& pair, size_t end) {
  const uint32_t ifindex = ifindex_of(pair, end);
  const End& wanted = kEnds[end];
  bool is_renamed = false;
  (void)ask_link(netlink, ifindex, [&](const NetlinkMessage& message) {
    is_renamed = message.attributes<ifinfomsg>().text(IFLA_IFNAME) != wanted.name;
  });
  if (is_renamed) {  // kernels before 6.2 rename only what is down
    NetlinkRequest lowering = link_request(RTM_SETLINK, NLM_F_ACK, ifindex, 0, IFF_UP);
    (void)netlink.request(lowering);
  }
  NetlinkRequest request =
      link_request(RTM_SETLINK, NLM_F_ACK, ifindex, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
  if (is_renamed) request.text(IFLA_IFNAME, wanted.name);
  request.value(IFLA_ADDRESS, wanted.mac);
  request.value(IFLA_MTU, kMtu);
  request.value(IFLA_MASTER, uint32_t{0});
  if (const int error = netlink.request(request))
    return errno_status(error, std::string("cannot restore the device ") + wanted.name);
  silence_ipv6(netlink, wanted.name, ifindex);
  return {};
}

}  // namespace uvs

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

void describe_end(NetlinkRequest& request, const char* name) {
  request.text(IFLA_IFNAME, name);
  request.value(IFLA_MTU, kMtu);
  request.value(IFLA_TXQLEN, kTxQueueLength);
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

  const std::string path = std::string("/proc/sys/net/ipv6/conf/") + name + "/disable_ipv6";
  FileDescriptor file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.is_open()) (void)!write(file.get(), "1", 1);
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
  describe_end(request, kKernelEnd);
  const size_t link = request.begin(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  const size_t veth = request.begin(IFLA_INFO_DATA);
  const size_t peer = request.begin(VETH_INFO_PEER);
  const ifinfomsg peer_body{};
  request.append(&peer_body, sizeof(peer_body));
  describe_end(request, kWorkerEnd);
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
  for (const char* name : {kKernelEnd, kWorkerEnd}) {
    NetlinkRequest request = link_request(RTM_DELLINK, NLM_F_ACK, 0, 0, 0);
    request.text(IFLA_IFNAME, name);
    const int error = netlink.request(request);
    if (error != 0 && error != ENODEV)
      return errno_status(error, std::string("cannot remove the device ") + name);
  }
  return {};
}

}  // namespace uvs

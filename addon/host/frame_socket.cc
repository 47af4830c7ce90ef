#include "host/frame_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "host/advert_socket.h"

namespace uvs {

namespace {

// Offsets into an Ethernet frame.
constexpr size_t kArpKind = 16, kArpSizes = 18, kArpOperation = 20, kArpSender = 28, kArpTarget = 38, kArpEnd = 42;
constexpr size_t kNextHeader = 20, kHopLimit = 21, kIcmpType = 54, kNdTarget = 62, kNdEnd = 78;
constexpr uint32_t kArpReply = 2, kArpSizesOfIpv4 = 0x0604;
constexpr uint32_t kIcmpv6 = 58, kNeighbourAdvertisement = 136;

// Replies, and requests for the sender's own address: an answer, and whoever says unasked that it holds one.
// A hop limit below 255 has come from another link (RFC 4861 7.1.2).
constexpr sock_filter kArpClaims[] = {
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kArpKind),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kArpSizes),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArpSizesOfIpv4, 0, 7),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kArpOperation),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArpReply, 4, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArpSender),
    BPF_STMT(BPF_MISC | BPF_TAX, 0),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kArpTarget),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};
constexpr sock_filter kNeighbourAdvertisements[] = {
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kNextHeader),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kIcmpv6, 0, 5),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kHopLimit),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 255, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kIcmpType),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNeighbourAdvertisement, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0xffff),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

Result<FileDescriptor> open_packet_socket() {
  FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open())
    return errno_status(errno, "cannot open a packet socket", "CAP_NET_RAW");
  return socket;
}

Result<FileDescriptor> open_filtered(const std::string& device, uint32_t ifindex, Family family) {
  Result<FileDescriptor> opened = open_packet_socket();
  if (!opened.ok()) return opened;
  const int socket = opened.value().get();
  const bool is_ipv4 = family == Family::kIpv4;
  // The kernel takes no pointer to const, and writes nothing.
  auto* filter = const_cast<sock_filter*>(is_ipv4 ? kArpClaims : kNeighbourAdvertisements);
  const sock_fprog program{
      static_cast<uint16_t>(is_ipv4 ? std::size(kArpClaims) : std::size(kNeighbourAdvertisements)),
      filter};
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(is_ipv4 ? ETH_P_ARP : ETH_P_IPV6);
  address.sll_ifindex = static_cast<int>(ifindex);
  if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0 ||
      bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return errno_status(errno, "cannot listen for address probes on " + device, "CAP_NET_RAW");
  }
  return opened;
}

std::optional<ProbedAddress> answered_address(std::span<const uint8_t> frame) {
  if (frame.size() < ETH_HLEN) return std::nullopt;
  const uint16_t type = load<Be16>(frame.data() + 12).host();
  if (type == ETH_P_ARP && frame.size() >= kArpEnd)
    return ProbedAddress{Family::kIpv4, IpAddress::load_ipv4(frame.data() + kArpSender)};
  if (type == ETH_P_IPV6 && frame.size() >= kNdEnd)
    return ProbedAddress{Family::kIpv6, IpAddress::load_ipv6(frame.data() + kNdTarget)};
  return std::nullopt;
}

}  // namespace

Result<FrameSender> FrameSender::open() {
  Result<FileDescriptor> opened = open_packet_socket();
  if (!opened.ok()) return opened.status();
  return FrameSender(std::move(opened.value()));
}

int FrameSender::send(const std::string& device, std::span<const uint8_t> frame) const {
  if (const int error = device_error(socket_.get(), device.c_str())) return error;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  for (;;) {
    if (sendto(socket_.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
               reinterpret_cast<sockaddr*>(&address), sizeof(address)) >= 0)
      return 0;
    if (errno != EINTR) return errno;
  }
}

Result<ProbeListener> ProbeListener::open(const std::string& device,
                                          std::vector<ProbedAddress> addresses) {
  const uint32_t ifindex = if_nametoindex(device.c_str());
  if (ifindex == 0) return Status{ErrorCode::kDeviceMissing, "no such device: " + device};
  ProbeListener listener(std::move(addresses));
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool is_asked =
        std::any_of(listener.addresses_.begin(), listener.addresses_.end(),
                    [family](const ProbedAddress& one) { return one.family == family; });
    if (!is_asked) continue;
    Result<FileDescriptor> socket = open_filtered(device, ifindex, family);
    if (!socket.ok()) return socket.status();
    listener.sockets_.push_back(std::move(socket.value()));
  }
  return listener;
}

std::vector<int> ProbeListener::descriptors() const {
  std::vector<int> descriptors;
  for (const FileDescriptor& socket : sockets_) descriptors.push_back(socket.get());
  return descriptors;
}

bool ProbeListener::is_wanted(std::span<const uint8_t> frame) const {
  const auto answered = answered_address(frame);
  return answered && std::any_of(addresses_.begin(), addresses_.end(),
                                 [&](const ProbedAddress& wanted) {
                                   return wanted.family == answered->family &&
                                          wanted.address == answered->address;
                                 });
}

void ProbeListener::receive(int descriptor,
                            const std::function<void(std::span<const uint8_t>)>& visit) const {
  std::array<uint8_t, 2048> frame;
  for (;;) {
    const ssize_t size = recv(descriptor, frame.data(), frame.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return;  // EAGAIN; or the device went down, which rtnetlink tells, too
    const std::span<const uint8_t> bytes(frame.data(), static_cast<size_t>(size));
    if (is_wanted(bytes)) visit(bytes);
  }
}

}  // namespace uvs

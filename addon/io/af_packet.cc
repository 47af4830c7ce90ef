#include "io/af_packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "core/net/bytes.h"
#include "io/packet_ring.h"
#include "shared/maps.h"

namespace uvs {

namespace {

// Bytes of frames that devices have not let go of yet: the most that the kernel allows. Each device's
// queue has a bound of its own, as for what the kernel forwards; a budget that one slow device can
// use up would silence the others.
constexpr int kSendBudget_bytes = 1 << 30;
constexpr size_t kEtherTypeOffset = 12;

bool is_tagged(const Frame& frame) {
  return frame.length >= ETH_HLEN && frame.data[0] == UVS_TAG_MAC_0 &&
         frame.data[1] == UVS_TAG_MAC_1;
}

// `what`: UVS_TAG_MAC_1 or UVS_TAG_MAC_1_OUT.
void write_tag(uint8_t* mac, uint8_t what, uint32_t ifindex) {
  mac[0] = UVS_TAG_MAC_0;
  mac[1] = what;
  store(mac + 2, Be32(ifindex));
}

// One sendmmsg() a batch, each frame with its own device: the kernel copies from the receive slot
// straight into the packet. By the device's queue, not past it (PACKET_QDISC_BYPASS): past it nobody
// segments or sums for a device that can't, a busy queue drops, and tcpdump sees nothing. The queue
// cost nothing that could be measured (0.87 to 1.10 of the time a packet, median 1.03). A TX_RING was measured beside it: 14 % more with MTU-sized frames, but
// 0.7 to 1.1 (median 0.9) in bulk TCP, where each 64 KiB are copied once more; it takes one device
// a call, and a slot stays taken until the far end has read it, so a slow receiver blocks the
// others.
class Sender {
 public:
  Status open();
  void add(const Frame& frame, uint32_t ifindex);
  // Sends what was added; returns how many the kernel took.
  size_t flush(Counted<uint64_t>& failed);

 private:
  FileDescriptor socket_;
  std::array<mmsghdr, kBatchSize> messages_{};
  std::array<std::array<iovec, 2>, kBatchSize> parts_{};
  std::array<sockaddr_ll, kBatchSize> addresses_{};
  size_t count_ = 0;
};

Status Sender::open() {
  socket_ = FileDescriptor(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket_.is_open()) return errno_status(errno, "cannot open a packet socket", "CAP_NET_RAW");
  const int on = 1;
  const int fd = socket_.get();
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0) {
    return errno_status(errno, "cannot set up a packet socket for sending", "CAP_NET_RAW");
  }
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBudget_bytes, sizeof(kSendBudget_bytes)) !=
      0) {
    return errno_status(errno, "cannot size a packet socket's send buffer");
  }
  return {};
}

void Sender::add(const Frame& frame, uint32_t ifindex) {
  sockaddr_ll& address = addresses_[count_];
  address = {};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(ifindex);
  address.sll_halen = ETH_ALEN;
  std::memcpy(&address.sll_protocol, frame.data + kEtherTypeOffset, sizeof(address.sll_protocol));
  parts_[count_] = {{{const_cast<OffloadHeader*>(&frame.offload), sizeof(OffloadHeader)},
                     {frame.data, frame.length}}};
  msghdr& header = messages_[count_].msg_hdr;
  header = {};
  header.msg_name = &address;
  header.msg_namelen = sizeof(address);
  header.msg_iov = parts_[count_].data();
  header.msg_iovlen = parts_[count_].size();
  count_++;
}

size_t Sender::flush(Counted<uint64_t>& failed) {
  size_t done = 0, taken = 0;
  while (done < count_) {
    const int sent = sendmmsg(socket_.get(), &messages_[done], static_cast<unsigned>(count_ - done),
                              MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<size_t>(sent);
      taken += static_cast<size_t>(sent);
    } else if (errno != EINTR) {
      // The first that is left was refused (queue full, device down or gone, too long for it): the
      // others may pass.
      done++;
      failed.add(1);
    }
  }
  count_ = 0;
  return taken;
}

}  // namespace

struct AfPacket::Impl {
  std::atomic<uint32_t> slow_path_ifindex = 0;
  std::unique_ptr<PacketRing> ring;
  Sender sender;
  IoCounters counters;
};

Result<std::unique_ptr<AfPacket>> AfPacket::open(uint32_t receive_ifindex) {
  auto impl = std::make_unique<Impl>();
  impl->slow_path_ifindex = receive_ifindex;
  auto ring = PacketRing::open(receive_ifindex);
  if (!ring.ok()) return ring.status();
  impl->ring = std::move(ring.value());
  if (Status status = impl->sender.open(); !status.ok()) return status;
  return std::unique_ptr<AfPacket>(new AfPacket(std::move(impl)));
}

AfPacket::AfPacket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AfPacket::~AfPacket() = default;

Status AfPacket::listen_at(uint32_t receive_ifindex) {
  if (impl_->slow_path_ifindex.exchange(receive_ifindex) == receive_ifindex) return {};
  return impl_->ring->bind_to(receive_ifindex);
}

void AfPacket::receive(Batch& batch) {
  impl_->ring->receive(batch, impl_->counters);
  size_t kept = 0;
  for (size_t i = 0; i < batch.count; i++) {
    Frame& frame = batch.frames[i];
    if (!is_tagged(frame)) {
      impl_->counters.receive_untagged.add(1);
      continue;
    }
    frame.ifindex = load<Be32>(frame.data + 2).host();
    frame.verdict = Verdict::kDrop;
    frame.drop_reason = DropReason::kNone;
    frame.egress_ifindex = 0;
    frame.egress_layer = LinkLayer::kEthernet;
    if (kept != i) batch.frames[kept] = frame;
    kept++;
  }
  batch.count = kept;
  impl_->counters.received.add(kept);
}

void AfPacket::transmit(Batch& batch) {
  // Two passes, so that frames for the wire and for the host are told apart in the counters.
  for (size_t i = 0; i < batch.count; i++) {
    Frame& frame = batch.frames[i];
    if (frame.verdict != Verdict::kForward && frame.verdict != Verdict::kAnswer) continue;
    if (frame.egress_layer == LinkLayer::kEthernet) {
      impl_->sender.add(frame, frame.egress_ifindex);
    } else {
      write_tag(frame.data, UVS_TAG_MAC_1_OUT, frame.egress_ifindex);
      impl_->sender.add(frame, impl_->slow_path_ifindex);
    }
  }
  impl_->counters.transmitted.add(impl_->sender.flush(impl_->counters.transmit_failed));
  for (size_t i = 0; i < batch.count; i++) {
    Frame& frame = batch.frames[i];
    if (frame.verdict != Verdict::kToHost) continue;
    write_tag(frame.data, UVS_TAG_MAC_1, frame.ifindex);
    impl_->sender.add(frame, impl_->slow_path_ifindex);
  }
  impl_->counters.reinjected.add(impl_->sender.flush(impl_->counters.transmit_failed));
}

void AfPacket::release(Batch& batch) {
  impl_->ring->release();
  batch.count = 0;
}

int AfPacket::descriptor() const { return impl_->ring->descriptor(); }

const char* AfPacket::failure() {
  // The device went down or was removed: whoever has the pair in custody puts it back, or sees to it that the kernel
  // stops steering packets into it.
  const int error = impl_->ring->take_error();
  return error == 0 || error == ENETDOWN ? nullptr : "the packet socket on uvs1 has failed";
}

const IoCounters& AfPacket::counters() const { return impl_->counters; }

}  // namespace uvs

#include "io/packet_ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace uvs {

namespace {

constexpr size_t kRingBudget_bytes = 16 << 20;
constexpr size_t kSlot_bytes = 4096;
constexpr size_t kSlotCount = kRingBudget_bytes / kSlot_bytes;
constexpr size_t kBlock_bytes = 256 << 10;
// Bound of the memory that queued large frames hold.
constexpr int kQueueBudget_bytes = 32 << 20;

static_assert((kSlotCount & (kSlotCount - 1)) == 0);
// Where data begins in a slot: header, address, alignment and the offload header, 76 bytes in
// today's kernels.
static_assert(kSlot_bytes - 256 >= kMinFrameCapacity);

Status set(int socket, int option, int value, const char* what) {
  if (setsockopt(socket, SOL_PACKET, option, &value, sizeof(value)) == 0) return {};
  return errno_status(errno, std::string("cannot set ") + what + " on a packet socket",
                      "CAP_NET_RAW");
}

}  // namespace

Result<std::unique_ptr<PacketRing>> PacketRing::open(uint32_t ifindex) {
  std::unique_ptr<PacketRing> ring(new PacketRing());
  // Protocol 0: nothing arrives before bind() names device and protocol.
  ring->socket_ = FileDescriptor(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int fd = ring->socket_.get();
  if (fd < 0) return errno_status(errno, "cannot open a packet socket", "CAP_NET_RAW");
  // Our own transmissions on this device are not input.
  if (Status status = set(fd, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING"); !status.ok())
    return status;
  if (Status status = set(fd, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR"); !status.ok()) return status;
  if (Status status = set(fd, PACKET_VERSION, TPACKET_V2, "TPACKET_V2"); !status.ok())
    return status;
  if (Status status = set(fd, PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH"); !status.ok())
    return status;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kQueueBudget_bytes, sizeof(kQueueBudget_bytes)) !=
      0) {
    return errno_status(errno, "cannot size a packet socket's queue");
  }
  tpacket_req request{};
  request.tp_block_size = kBlock_bytes;
  request.tp_block_nr = kRingBudget_bytes / kBlock_bytes;
  request.tp_frame_size = kSlot_bytes;
  request.tp_frame_nr = kSlotCount;
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0) {
    return errno_status(errno, "cannot make a packet ring of 16 MiB", "CAP_NET_RAW");
  }
  void* memory = mmap(nullptr, kRingBudget_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return errno_status(errno, "cannot map a packet ring");
  ring->memory_ = static_cast<uint8_t*>(memory);
  ring->large_.resize(kBatchSize * kMaxFrameCapacity);

  if (Status status = ring->bind_to(ifindex); !status.ok()) return status;
  return ring;
}

Status PacketRing::bind_to(uint32_t ifindex) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(ifindex);
  if (bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return {};
  return errno_status(errno, "cannot bind a packet socket to the slow path");
}

PacketRing::~PacketRing() {
  if (memory_) munmap(memory_, kRingBudget_bytes);
}

void PacketRing::receive(Batch& batch, IoCounters& counters) {
  batch.count = 0;
  bool has_lost = false;
  // Slots looked at, not frames found: lost ones must be given back too before the batch grows
  // beyond the ring.
  while (batch.count < kBatchSize && lent_ < kSlotCount) {
    uint8_t* slot = memory_ + head_ * kSlot_bytes;
    auto* header = reinterpret_cast<tpacket2_hdr*>(slot);
    const uint32_t status = std::atomic_ref(header->tp_status).load(std::memory_order_acquire);
    if ((status & TP_STATUS_USER) == 0) break;
    head_ = (head_ + 1) & (kSlotCount - 1);
    lent_++;
    has_lost |= (status & TP_STATUS_LOSING) != 0;
    Frame& frame = batch.frames[batch.count];
    if ((status & TP_STATUS_COPY) != 0) {
      if (!read_queued(frame, batch.count)) {
        counters.receive_lost.add(1);
        continue;
      }
    } else if (header->tp_len != header->tp_snaplen) {
      counters.receive_lost.add(1);  // too large for a slot, and the queue beside the ring was full
      continue;
    } else {
      frame.data = slot + header->tp_mac;
      frame.length = header->tp_snaplen;
      frame.capacity = static_cast<uint32_t>(kSlot_bytes - header->tp_mac);
      std::memcpy(&frame.offload, frame.data - sizeof(OffloadHeader), sizeof(OffloadHeader));
    }
    batch.count++;
  }
  // The kernel marks every slot from the first loss on, until it is asked: at overload that is each.
  if (has_lost) count_lost(counters);
}

void PacketRing::count_lost(IoCounters& counters) {
  tpacket_stats lost{};
  socklen_t size = sizeof(lost);
  if (getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &lost, &size) == 0)
    counters.receive_lost.add(lost.tp_drops);
}

bool PacketRing::read_queued(Frame& frame, size_t buffer) {
  uint8_t* data = large_.data() + buffer * kMaxFrameCapacity;
  iovec parts[2] = {{&frame.offload, sizeof(frame.offload)}, {data, kMaxFrameCapacity}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  const ssize_t received = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_TRUNC);
  if (received < 0 || (message.msg_flags & MSG_TRUNC) != 0) return false;
  frame.data = data;
  frame.length = static_cast<uint32_t>(static_cast<size_t>(received) - sizeof(OffloadHeader));
  frame.capacity = kMaxFrameCapacity;
  return true;
}

void PacketRing::release() {
  size_t slot = (head_ - lent_) & (kSlotCount - 1);
  for (; lent_ > 0; lent_--) {
    auto* header = reinterpret_cast<tpacket2_hdr*>(memory_ + slot * kSlot_bytes);
    std::atomic_ref(header->tp_status).store(TP_STATUS_KERNEL, std::memory_order_release);
    slot = (slot + 1) & (kSlotCount - 1);
  }
}

int PacketRing::take_error() {
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace uvs

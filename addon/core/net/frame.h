// A received frame and a batch of them: the unit that io hands to path and path hands back with verdicts.
// The memory belongs to io until the batch is released; path rewrites in place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/net/verdict.h"

namespace uvs {

inline constexpr size_t kBatchSize = 64;
// io gives every frame at least this much room, so that an answer (an ICMP error) can be built in place.
inline constexpr size_t kMinFrameCapacity = 2048;
// No frame is larger: the largest GSO frame (64 KiB and its Ethernet header) and room for a tunnel's header.
inline constexpr size_t kMaxFrameCapacity = (64 << 10) + 512;

// What PACKET_VNET_HDR tells about a frame that the sender's offloads left unfinished
// (struct virtio_net_hdr, 10 bytes, little-endian).
struct OffloadHeader {
  static constexpr uint8_t kNeedsChecksum = 1;  // flags: the L4 field holds the pseudo-header sum only
  static constexpr uint8_t kDataValid = 2;
  static constexpr uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoUdp = 3, kGsoTcp6 = 4, kGsoUdpL4 = 5, kGsoEcn = 0x80;

  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_length = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;

  bool needs_checksum() const { return (flags & kNeedsChecksum) != 0; }
  bool is_gso() const { return gso_type != kGsoNone; }
};
static_assert(sizeof(OffloadHeader) == 10);

// What stands before the IP header in the frames of a device.
enum class LinkLayer : uint8_t {
  kEthernet,
  kNone,   // they begin at the IP header, and there is one far end: tun, WireGuard, PPP, IP in IP, GRE
  kOther,  // nothing that we can send by
};

struct Frame {
  uint8_t* data = nullptr;   // Ethernet header first
  uint32_t length = 0;       // bytes in use
  uint32_t capacity = 0;     // bytes that may be written, >= kMinFrameCapacity
  uint32_t ifindex = 0;      // the device it came in by
  OffloadHeader offload;
  // Set by path:
  Verdict verdict = Verdict::kDrop;
  DropReason drop_reason = DropReason::kNone;
  // For kForward and kAnswer. `data` begins with an Ethernet header in any case; kNone: io leaves it out.
  uint32_t egress_ifindex = 0;
  LinkLayer egress_layer = LinkLayer::kEthernet;
};

struct Batch {
  std::array<Frame, kBatchSize> frames;
  size_t count = 0;
};

}  // namespace uvs

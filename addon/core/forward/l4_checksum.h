// The checksum field of a packet's TCP, UDP or ICMP header: where it is, and how a change reaches
// it. Internal to forward/.
#pragma once

#include <cstddef>

#include "core/net/checksum.h"
#include "core/net/headers.h"
#include "core/net/parse.h"

namespace uvs {

constexpr size_t l4_checksum_offset(uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return offsetof(TcpHeader, checksum);
    case kProtocolUdp:
      return offsetof(UdpHeader, checksum);
    default:
      return offsetof(IcmpHeader, checksum);
  }
}

// Does the L4 field hold the pseudo-header sum only? A partial checksum that stands elsewhere
// belongs to a header further inside (a tunnel's), or is nonsense; the outer one is complete then.
inline bool has_partial_checksum(const Frame& frame, const ParsedPacket& packet) {
  return frame.offload.needs_checksum() && frame.offload.checksum_start == packet.l4_offset &&
         frame.offload.checksum_offset == l4_checksum_offset(packet.protocol);
}

// Corrects a complete checksum field at `field`. UDP: 0 means that there is none, and a computed 0
// is sent as all ones (RFC 768).
inline void correct_l4_checksum(uint8_t* field, uint8_t protocol, const ChecksumDelta& delta) {
  const auto old_checksum = load<uint16_t>(field);
  if (protocol == kProtocolUdp && old_checksum == 0) return;
  uint16_t checksum = delta.apply(old_checksum);
  if (protocol == kProtocolUdp && checksum == 0) checksum = 0xffff;
  store(field, checksum);
}

}  // namespace uvs

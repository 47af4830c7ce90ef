// Direct routing: the packet goes to the server's MAC as it is. MACs, TTL and size are what every
// method has to mind; here they are all there is.
#include <algorithm>

#include "core/forward/l4_checksum.h"
#include "core/forward/rewrite.h"

namespace uvs {
namespace {

// L3 bytes of the largest packet that the frame becomes on the wire.
uint32_t largest_packet_size(const Frame& frame, const ParsedPacket& packet) {
  if (!frame.offload.is_gso() || frame.offload.gso_size == 0 ||
      packet.kind != ParsedKind::kTransport) {
    return packet.l3_length;
  }
  // Datagrams of kGsoUdp become IP fragments, whose later ones have no UDP header.
  const bool cuts_below_l4 =
      (frame.offload.gso_type & ~OffloadHeader::kGsoEcn) == OffloadHeader::kGsoUdp;
  const uint32_t headers =
      (cuts_below_l4 ? packet.l4_offset : packet.payload_offset) - uint32_t{packet.l3_offset};
  return std::min(packet.l3_length, headers + frame.offload.gso_size);
}

}  // namespace

void set_ethernet(Frame& frame, const MacAddress& destination, const MacAddress& source) {
  store(frame.data + offsetof(EthernetHeader, destination), destination);
  store(frame.data + offsetof(EthernetHeader, source), source);
}

bool decrement_ttl(Frame& frame, const ParsedPacket& packet) {
  uint8_t* l3 = frame.data + packet.l3_offset;
  if (packet.family == Family::kIpv6) {
    uint8_t& hop_limit = l3[offsetof(Ipv6Header, hop_limit)];
    if (hop_limit <= 1) return false;
    hop_limit--;
    return true;
  }
  uint8_t* ttl = l3 + offsetof(Ipv4Header, ttl);
  if (*ttl <= 1) return false;
  ChecksumDelta delta;
  const auto old_word = load<uint16_t>(ttl);  // TTL and protocol
  --*ttl;
  delta.replace16(old_word, load<uint16_t>(ttl));
  uint8_t* field = l3 + offsetof(Ipv4Header, checksum);
  store(field, delta.apply(load<uint16_t>(field)));
  return true;
}

bool exceeds_mtu(const Frame& frame, const ParsedPacket& packet, uint32_t mtu) {
  return largest_packet_size(frame, packet) > mtu;
}

bool shrink_segments(Frame& frame, const ParsedPacket& packet, uint32_t mtu) {
  if (!packet.may_fragment || packet.protocol != kProtocolTcp ||
      packet.kind != ParsedKind::kTransport)
    return false;
  if (!frame.offload.is_gso() || frame.offload.gso_size == 0) return false;
  const uint32_t headers = uint32_t{packet.payload_offset} - packet.l3_offset;
  if (mtu <= headers) return false;
  frame.offload.gso_size =
      static_cast<uint16_t>(std::min<uint32_t>(frame.offload.gso_size, mtu - headers));
  return true;
}

void complete_checksum(Frame& frame, const ParsedPacket& packet) {
  if (!frame.offload.needs_checksum() || frame.offload.is_gso()) return;
  const size_t start = frame.offload.checksum_start;
  const size_t field = start + frame.offload.checksum_offset;
  const size_t end = size_t{packet.l3_offset} + packet.l3_length;
  if (start < packet.l4_offset || end > frame.length || field + 2 > end)
    return;  // nonsense from the sender's driver
  // So is a field within our L4 header that isn't its checksum: the sum would overwrite the ports by
  // which the packet was judged.
  if (field < packet.payload_offset && !has_partial_checksum(frame, packet)) return;
  // The field counts with the pseudo-header sum that it holds.
  auto checksum = static_cast<uint16_t>(~ones_sum({frame.data + start, end - start}));
  if (checksum == 0 && frame.offload.checksum_offset == offsetof(UdpHeader, checksum))
    checksum = 0xffff;
  store(frame.data + field, checksum);
  frame.offload = {};
}

}  // namespace uvs

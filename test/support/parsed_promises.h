// What everyone behind parse relies on, checked one by one: for property tests and fuzz targets.
#pragma once

#include <string>

#include "core/net/headers.h"
#include "core/net/parse.h"

namespace uvs::test {

// Empty, or the promise that `packet` breaks.
inline std::string broken_promise(const Frame& frame, const ParsedPacket& packet) {
  const bool is_invalid = packet.kind == ParsedKind::kInvalid;
  if (is_invalid != (packet.reason != DropReason::kNone))
    return "a reason for what is invalid, and for nothing else";
  if (is_invalid || packet.kind == ParsedKind::kOther) return "";

  const size_t end = size_t{packet.l3_offset} + packet.l3_length;
  if (packet.l3_offset != kEthernetHeaderSize || end > frame.length)
    return "the packet within the frame";
  const size_t ip_size = packet.family == Family::kIpv4 ? Ipv4Header::kMinSize : sizeof(Ipv6Header);
  if (packet.l4_offset < packet.l3_offset + ip_size || packet.l4_offset > end)
    return "L4 behind the IP header";
  if (packet.payload_offset < packet.l4_offset || packet.payload_offset > end)
    return "payload behind L4";
  const bool is_later = packet.kind == ParsedKind::kLaterFragment;
  if (is_later != (packet.fragment_offset != 0))
    return "later fragments have an offset, nothing else has";
  if (is_later && !packet.is_fragment) return "later fragments are fragments";
  if (packet.kind == ParsedKind::kTransport) {
    if (packet.protocol != kProtocolTcp && packet.protocol != kProtocolUdp) return "TCP or UDP";
    const size_t header_size =
        packet.protocol == kProtocolTcp ? TcpHeader::kMinSize : sizeof(UdpHeader);
    if (packet.payload_offset < packet.l4_offset + header_size) return "a whole L4 header";
  }
  if (packet.kind == ParsedKind::kIcmpError) {
    const QuotedPacket& quoted = packet.quoted;
    if (packet.is_fragment) return "no error in a fragment";
    if (packet.payload_offset != packet.l4_offset + sizeof(IcmpHeader))
      return "a whole ICMP header";
    if (quoted.protocol != kProtocolTcp && quoted.protocol != kProtocolUdp)
      return "a quote of TCP or UDP";
    if (quoted.l3_offset != packet.payload_offset) return "the quote behind the ICMP header";
    if (quoted.l4_offset < quoted.l3_offset + ip_size)
      return "quoted L4 behind the quoted IP header";
    if (quoted.l4_available < 4 || size_t{quoted.l4_offset} + quoted.l4_available > end)
      return "quoted ports";
  }
  return "";
}

}  // namespace uvs::test

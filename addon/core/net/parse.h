// parse(frame): bounds are checked once, here; what follows may rely on every offset it gives.
#pragma once

#include <cstdint>
#include <span>

#include "core/net/address.h"
#include "core/net/frame.h"

namespace uvs {

inline constexpr uint8_t kProtocolIcmp = 1, kProtocolTcp = 6, kProtocolUdp = 17, kProtocolIcmpv6 = 58;
inline constexpr size_t kEthernetHeaderSize = 14;

enum class ParsedKind : uint8_t {
  kTransport,      // TCP or UDP with ports (also a first fragment)
  kIcmpError,      // an ICMP error that quotes a packet: `quoted` is filled
  // No L4 header here: addresses and `fragment_id` lead to its first fragment. Not `protocol`: in IPv6 that is what the
  // fragment header says comes next, and the first fragment may have found more extension headers there (RFC 8200 4.5).
  kLaterFragment,
  kOther,          // everything else: the host's business
  kInvalid,        // `reason` says why
};

// The packet quoted inside an ICMP error, as far as it is there.
struct QuotedPacket {
  IpAddress source, destination;
  uint16_t source_port = 0, destination_port = 0;  // host order
  uint16_t l3_offset = 0, l4_offset = 0;           // into the frame
  uint16_t l4_available = 0;                       // bytes of its L4 header present, >= 4
  uint8_t protocol = 0;                            // TCP or UDP
};

struct ParsedPacket {
  IpAddress source, destination;
  uint16_t source_port = 0, destination_port = 0;  // host order; 0 when there are none
  uint16_t l3_offset = 0, l4_offset = 0, payload_offset = 0;
  uint32_t l3_length = 0;        // bytes of the IP packet: header, extensions and payload, as IPVS counts them
  uint32_t fragment_id = 0;      // IPv4 identification or the IPv6 fragment header's
  uint16_t fragment_offset = 0;  // bytes
  Family family = Family::kIpv4;
  uint8_t protocol = 0;
  uint32_t tcp_sequence = 0;
  uint8_t tcp_flags = 0;         // the flag byte of TCP: FIN 1, SYN 2, RST 4, PSH 8, ACK 16
  uint8_t ttl = 0;
  ParsedKind kind = ParsedKind::kInvalid;
  DropReason reason = DropReason::kNone;
  bool is_fragment = false;      // first or later
  bool may_fragment = false;     // IPv4 without DF
  bool has_options = false;      // IPv4 options or IPv6 extension headers
  QuotedPacket quoted;
};

namespace tcp_flag {
inline constexpr uint8_t kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
}

// Never reads outside the frame; any bytes are good input.
ParsedPacket parse(const Frame& frame);

}  // namespace uvs

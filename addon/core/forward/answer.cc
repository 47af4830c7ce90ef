// Our own answers, built in the frame that they answer: ICMP and ICMPv6 errors.
// How many may leave is answer_limits.h's.
#include <algorithm>

#include "core/forward/icmp_error.h"
#include "core/forward/l4_checksum.h"
#include "core/forward/rewrite.h"

namespace uvs {
namespace {

constexpr uint8_t kAnswerTtl = 64;
constexpr uint8_t kInternetworkControl = 0xc0;  // precedence 6 for ICMP errors (RFC 1812 4.3.2.5)
constexpr size_t kMaxIpv4Error = 576;           // RFC 1812 4.3.2.3
constexpr size_t kMaxIpv6Error = 1280;          // RFC 4443 2.4 c
constexpr IpAddress kNoAddress{};

struct IcmpCode {
  uint8_t type, code;
};

IcmpCode code_of(Answer answer, Family family) {
  const bool is_ipv4 = family == Family::kIpv4;
  switch (answer) {
    case Answer::kPortUnreachable:
      return is_ipv4 ? IcmpCode{icmp_type::kDestinationUnreachable, 3}
                     : IcmpCode{icmpv6_type::kDestinationUnreachable, 4};
    case Answer::kHostUnreachable:
      return is_ipv4 ? IcmpCode{icmp_type::kDestinationUnreachable, 1}
                     : IcmpCode{icmpv6_type::kDestinationUnreachable, 3};
    case Answer::kNoRoute:
      return is_ipv4 ? IcmpCode{icmp_type::kDestinationUnreachable, 0}
                     : IcmpCode{icmpv6_type::kDestinationUnreachable, 0};
    case Answer::kTooBig:
      return is_ipv4 ? IcmpCode{icmp_type::kDestinationUnreachable, 4}
                     : IcmpCode{icmpv6_type::kPacketTooBig, 0};
    case Answer::kTtlExceeded:
      break;
  }
  return is_ipv4 ? IcmpCode{icmp_type::kTimeExceeded, 0} : IcmpCode{icmpv6_type::kTimeExceeded, 0};
}

// Zero, multicast, class E and broadcast name no single host.
bool is_one_host(Family family, const IpAddress& address) {
  if (address == kNoAddress) return false;
  return family == Family::kIpv4 ? address.bytes[0] < 224 && address.bytes[0] != 0
                                 : address.bytes[0] != 0xff;
}

// May an answer to this packet exist at all (RFC 1122 3.2.2, RFC 4443 2.4 e)? ICMP and later
// fragments are of other kinds.
bool is_answerable(const Frame& frame, const ParsedPacket& packet) {
  if (packet.kind != ParsedKind::kTransport) return false;
  if ((frame.data[0] & 1) != 0) return false;  // link-layer broadcast or multicast
  if (packet.family == Family::kIpv4 && packet.source.bytes[0] == 127) return false;
  return is_one_host(packet.family, packet.source);
}

// Ends the answer: MACs swapped, nothing left to the device.
void finish(Frame& frame, size_t length) {
  const auto old_header = load<EthernetHeader>(frame.data);
  std::memcpy(frame.data, old_header.source, 6);
  std::memcpy(frame.data + 6, old_header.destination, 6);
  frame.length = static_cast<uint32_t>(length);
  frame.offload = {};
}

// Writes an IP header at l3_offset for `l4_length` bytes behind it and returns the offset of those.
size_t write_ip_header(Frame& frame, const ParsedPacket& packet, const IpAddress& source,
                       uint8_t protocol, size_t l4_length) {
  uint8_t* l3 = frame.data + packet.l3_offset;
  if (packet.family == Family::kIpv4) {
    Ipv4Header header{};
    header.version_and_length = 0x45;
    header.type_of_service = kInternetworkControl;
    header.total_length = Be16{static_cast<uint16_t>(sizeof header + l4_length)};
    // Never to be fragmented, so it needs no identification (RFC 6864 4.1).
    header.flags_and_offset = Be16{Ipv4Header::kDontFragment};
    header.ttl = kAnswerTtl;
    header.protocol = protocol;
    std::memcpy(header.source, source.bytes.data(), sizeof header.source);
    std::memcpy(header.destination, packet.source.bytes.data(), sizeof header.destination);
    store(l3, header);
    store(l3 + offsetof(Ipv4Header, checksum),
          static_cast<uint16_t>(~ones_sum({l3, sizeof header})));
    return packet.l3_offset + sizeof header;
  }
  Ipv6Header header{};
  header.version_class_label = Be32{0x60000000};
  header.payload_length = Be16{static_cast<uint16_t>(l4_length)};
  header.next_header = protocol;
  header.hop_limit = kAnswerTtl;
  std::memcpy(header.source, source.bytes.data(), sizeof header.source);
  std::memcpy(header.destination, packet.source.bytes.data(), sizeof header.destination);
  store(l3, header);
  return packet.l3_offset + sizeof header;
}

}  // namespace

bool answer_with_icmp(Frame& frame, const ParsedPacket& packet, Answer answer,
                      const IpAddress& from, uint32_t mtu) {
  const bool is_ipv4 = packet.family == Family::kIpv4;
  if (!is_answerable(frame, packet) || !is_one_host(packet.family, from)) return false;
  // Path MTU discovery is for multicast in IPv6, too (RFC 4443 2.4 e.3 exception 1).
  const bool may_be_multicast = !is_ipv4 && answer == Answer::kTooBig;
  if (!may_be_multicast && !is_one_host(packet.family, packet.destination)) return false;

  const size_t ip_size = is_ipv4 ? Ipv4Header::kMinSize : sizeof(Ipv6Header);
  const size_t headers = ip_size + sizeof(IcmpHeader);
  const size_t quote =
      std::min<size_t>(packet.l3_length, (is_ipv4 ? kMaxIpv4Error : kMaxIpv6Error) - headers);
  const size_t length = packet.l3_offset + headers + quote;
  if (length > frame.capacity) return false;

  complete_checksum(frame, packet);  // the quote shall look as it would have on the wire
  std::memmove(frame.data + packet.l3_offset + headers, frame.data + packet.l3_offset, quote);
  const size_t l4_length = sizeof(IcmpHeader) + quote;
  const uint8_t protocol = is_ipv4 ? kProtocolIcmp : kProtocolIcmpv6;
  const size_t l4_offset =
      write_ip_header(frame, packet, from, protocol, l4_length);

  const IcmpCode code = code_of(answer, packet.family);
  IcmpHeader header{};
  header.type = code.type;
  header.code = code.code;
  // IPv4 has only the lower half for it (RFC 1191 4).
  if (answer == Answer::kTooBig) header.rest = Be32{is_ipv4 ? std::min(mtu, 65535u) : mtu};
  store(frame.data + l4_offset, header);
  uint16_t sum = ones_sum({frame.data + l4_offset, l4_length});
  if (!is_ipv4) {
    const auto covered = static_cast<uint32_t>(l4_length);
    sum = ones_add(sum, pseudo_header_sum(packet.family, from, packet.source, protocol, covered));
  }
  store(frame.data + l4_offset + offsetof(IcmpHeader, checksum), static_cast<uint16_t>(~sum));
  finish(frame, length);
  return true;
}

}  // namespace uvs

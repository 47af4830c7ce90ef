// parse: Ethernet -> IPv4 | IPv6 with its extension headers -> TCP | UDP | ICMP error with the
// packet it quotes. Every read is checked against the end of the packet first. Malformed is
// kInvalid; whole but not ours is kOther.
#include "core/net/parse.h"

#include <algorithm>

#include "core/net/checksum.h"
#include "core/net/headers.h"
#include "shared/limits.h"

namespace uvs {
namespace {

constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51,
                  kNoNextHeader = 59, kDestinationOptions = 60;
constexpr int kMaxExtensionHeaders = UVS_EXTENSION_LIMIT;
constexpr uint32_t kMaxPacketSize = 65535;

// One IP packet in the frame: the outer one, or one that an ICMP error quotes.
struct Bytes {
  const uint8_t* data;  // of the frame
  size_t end;           // offset behind the packet's last byte

  bool has(size_t offset, size_t size) const { return offset <= end && size <= end - offset; }
  template <typename T>
  T at(size_t offset) const {
    return load<T>(data + offset);
  }
};

void invalid(ParsedPacket& packet, DropReason reason) {
  packet.kind = ParsedKind::kInvalid;
  packet.reason = reason;
}

void other(ParsedPacket& packet) { packet.kind = ParsedKind::kOther; }

bool is_transport(uint8_t protocol) { return protocol == kProtocolTcp || protocol == kProtocolUdp; }

// kNone, or why the options are no good.
DropReason check_ipv4_options(const Bytes& bytes, size_t offset, size_t end) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kLooseSourceRoute = 131, kStrictSourceRoute = 137;
  while (offset < end) {
    const uint8_t type = bytes.data[offset];
    if (type == kEnd) break;
    if (type == kNoOperation) {
      offset++;
      continue;
    }
    if (end - offset < 2) return DropReason::kBadHeaderLength;
    const uint8_t length = bytes.data[offset + 1];
    if (length < 2 || length > end - offset) return DropReason::kBadHeaderLength;
    // Off by default in hosts and routers alike; it would lead around the choice of server (RFC
    // 7126 4.3, 4.4).
    if (type == kLooseSourceRoute || type == kStrictSourceRoute) return DropReason::kSourceRouted;
    offset += length;
  }
  return DropReason::kNone;
}

// Where a chain of IPv6 headers ends.
struct ExtensionChain {
  enum class End : uint8_t { kUpperLayer, kLaterFragment, kUnusable, kTruncated, kSourceRouted };
  End end = End::kUnusable;
  uint8_t protocol = 0;  // of what comes at `offset`
  size_t offset = 0;
  bool has_extensions = false;
  bool has_fragment_header = false;
  bool more_fragments = false;
  uint16_t fragment_offset = 0;  // bytes
  uint32_t fragment_id = 0;
};

ExtensionChain walk_extensions(const Bytes& bytes, size_t offset, uint8_t next_header) {
  using End = ExtensionChain::End;
  ExtensionChain chain;
  const auto ends = [&chain](End end) {
    chain.end = end;
    return chain;
  };
  for (int count = 0; count <= kMaxExtensionHeaders; count++) {
    chain.protocol = next_header;
    chain.offset = offset;
    size_t size = 0;
    switch (next_header) {
      case kHopByHop:
        // Only right behind the IPv6 header (RFC 8200 4.1); elsewhere the host has an answer for
        // it.
        if (count > 0) return chain;
        [[fallthrough]];
      case kDestinationOptions:
      case kRouting:
        if (!bytes.has(offset, 8)) return ends(End::kTruncated);
        size = (size_t{bytes.data[offset + 1]} + 1) * 8;
        if (next_header == kRouting) {
          if (bytes.data[offset + 2] == 0) return ends(End::kSourceRouted);  // RFC 5095 3
          // Segments are left: the destination is a stop on the way, and the checksum knows another
          // one.
          if (bytes.data[offset + 3] != 0) return chain;
        }
        break;
      case kAuthentication:
        if (!bytes.has(offset, 12)) return ends(End::kTruncated);
        size = (size_t{bytes.data[offset + 1]} + 2) * 4;  // RFC 4302 2.2
        break;
      case kFragment: {
        if (chain.has_fragment_header) return chain;
        if (!bytes.has(offset, sizeof(Ipv6FragmentHeader))) return ends(End::kTruncated);
        const auto header = bytes.at<Ipv6FragmentHeader>(offset);
        chain.has_fragment_header = true;
        chain.fragment_id = header.identification.host();
        chain.fragment_offset = header.offset_and_flags.host() & Ipv6FragmentHeader::kOffsetMask;
        chain.more_fragments =
            (header.offset_and_flags.host() & Ipv6FragmentHeader::kMoreFragments) != 0;
        size = sizeof(Ipv6FragmentHeader);
        if (chain.fragment_offset != 0) {
          chain.protocol = header.next_header;
          chain.offset = offset + size;
          chain.has_extensions = true;
          return ends(End::kLaterFragment);
        }
        break;
      }
      case kNoNextHeader:
        return chain;
      default:  // TCP, UDP, ICMPv6; ESP and everything unknown end the chain too
        return ends(End::kUpperLayer);
    }
    if (!bytes.has(offset, size)) return ends(End::kTruncated);
    next_header = bytes.data[offset];
    offset += size;
    chain.has_extensions = true;
  }
  return chain;  // too many: the host decides
}

// The packet that an ICMP error at `l4_offset` quotes.
void parse_quoted(ParsedPacket& packet, const Bytes& outer, size_t offset) {
  QuotedPacket& quoted = packet.quoted;
  Bytes bytes = outer;
  size_t l4_offset = 0;
  quoted.l3_offset = static_cast<uint16_t>(offset);
  if (packet.family == Family::kIpv4) {
    if (!bytes.has(offset, Ipv4Header::kMinSize)) return invalid(packet, DropReason::kIcmpUnusable);
    const auto header = bytes.at<Ipv4Header>(offset);
    if (header.version_and_length >> 4 != 4 || header.size() < Ipv4Header::kMinSize ||
        header.total_length.host() < header.size() || !bytes.has(offset, header.size())) {
      return invalid(packet, DropReason::kIcmpUnusable);
    }
    if (!is_transport(header.protocol)) return other(packet);
    // A later fragment has no ports: whose connection it is can't be told.
    if ((header.flags_and_offset.host() & Ipv4Header::kOffsetMask) != 0) return other(packet);
    bytes.end = std::min(bytes.end, offset + header.total_length.host());
    quoted.source = IpAddress::load_ipv4(header.source);
    quoted.destination = IpAddress::load_ipv4(header.destination);
    quoted.protocol = header.protocol;
    l4_offset = offset + header.size();
  } else {
    if (!bytes.has(offset, sizeof(Ipv6Header))) return invalid(packet, DropReason::kIcmpUnusable);
    const auto header = bytes.at<Ipv6Header>(offset);
    if (header.version_class_label.host() >> 28 != 6)
      return invalid(packet, DropReason::kIcmpUnusable);
    const size_t extensions = offset + sizeof(Ipv6Header);
    bytes.end = std::min(bytes.end, extensions + header.payload_length.host());
    const ExtensionChain chain = walk_extensions(bytes, extensions, header.next_header);
    if (chain.end == ExtensionChain::End::kTruncated)
      return invalid(packet, DropReason::kIcmpUnusable);
    if (chain.end != ExtensionChain::End::kUpperLayer || !is_transport(chain.protocol))
      return other(packet);
    quoted.source = IpAddress::load_ipv6(header.source);
    quoted.destination = IpAddress::load_ipv6(header.destination);
    quoted.protocol = chain.protocol;
    l4_offset = chain.offset;
  }
  if (!bytes.has(l4_offset, 4)) return invalid(packet, DropReason::kIcmpUnusable);
  quoted.l4_offset = static_cast<uint16_t>(l4_offset);
  quoted.l4_available = static_cast<uint16_t>(bytes.end - l4_offset);
  quoted.source_port = bytes.at<Be16>(l4_offset).host();
  quoted.destination_port = bytes.at<Be16>(l4_offset + 2).host();
  packet.kind = ParsedKind::kIcmpError;
}

bool is_error_type(Family family, uint8_t type) {
  if (family == Family::kIpv6) {
    return type >= icmpv6_type::kDestinationUnreachable && type <= icmpv6_type::kParameterProblem;
  }
  // Source quench (4) is deprecated and ignored by everyone (RFC 6633 3); a redirect (5) speaks to
  // this host.
  return type == icmp_type::kDestinationUnreachable || type == icmp_type::kTimeExceeded ||
         type == icmp_type::kParameterProblem;
}

// `packet` is complete up to L3; its first or only fragment has `protocol` at l4_offset.
void parse_upper_layer(ParsedPacket& packet, const Bytes& bytes) {
  const size_t offset = packet.l4_offset;
  switch (packet.protocol) {
    case kProtocolTcp: {
      // A first fragment has to hold the whole header as well, options and all (RFC 8200 4.5, RFC
      // 1858 3).
      if (!bytes.has(offset, TcpHeader::kMinSize))
        return invalid(packet, DropReason::kTruncatedHeader);
      const auto header = bytes.at<TcpHeader>(offset);
      if (header.size() < TcpHeader::kMinSize || !bytes.has(offset, header.size())) {
        return invalid(packet, DropReason::kBadHeaderLength);
      }
      packet.source_port = header.source_port.host();
      packet.destination_port = header.destination_port.host();
      packet.tcp_flags = header.flags;
      packet.tcp_sequence = header.sequence.host();
      packet.payload_offset = static_cast<uint16_t>(offset + header.size());
      packet.kind = ParsedKind::kTransport;
      return;
    }
    case kProtocolUdp: {
      if (!bytes.has(offset, sizeof(UdpHeader)))
        return invalid(packet, DropReason::kTruncatedHeader);
      const auto header = bytes.at<UdpHeader>(offset);
      const uint16_t length = header.length.host();
      if (length < sizeof(UdpHeader) || (!packet.is_fragment && !bytes.has(offset, length))) {
        return invalid(packet, DropReason::kBadHeaderLength);
      }
      packet.source_port = header.source_port.host();
      packet.destination_port = header.destination_port.host();
      packet.payload_offset = static_cast<uint16_t>(offset + sizeof(UdpHeader));
      packet.kind = ParsedKind::kTransport;
      return;
    }
    case kProtocolIcmp:
    case kProtocolIcmpv6: {
      const bool is_own = (packet.protocol == kProtocolIcmp) == (packet.family == Family::kIpv4);
      if (!is_own || packet.is_fragment) return other(packet);
      if (!bytes.has(offset, sizeof(IcmpHeader)))
        return invalid(packet, DropReason::kTruncatedHeader);
      packet.payload_offset = static_cast<uint16_t>(offset + sizeof(IcmpHeader));
      if (!is_error_type(packet.family, bytes.data[offset])) return other(packet);
      return parse_quoted(packet, bytes, packet.payload_offset);
    }
    default:
      return other(packet);
  }
}

void parse_ipv4(ParsedPacket& packet, Bytes bytes) {
  const size_t offset = kEthernetHeaderSize;
  packet.family = Family::kIpv4;
  if (!bytes.has(offset, Ipv4Header::kMinSize))
    return invalid(packet, DropReason::kTruncatedHeader);
  const auto header = bytes.at<Ipv4Header>(offset);
  const size_t header_size = header.size();
  if (header.version_and_length >> 4 != 4 || header_size < Ipv4Header::kMinSize) {
    return invalid(packet, DropReason::kBadHeaderLength);
  }
  if (!bytes.has(offset, header_size)) return invalid(packet, DropReason::kTruncatedHeader);
  // Ethernet pads short packets: the frame may be longer than the packet, never shorter.
  packet.l3_length = header.total_length.host();
  if (packet.l3_length < header_size || !bytes.has(offset, packet.l3_length)) {
    return invalid(packet, DropReason::kBadTotalLength);
  }
  bytes.end = offset + packet.l3_length;
  if (ones_sum({bytes.data + offset, header_size}) != 0xffff)
    return invalid(packet, DropReason::kBadChecksum);

  packet.source = IpAddress::load_ipv4(header.source);
  packet.destination = IpAddress::load_ipv4(header.destination);
  packet.protocol = header.protocol;
  packet.ttl = header.ttl;
  packet.l4_offset = packet.payload_offset = static_cast<uint16_t>(offset + header_size);
  const uint16_t flags = header.flags_and_offset.host();
  packet.may_fragment = (flags & Ipv4Header::kDontFragment) == 0;
  if (header_size > Ipv4Header::kMinSize) {
    packet.has_options = true;
    const DropReason reason =
        check_ipv4_options(bytes, offset + Ipv4Header::kMinSize, packet.l4_offset);
    if (reason != DropReason::kNone) return invalid(packet, reason);
  }

  packet.fragment_offset = static_cast<uint16_t>((flags & Ipv4Header::kOffsetMask) * 8);
  packet.is_fragment = packet.fragment_offset != 0 || (flags & Ipv4Header::kMoreFragments) != 0;
  if (packet.is_fragment) packet.fragment_id = header.identification.host();
  if (packet.fragment_offset == 0) return parse_upper_layer(packet, bytes);
  if (!is_transport(header.protocol)) return other(packet);
  if (packet.fragment_offset + packet.l3_length > kMaxPacketSize) {  // the "ping of death"
    return invalid(packet, DropReason::kBadTotalLength);
  }
  // It would overwrite the ports' neighbours, the TCP flags, in a first fragment that was judged
  // already (RFC 3128 4).
  if (header.protocol == kProtocolTcp && packet.fragment_offset == 8) {
    return invalid(packet, DropReason::kBadHeaderLength);
  }
  packet.kind = ParsedKind::kLaterFragment;
}

void parse_ipv6(ParsedPacket& packet, Bytes bytes) {
  using End = ExtensionChain::End;
  const size_t offset = kEthernetHeaderSize;
  packet.family = Family::kIpv6;
  if (!bytes.has(offset, sizeof(Ipv6Header))) return invalid(packet, DropReason::kTruncatedHeader);
  const auto header = bytes.at<Ipv6Header>(offset);
  if (header.version_class_label.host() >> 28 != 6)
    return invalid(packet, DropReason::kBadHeaderLength);
  packet.source = IpAddress::load_ipv6(header.source);
  packet.destination = IpAddress::load_ipv6(header.destination);
  packet.protocol = header.next_header;
  packet.ttl = header.hop_limit;
  packet.l3_length = static_cast<uint32_t>(sizeof(Ipv6Header) + header.payload_length.host());
  packet.l4_offset = packet.payload_offset = offset + sizeof(Ipv6Header);
  // A jumbogram (RFC 2675) says its length in a hop-by-hop option.
  if (header.payload_length.host() == 0 && header.next_header == kHopByHop) return other(packet);
  if (!bytes.has(offset, packet.l3_length)) return invalid(packet, DropReason::kBadTotalLength);
  bytes.end = offset + packet.l3_length;

  const ExtensionChain chain = walk_extensions(bytes, packet.l4_offset, header.next_header);
  packet.protocol = chain.protocol;
  packet.has_options = chain.has_extensions;
  packet.l4_offset = packet.payload_offset = static_cast<uint16_t>(chain.offset);
  packet.fragment_offset = chain.fragment_offset;
  // A fragment header around a whole packet makes no fragment (RFC 6946 4).
  packet.is_fragment = chain.fragment_offset != 0 || chain.more_fragments;
  if (packet.is_fragment) packet.fragment_id = chain.fragment_id;
  switch (chain.end) {
    case End::kUpperLayer:
      return parse_upper_layer(packet, bytes);
    case End::kTruncated:
      return invalid(packet, DropReason::kTruncatedHeader);
    case End::kSourceRouted:
      return invalid(packet, DropReason::kSourceRouted);
    case End::kUnusable:
      return other(packet);
    case End::kLaterFragment:
      break;
  }
  // Behind extension headers the protocol is known to the first fragment only (RFC 8200 4.5).
  if (!is_transport(chain.protocol) && chain.protocol != kDestinationOptions &&
      chain.protocol != kAuthentication) {
    return other(packet);
  }
  if (chain.fragment_offset + (bytes.end - chain.offset) > kMaxPacketSize) {
    return invalid(packet, DropReason::kBadTotalLength);
  }
  packet.kind = ParsedKind::kLaterFragment;
}

}  // namespace

ParsedPacket parse(const Frame& frame) {
  ParsedPacket packet;
  const Bytes bytes{frame.data, frame.length};
  if (!bytes.has(0, kEthernetHeaderSize)) {
    invalid(packet, DropReason::kFrameTooShort);
    return packet;
  }
  packet.l3_offset = kEthernetHeaderSize;
  switch (bytes.at<EthernetHeader>(0).type.host()) {
    case ether_type::kIpv4:
      parse_ipv4(packet, bytes);
      break;
    case ether_type::kIpv6:
      parse_ipv6(packet, bytes);
      break;
    default:  // ARP, 802.1Q inline, and so on
      other(packet);
  }
  return packet;
}

}  // namespace uvs

// Translation of ICMP errors that quote a NAT connection's packet, so that path MTU discovery and
// quick failure work through the director. Four checksums at most: the quoted IPv4 header's, the
// quoted TCP or UDP header's when the quote reaches so far, the ICMP message's own, and the outer
// IPv4 header's.
#include "core/forward/icmp_error.h"

#include <cassert>

#include "core/forward/l4_checksum.h"

namespace uvs {
namespace {

enum class Side : uint8_t { kSource, kDestination };

size_t address_offset(Family family, Side side) {
  if (family == Family::kIpv4) {
    return side == Side::kSource ? offsetof(Ipv4Header, source) : offsetof(Ipv4Header, destination);
  }
  return side == Side::kSource ? offsetof(Ipv6Header, source) : offsetof(Ipv6Header, destination);
}

// Is the quote long enough for the checksum field of its L4 header?
bool has_quoted_checksum(const QuotedPacket& quoted) {
  return quoted.l4_available >= l4_checksum_offset(quoted.protocol) + 2;
}

// Writes one end of the quoted packet. Returns what changed in the ICMP message.
ChecksumDelta map_quoted_end(Frame& frame, const ParsedPacket& packet, Side side,
                             const IpAddress& address, uint16_t port) {
  const QuotedPacket& quoted = packet.quoted;
  uint8_t* l3 = frame.data + quoted.l3_offset;
  uint8_t* l4 = frame.data + quoted.l4_offset;
  ChecksumDelta message;  // every change of the message
  ChecksumDelta end;      // those that the quoted L4 checksum covers

  const size_t size = address_size(packet.family);
  uint8_t* address_field = l3 + address_offset(packet.family, side);
  end.replace({address_field, size}, {address.bytes.data(), size});
  std::memcpy(address_field, address.bytes.data(), size);
  message = end;
  if (packet.family == Family::kIpv4) {
    uint8_t* field = l3 + offsetof(Ipv4Header, checksum);
    const auto old_checksum = load<uint16_t>(field);
    const uint16_t new_checksum = end.apply(old_checksum);
    store(field, new_checksum);
    message.replace16(old_checksum, new_checksum);
  }

  uint8_t* port_field = l4 + (side == Side::kSource ? 0 : 2);
  const Be16 old_port = load<Be16>(port_field);
  store(port_field, Be16{port});
  end.replace(old_port, Be16{port});
  message.replace(old_port, Be16{port});
  if (has_quoted_checksum(quoted)) {
    uint8_t* field = l4 + l4_checksum_offset(quoted.protocol);
    const auto old_checksum = load<uint16_t>(field);
    correct_l4_checksum(field, quoted.protocol, end);
    message.replace16(old_checksum, load<uint16_t>(field));
  }
  return message;
}

// Writes one end of the packet itself. Returns what changed in the pseudo-header.
ChecksumDelta map_outer_end(Frame& frame, const ParsedPacket& packet, Side side,
                            const IpAddress& address) {
  uint8_t* l3 = frame.data + packet.l3_offset;
  uint8_t* address_field = l3 + address_offset(packet.family, side);
  const size_t size = address_size(packet.family);
  ChecksumDelta delta;
  delta.replace({address_field, size}, {address.bytes.data(), size});
  std::memcpy(address_field, address.bytes.data(), size);
  if (packet.family == Family::kIpv4) {
    uint8_t* field = l3 + offsetof(Ipv4Header, checksum);
    store(field, delta.apply(load<uint16_t>(field)));
  }
  return delta;
}

void correct_icmp_checksum(Frame& frame, const ParsedPacket& packet, const ChecksumDelta& message,
                           const ChecksumDelta& pseudo_header) {
  uint8_t* field = frame.data + packet.l4_offset + offsetof(IcmpHeader, checksum);
  const bool is_partial = has_partial_checksum(frame, packet);
  auto checksum = load<uint16_t>(field);
  if (!is_partial) checksum = message.apply(checksum);
  if (packet.family == Family::kIpv6) {  // ICMP for IPv4 has no pseudo-header
    checksum = is_partial ? pseudo_header.apply_to_sum(checksum) : pseudo_header.apply(checksum);
  }
  store(field, checksum);
}

}  // namespace

void nat_icmp_to_client(Frame& frame, const ParsedPacket& packet, const IpAddress& virtual_address,
                        uint16_t virtual_port) {
  assert(packet.kind == ParsedKind::kIcmpError);
  const ChecksumDelta message =
      map_quoted_end(frame, packet, Side::kDestination, virtual_address, virtual_port);
  ChecksumDelta pseudo_header;
  if (packet.source == packet.quoted.destination) {
    pseudo_header = map_outer_end(frame, packet, Side::kSource, virtual_address);
  }
  correct_icmp_checksum(frame, packet, message, pseudo_header);
}

void nat_icmp_to_server(Frame& frame, const ParsedPacket& packet, const IpAddress& real_address,
                        uint16_t real_port) {
  assert(packet.kind == ParsedKind::kIcmpError);
  const ChecksumDelta message =
      map_quoted_end(frame, packet, Side::kSource, real_address, real_port);
  const ChecksumDelta pseudo_header =
      map_outer_end(frame, packet, Side::kDestination, real_address);
  correct_icmp_checksum(frame, packet, message, pseudo_header);
}

}  // namespace uvs

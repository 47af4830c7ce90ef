// NAT: the server's address and port in place of the service's, and back. In place, checksums
// corrected incrementally.
#include <cassert>

#include "core/forward/l4_checksum.h"
#include "core/forward/rewrite.h"

namespace uvs {
namespace {

enum class Side : uint8_t { kSource, kDestination };

template <Family kFamily, Side kSide>
void map_end(Frame& frame, const ParsedPacket& packet, const IpAddress& address, uint16_t port) {
  constexpr bool kIsIpv4 = kFamily == Family::kIpv4;
  constexpr size_t kAddressOffset =
      kIsIpv4 ? (kSide == Side::kSource ? offsetof(Ipv4Header, source)
                                        : offsetof(Ipv4Header, destination))
              : (kSide == Side::kSource ? offsetof(Ipv6Header, source)
                                        : offsetof(Ipv6Header, destination));
  constexpr size_t kSize = address_size(kFamily);
  uint8_t* l3 = frame.data + packet.l3_offset;

  ChecksumDelta delta;
  delta.replace({l3 + kAddressOffset, kSize}, {address.bytes.data(), kSize});
  std::memcpy(l3 + kAddressOffset, address.bytes.data(), kSize);
  if constexpr (kIsIpv4) {
    uint8_t* field = l3 + offsetof(Ipv4Header, checksum);
    store(field, delta.apply(load<uint16_t>(field)));
  }
  if (packet.kind == ParsedKind::kLaterFragment)
    return;  // ports and checksum went with the first fragment

  uint8_t* l4 = frame.data + packet.l4_offset;
  uint8_t* port_field = l4 + (kSide == Side::kSource ? 0 : 2);
  const Be16 old_port = load<Be16>(port_field);
  const Be16 new_port{port};
  store(port_field, new_port);
  uint8_t* field = l4 + l4_checksum_offset(packet.protocol);
  if (has_partial_checksum(frame, packet)) {
    // Who completes the checksum will sum the ports as they stand then.
    store(field, delta.apply_to_sum(load<uint16_t>(field)));
    return;
  }
  delta.replace(old_port, new_port);
  correct_l4_checksum(field, packet.protocol, delta);
}

template <Side kSide>
void map_end(Frame& frame, const ParsedPacket& packet, const IpAddress& address, uint16_t port) {
  assert(packet.kind == ParsedKind::kTransport || packet.kind == ParsedKind::kLaterFragment);
  if (packet.family == Family::kIpv4) {
    map_end<Family::kIpv4, kSide>(frame, packet, address, port);
  } else {
    map_end<Family::kIpv6, kSide>(frame, packet, address, port);
  }
}

}  // namespace

void nat_request(Frame& frame, const ParsedPacket& packet, const IpAddress& new_destination,
                 uint16_t new_port) {
  map_end<Side::kDestination>(frame, packet, new_destination, new_port);
}

void nat_reply(Frame& frame, const ParsedPacket& packet, const IpAddress& new_source,
               uint16_t new_port) {
  map_end<Side::kSource>(frame, packet, new_source, new_port);
}

}  // namespace uvs

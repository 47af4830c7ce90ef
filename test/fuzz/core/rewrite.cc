// NAT there and back, MACs, TTL, MTU, checksums, fragments on whatever parses: a sound packet stays
// sound, and NAT back gives the bytes of before.
#include "core/forward/rewrite.h"

#include "core/forward/fragment.h"
#include "fuzz_frame.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

// The same bytes, but that a checksum may say 0xffff for 0: unsound packets come with either.
bool is_same_but_zero(const Octets& before, const Octets& after) {
  if (before.size() != after.size()) return false;
  for (size_t i = 0; i < before.size(); i++) {
    if (before[i] == after[i]) continue;
    const bool is_pair =
        i + 1 < before.size() && before[i] == before[i + 1] && after[i] == after[i + 1];
    if (!is_pair || static_cast<uint8_t>(before[i] ^ after[i]) != 0xff) return false;
    if (before[i] != 0 && before[i] != 0xff) return false;
    i++;
  }
  return true;
}

// The checker and software completion agree on what a datagram covers only when nothing trails it.
bool has_trailing_bytes(const Frame& frame, const ParsedPacket& packet) {
  return packet.protocol == kProtocolUdp && packet.kind == ParsedKind::kTransport &&
         detail::get16(frame.data + packet.l4_offset + 4) + packet.l4_offset !=
             packet.l3_offset + packet.l3_length;
}

void check(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t choice = input.byte();
  const Family family = (choice & 1) != 0 ? Family::kIpv6 : Family::kIpv4;
  const IpAddress address = input.ip_address(family);
  const uint16_t port = input.word();
  const uint32_t mtu = input.word() % 2048;
  OwnedFrame frame = input.frame(0);
  const ParsedPacket packet = parse(frame);
  if (packet.kind != ParsedKind::kTransport && packet.kind != ParsedKind::kLaterFragment) return;
  const bool was_sound = faults(frame).empty();
  const Octets before = frame.bytes();

  const bool is_request = (choice & 2) != 0;
  const auto nat = is_request ? nat_request : nat_reply;
  nat(frame, packet, address, port);
  if (was_sound) FUZZ_REQUIRE(faults(frame) == "");
  const ParsedPacket again = parse(frame);
  FUZZ_REQUIRE(again.kind == packet.kind);
  nat(frame, again, is_request ? packet.destination : packet.source,
      is_request ? packet.destination_port : packet.source_port);
  FUZZ_REQUIRE(is_same_but_zero(before, frame.bytes()));

  set_ethernet(frame, MacAddress{{2, 0, 0, 0, 0, 1}}, MacAddress{{2, 0, 0, 0, 0, 2}});
  const bool is_alive = decrement_ttl(frame, packet);
  FUZZ_REQUIRE(is_alive == (packet.ttl > 1));
  if (shrink_segments(frame, packet, mtu)) FUZZ_REQUIRE(!exceeds_mtu(frame, packet, mtu));
  const bool is_comparable = was_sound && !has_trailing_bytes(frame, packet);
  Ipv4Fragmenter fragmenter(frame, packet, mtu);
  uint32_t count = 0;
  for (OwnedFrame to({}, {}, kEthernetHeaderSize + mtu); fragmenter.next(to); count++) {
    if (is_comparable) FUZZ_REQUIRE(faults(to) == "");
  }
  FUZZ_REQUIRE(count == fragmenter.count());
  complete_checksum(frame, packet);
  if (is_comparable) FUZZ_REQUIRE(faults(frame) == "");
  const ParsedPacket completed = parse(frame);
  FUZZ_REQUIRE(completed.source_port == packet.source_port);
  FUZZ_REQUIRE(completed.destination_port == packet.destination_port);
}

}  // namespace
}  // namespace uvs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uvs::test::check(data, size);
  return 0;
}

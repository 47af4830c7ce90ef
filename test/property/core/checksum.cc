// Incremental checksums equal full ones: random packets and rewrites, complete, partial and absent
// checksums, both families; NAT there and back is the identity.
#include "core/net/checksum.h"

#include <doctest/doctest.h>

#include <random>

#include "core/forward/fragment.h"
#include "core/forward/icmp_error.h"
#include "core/forward/rewrite.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

constexpr uint64_t kSeed = 20240607;

class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool one_in(uint32_t count) { return below(count) == 0; }
  // Mostly random, sometimes all zeros or all ones: the corners of one's complement.
  Octets octets(size_t size) {
    Octets bytes(size);
    const uint32_t kind = below(8);
    for (uint8_t& byte : bytes)
      byte = kind == 0 ? 0 : kind == 1 ? 0xff : static_cast<uint8_t>(random_());
    return bytes;
  }
  Endpoint end(Family family) {
    Endpoint end;
    end.family = family;
    const Octets bytes = octets(address_size(family));
    std::copy(bytes.begin(), bytes.end(), end.address.bytes.begin());
    end.port = one_in(8) ? 0 : static_cast<uint16_t>(random_());
    return end;
  }
  Packet packet(Family family) {
    const uint8_t protocol = one_in(2) ? kProtocolTcp : kProtocolUdp;
    const Endpoint source = end(family),
                   destination = end(family);  // in this order with any compiler
    Packet packet(protocol, source, destination);
    packet.payload(octets(below(200)))
        .ttl(static_cast<uint8_t>(random_()))
        .identification(below(65536));
    packet.flags(static_cast<uint8_t>(random_())).sequence(static_cast<uint32_t>(random_()));
    if (one_in(4)) packet.type_of_service(static_cast<uint8_t>(random_()));
    if (family == Family::kIpv4 && one_in(4)) packet.ipv4_options({7, 3, 4, 0x88, 4, 1, 1, 0});
    if (family == Family::kIpv6 && one_in(4)) packet.extension(60, {0, 1, 4, 0, 0, 0, 0});
    return packet;
  }

 private:
  std::mt19937_64 random_;
};

Family family_of(int turn) { return turn % 2 == 0 ? Family::kIpv4 : Family::kIpv6; }

}  // namespace

TEST_CASE("property: the fast sum is the slow sum") {
  Chance chance(kSeed);
  for (int turn = 0; turn < 20'000; turn++) {
    const Octets bytes = chance.octets(chance.below(300));
    const size_t skip = bytes.empty() ? 0 : chance.below(static_cast<uint32_t>(bytes.size()));
    const uint16_t sum = ones_sum(std::span(bytes).subspan(skip));
    const auto in_host_order = static_cast<uint16_t>(sum << 8 | sum >> 8);
    REQUIRE(in_host_order == plain_sum(bytes.data() + skip, bytes.size() - skip));
  }
}

TEST_CASE(
    "property: NAT gives the packet that would have been built with the new ends, and back the old "
    "one") {
  Chance chance(kSeed + 1);
  for (int turn = 0; turn < 60'000; turn++) {
    CAPTURE(turn);
    Packet packet = chance.packet(family_of(turn));
    switch (chance.below(4)) {
      case 0:
        packet.partial_checksum();
        break;
      case 1:
        if (turn % 2 == 0)
          packet
              .no_checksum();  // TCP then carries 0, which is no checksum but has to be carried on
        break;
      case 2:
        packet.fragment(chance.below(3) * 64, 64);
        break;
      default:
        break;
    }
    OwnedFrame frame = packet.frame();
    const Octets before = frame.bytes();
    const bool was_sound = faults(frame).empty();
    const ParsedPacket parsed = parse(frame);
    REQUIRE((parsed.kind == ParsedKind::kTransport || parsed.kind == ParsedKind::kLaterFragment));
    const Endpoint to = chance.end(parsed.family);
    const bool is_request = chance.one_in(2);
    (is_request ? nat_request : nat_reply)(frame, parsed, to.address, to.port);
    if (was_sound) REQUIRE(faults(frame) == "");
    const ParsedPacket again = parse(frame);
    REQUIRE(again.kind == parsed.kind);
    REQUIRE((is_request ? again.destination : again.source) == to.address);
    REQUIRE((is_request ? again.source : again.destination) ==
            (is_request ? parsed.source : parsed.destination));
    if (parsed.kind == ParsedKind::kTransport) {
      REQUIRE((is_request ? again.destination_port : again.source_port) == to.port);
    }
    (is_request ? nat_request : nat_reply)(
        frame, again, is_request ? parsed.destination : parsed.source,
        is_request ? parsed.destination_port : parsed.source_port);
    if (was_sound) REQUIRE(frame.bytes() == before);
  }
}

TEST_CASE("property: TTL, fragments and finished checksums stay sound") {
  Chance chance(kSeed + 2);
  for (int turn = 0; turn < 20'000; turn++) {
    CAPTURE(turn);
    Packet packet = chance.packet(family_of(turn));
    const bool is_partial = chance.one_in(2);
    if (is_partial) packet.partial_checksum();
    OwnedFrame frame = packet.frame();
    const ParsedPacket parsed = parse(frame);
    if (decrement_ttl(frame, parsed)) REQUIRE(faults(frame) == "");
    Ipv4Fragmenter fragmenter(frame, parsed, 60 + chance.below(100));
    for (OwnedFrame to({}, {}, 200); fragmenter.next(to);) REQUIRE(faults(to) == "");
    complete_checksum(frame, parsed);
    REQUIRE_FALSE(frame->offload.needs_checksum());
    REQUIRE(faults(frame) == "");
  }
}

TEST_CASE("property: translated ICMP errors are sound, and back they are what they were") {
  Chance chance(kSeed + 3);
  for (int turn = 0; turn < 30'000; turn++) {
    CAPTURE(turn);
    const Family family = family_of(turn);
    const size_t ip_size = family == Family::kIpv4 ? 36 : 56;
    const Packet quoted = chance.packet(family);
    const Endpoint source = chance.end(family), destination = chance.end(family);
    Packet error(family == Family::kIpv4 ? kProtocolIcmp : kProtocolIcmpv6, source, destination);
    error.icmp(3, 0).quote(quoted, ip_size + chance.below(250));
    if (chance.one_in(3)) error.partial_checksum();
    OwnedFrame frame = error.frame();
    const Octets before = frame.bytes();
    const ParsedPacket parsed = parse(frame);
    const Endpoint to = chance.end(family);
    // On the way back such a reporter would be taken for the server.
    if (parsed.kind != ParsedKind::kIcmpError || parsed.source == to.address) continue;
    const bool is_to_client = chance.one_in(2);
    const QuotedPacket& quote = parsed.quoted;
    if (is_to_client) {
      nat_icmp_to_client(frame, parsed, to.address, to.port);
    } else {
      nat_icmp_to_server(frame, parsed, to.address, to.port);
    }
    REQUIRE(faults(frame) == "");
    const ParsedPacket again = parse(frame);
    REQUIRE(again.kind == ParsedKind::kIcmpError);
    if (is_to_client) {
      REQUIRE(again.quoted.destination == to.address);
      nat_icmp_to_client(frame, again, quote.destination, quote.destination_port);
      REQUIRE(frame.bytes() == before);
    } else {
      REQUIRE(again.quoted.source == to.address);
      REQUIRE(again.destination == to.address);
      nat_icmp_to_server(frame, again, quote.source, quote.source_port);
      REQUIRE(faults(frame) == "");
    }
  }
}

TEST_CASE("property: every answer is sound") {
  Chance chance(kSeed + 4);
  int answers = 0;
  for (int turn = 0; turn < 20'000; turn++) {
    CAPTURE(turn);
    Packet packet = chance.packet(family_of(turn));
    if (chance.one_in(3)) packet.partial_checksum();
    OwnedFrame frame = packet.frame();
    const ParsedPacket parsed = parse(frame);
    const auto answer = static_cast<Answer>(chance.below(5));
    if (!answer_with_icmp(frame, parsed, answer, chance.end(parsed.family).address, 1280)) continue;
    answers++;
    REQUIRE(faults(frame) == "");
    REQUIRE(parse(frame).destination == parsed.source);
    REQUIRE(parse(frame).kind == ParsedKind::kIcmpError);
  }
  CHECK(answers > 1000);
}

}  // namespace uvs::test

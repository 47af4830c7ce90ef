// NAT, MACs, TTL, MTU: the rewritten frame equals, byte for byte, one that was built with the new
// values.
#include <doctest/doctest.h>

#include "core/forward/rewrite.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "172.16.0.1:10000";
constexpr const char* kVip = "10.9.0.1:80";
constexpr const char* kServer = "192.168.7.250:8080";
constexpr const char* kClient6 = "[2001:db8:1::1]:10000";
constexpr const char* kVip6 = "[2001:db8:9::1]:80";
constexpr const char* kServer6 = "[fd00:77::abcd:250]:8080";

// The packet as a client sends it, both families.
std::pair<Packet, std::string> request(bool is_ipv6, uint8_t protocol) {
  return {{protocol, endpoint(is_ipv6 ? kClient6 : kClient), endpoint(is_ipv6 ? kVip6 : kVip)},
          is_ipv6 ? kServer6 : kServer};
}

void check_request(const Packet& packet, const std::string& server) {
  OwnedFrame frame = packet.frame();
  const ParsedPacket parsed = parse(frame);
  const Endpoint to = endpoint(server);
  nat_request(frame, parsed, to.address, to.port);
  CHECK(frame.bytes() == Packet(packet).destination(server).bytes());
  CHECK(faults(frame) == "");
}

void check_reply(const Packet& packet, const std::string& service) {
  OwnedFrame frame = packet.frame();
  const ParsedPacket parsed = parse(frame);
  const Endpoint as = endpoint(service);
  nat_reply(frame, parsed, as.address, as.port);
  CHECK(frame.bytes() == Packet(packet).source(service).bytes());
  CHECK(faults(frame) == "");
}

}  // namespace

TEST_CASE("nat: TCP and UDP of both families, complete and partial checksums") {
  for (const bool is_ipv6 : {false, true}) {
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
      for (const size_t size : {0, 1, 20, 1400}) {
        const auto [packet, server] = request(is_ipv6, protocol);
        check_request(Packet(packet).payload(size), server);
        check_request(Packet(packet).payload(size).partial_checksum(), server);
        check_reply(Packet(packet).payload(size), server);
        check_reply(Packet(packet).payload(size).partial_checksum(), server);
      }
    }
  }
}

TEST_CASE("nat: GSO frames keep their offload header") {
  const Packet packet = tcp4(kClient, kVip).ack().payload(40000).gso(1448);
  check_request(packet, kServer);
  check_request(tcp6(kClient6, kVip6).ack().payload(40000).gso(1428), kServer6);
  OwnedFrame frame = packet.frame();
  nat_request(frame, parse(frame), address("192.168.7.250"), 8080);
  CHECK(frame->offload.gso_size == 1448);
  CHECK(frame->offload.needs_checksum());
}

TEST_CASE("nat: options and extension headers") {
  check_request(tcp4(kClient, kVip).ipv4_options({7, 7, 4, 0, 0, 0, 0, 0}).payload(3), kServer);
  check_request(udp6(kClient6, kVip6).extension(60, {0, 1, 4, 0, 0, 0, 0}).payload(3), kServer6);
  check_request(
      udp6(kClient6, kVip6).extension(60, {0, 1, 4, 0, 0, 0, 0}).payload(3).partial_checksum(),
      kServer6);
}

TEST_CASE("nat: fragments. The first has ports and checksum, the others addresses only") {
  for (const bool is_ipv6 : {false, true}) {
    const auto [packet, server] = request(is_ipv6, kProtocolUdp);
    for (const size_t offset : {0, 480, 960}) {
      check_request(Packet(packet).payload(1000).fragment(offset, 480), server);
      check_reply(Packet(packet).payload(1000).fragment(offset, 480), server);
    }
  }
}

TEST_CASE("nat: UDP without a checksum stays without (RFC 768)") {
  check_request(udp4(kClient, kVip).payload(11).no_checksum(), kServer);
  check_reply(udp4(kClient, kVip).payload(11).no_checksum(), kServer);
}

TEST_CASE("nat: a UDP checksum that becomes 0 is sent as all ones (RFC 768)") {
  for (const bool is_ipv6 : {false, true}) {
    const auto [packet, server] = request(is_ipv6, kProtocolUdp);
    // The payload word that makes the rewritten packet's checksum 0.
    Packet rewritten = Packet(packet).destination(server).payload(Octets{0, 0});
    const size_t field = rewritten.bytes().size() - 4;
    const Octets bytes = rewritten.bytes();
    const Octets word{bytes[field], bytes[field + 1]};
    rewritten.payload(word);
    CHECK(rewritten.bytes()[field] == 0xff);
    CHECK(rewritten.bytes()[field + 1] == 0xff);
    check_request(Packet(packet).payload(word), server);
  }
}

TEST_CASE("nat: a partial checksum further inside leaves the outer one to be corrected") {
  // A tunnel's outer UDP header is complete while the device is to finish the inner one.
  OwnedFrame frame = udp4(kClient, kVip).payload(60).frame();
  frame->offload.flags = OffloadHeader::kNeedsChecksum;
  frame->offload.checksum_start = 62;
  frame->offload.checksum_offset = 16;
  nat_request(frame, parse(frame), address("192.168.7.250"), 8080);
  frame->offload = {};
  CHECK(faults(frame) == "");
}

TEST_CASE("set_ethernet") {
  OwnedFrame frame = tcp4(kClient, kVip).frame();
  const MacAddress to{{2, 1, 2, 3, 4, 5}}, from{{2, 6, 7, 8, 9, 10}};
  set_ethernet(frame, to, from);
  CHECK(frame.bytes() == tcp4(kClient, kVip).macs(to, from).bytes());
}

TEST_CASE("decrement_ttl: every value, header checksum right") {
  for (unsigned ttl = 0; ttl <= 255; ttl++) {
    for (const bool is_ipv6 : {false, true}) {
      const Packet packet =
          Packet(request(is_ipv6, kProtocolTcp).first).ttl(static_cast<uint8_t>(ttl));
      OwnedFrame frame = packet.frame();
      const ParsedPacket parsed = parse(frame);
      const bool is_alive = decrement_ttl(frame, parsed);
      CHECK(is_alive == (ttl > 1));
      CHECK(frame.bytes() ==
            Packet(packet).ttl(static_cast<uint8_t>(is_alive ? ttl - 1 : ttl)).bytes());
    }
  }
}

TEST_CASE("exceeds_mtu: packets by their length, GSO frames by their segments'") {
  const auto exceeds = [](const Packet& packet, uint32_t mtu) {
    const OwnedFrame frame = packet.frame();
    return exceeds_mtu(frame, parse(frame), mtu);
  };
  CHECK_FALSE(exceeds(tcp4(kClient, kVip).payload(1460), 1500));
  CHECK(exceeds(tcp4(kClient, kVip).payload(1461), 1500));
  CHECK_FALSE(exceeds(tcp4(kClient, kVip).payload(30000).gso(1460), 1500));
  CHECK(exceeds(tcp4(kClient, kVip).payload(30000).gso(1461), 1500));
  CHECK(exceeds(tcp4(kClient, kVip).payload(30000).tcp_options({1, 1, 1, 1}).gso(1460), 1500));
  CHECK_FALSE(exceeds(tcp6(kClient6, kVip6).payload(30000).gso(1440), 1500));
  CHECK(exceeds(tcp6(kClient6, kVip6).payload(30000).gso(1441), 1500));
  CHECK_FALSE(exceeds(udp4(kClient, kVip).payload(30000).gso(1472), 1500));
  CHECK(exceeds(udp4(kClient, kVip).payload(30000).gso(1473), 1500));
  CHECK(exceeds(udp4(kClient, kVip).payload(99).fragment(48, 24), 43));
  CHECK_FALSE(exceeds(udp4(kClient, kVip).payload(99).fragment(48, 24), 44));

  // A whole frame that is shorter than one segment; a driver's GSO type without a size; UDP to be
  // cut into fragments.
  CHECK_FALSE(exceeds(tcp4(kClient, kVip).payload(100).gso(1460), 140));
  OwnedFrame frame = tcp4(kClient, kVip).payload(1800).gso(1400).frame();
  frame->offload.gso_size = 0;
  CHECK(exceeds_mtu(frame, parse(frame), 1500));
  frame = udp4(kClient, kVip).payload(3000).gso(1480).frame();
  CHECK(exceeds_mtu(frame, parse(frame), 1500));
  frame->offload.gso_type = OffloadHeader::kGsoUdp;
  CHECK_FALSE(exceeds_mtu(frame, parse(frame), 1500));
}

TEST_CASE("shrink_segments: TCP without DF fits a smaller MTU in smaller segments") {
  OwnedFrame frame = tcp4(kClient, kVip).payload(30000).gso(1460).frame();
  const ParsedPacket packet = parse(frame);
  CHECK(shrink_segments(frame, packet, 1400));
  CHECK(frame->offload.gso_size == 1360);
  CHECK_FALSE(exceeds_mtu(frame, packet, 1400));
  CHECK(shrink_segments(frame, packet, 9000));
  CHECK(frame->offload.gso_size == 1360);
  CHECK_FALSE(shrink_segments(frame, packet, 40));
  for (const Packet& other :
       {tcp4(kClient, kVip).payload(3000).gso(1460).dont_fragment(),
        udp4(kClient, kVip).payload(3000).gso(1460), tcp4(kClient, kVip).payload(3000),
        tcp6(kClient6, kVip6).payload(3000).gso(1460)}) {
    OwnedFrame refused = other.frame();
    CHECK_FALSE(shrink_segments(refused, parse(refused), 1400));
  }
}

TEST_CASE("complete_checksum") {
  for (const bool is_ipv6 : {false, true}) {
    for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
      const Packet packet = Packet(request(is_ipv6, protocol).first).payload(33);
      OwnedFrame frame = Packet(packet).partial_checksum().frame();
      complete_checksum(frame, parse(frame));
      CHECK(frame.bytes() == packet.bytes());
      CHECK_FALSE(frame->offload.needs_checksum());
    }
  }
  // What a broken driver says reaches no byte outside the packet.
  OwnedFrame frame = udp4(kClient, kVip).payload(33).frame();
  const Octets before = frame.bytes();
  for (const uint16_t start : std::array<uint16_t, 4>{0, 33, 74, 65535}) {
    frame->offload = {};
    frame->offload.flags = OffloadHeader::kNeedsChecksum;
    frame->offload.checksum_start = start;
    frame->offload.checksum_offset = 65535;
    complete_checksum(frame, parse(frame));
    CHECK(frame.bytes() == before);
  }
}

TEST_CASE("a partial checksum that would go elsewhere in the L4 header is nobody's") {
  // Only a broken or hostile driver (a guest behind a tap) says so; the kernel would overwrite the
  // ports. The field itself counts as complete then.
  struct Place {
    uint16_t start, offset;
  };
  for (const auto [start, offset] : std::initializer_list<Place>{{34, 0}, {34, 2}, {36, 0}, {34, 5}}) {
    OwnedFrame frame = udp4(kClient, kVip).payload(60).frame();
    frame->offload.flags = OffloadHeader::kNeedsChecksum;
    frame->offload.checksum_start = start;
    frame->offload.checksum_offset = offset;
    CHECK(faults(frame) != "");
    nat_request(frame, parse(frame), address("192.168.7.250"), 8080);
    const Octets before = frame.bytes();
    complete_checksum(frame, parse(frame));
    CHECK(frame.bytes() == before);
    CHECK(frame->offload.needs_checksum());
    frame->offload = {};
    CHECK(faults(frame) == "");
  }
}

}  // namespace uvs::test

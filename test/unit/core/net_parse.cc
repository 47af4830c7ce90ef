// parse: what it finds in good packets of every kind, and the reason it gives for each bad one.
#include <doctest/doctest.h>

#include "core/net/parse.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "172.16.0.1:10000";
constexpr const char* kVip = "10.9.0.1:80";
constexpr const char* kClient6 = "[2001:db8:1::1]:10000";
constexpr const char* kVip6 = "[2001:db8:9::1]:80";

ParsedPacket parsed(const Packet& packet) {
  const OwnedFrame frame = packet.frame();
  return parse(frame);
}
// The bytes as they are, in memory that ends where they end.
ParsedPacket parsed(const Octets& bytes, const OffloadHeader& offload = {}) {
  const OwnedFrame frame(bytes, offload, 0);
  return parse(frame);
}
Octets edited(const Packet& packet, size_t at, uint8_t value) {
  Octets bytes = packet.bytes();
  bytes[at] = value;
  return bytes;
}
Octets shortened(const Packet& packet, size_t size) {
  Octets bytes = packet.bytes();
  bytes.resize(size);
  return bytes;
}
// Sets a byte of the IPv4 header and makes its checksum right again.
Octets with_ipv4_byte(const Packet& packet, size_t at, uint8_t value) {
  Octets bytes = packet.bytes();
  bytes[14 + at] = value;
  const size_t size = std::min<size_t>(static_cast<size_t>(bytes[14] & 15) * 4, bytes.size() - 14);
  set16(bytes, 24, 0);
  set16(bytes, 24, static_cast<uint16_t>(~plain_sum(&bytes[14], size)));
  return bytes;
}
void check_invalid(const ParsedPacket& packet, DropReason reason) {
  CHECK(packet.kind == ParsedKind::kInvalid);
  CHECK(std::string(info(packet.reason).name) == info(reason).name);
}

}  // namespace

TEST_CASE("parse: TCP over IPv4") {
  const ParsedPacket packet =
      parsed(tcp4(kClient, kVip).syn().tcp_options({2, 4, 5, 0xb4}).payload(20).ttl(7));
  CHECK(packet.kind == ParsedKind::kTransport);
  CHECK(packet.reason == DropReason::kNone);
  CHECK(packet.family == Family::kIpv4);
  CHECK(packet.protocol == kProtocolTcp);
  CHECK(packet.source == address("172.16.0.1"));
  CHECK(packet.destination == address("10.9.0.1"));
  CHECK(packet.source_port == 10000);
  CHECK(packet.destination_port == 80);
  CHECK(packet.tcp_flags == tcp_flag::kSyn);
  CHECK(packet.ttl == 7);
  CHECK(packet.l3_offset == 14);
  CHECK(packet.l4_offset == 34);
  CHECK(packet.payload_offset == 58);
  CHECK(packet.l3_length == 64);
  CHECK(packet.may_fragment);
  CHECK_FALSE(packet.is_fragment);
  CHECK_FALSE(packet.has_options);
}

TEST_CASE("parse: UDP over IPv6") {
  const ParsedPacket packet = parsed(udp6(kClient6, kVip6).payload(9).ttl(3));
  CHECK(packet.kind == ParsedKind::kTransport);
  CHECK(packet.family == Family::kIpv6);
  CHECK(packet.protocol == kProtocolUdp);
  CHECK(packet.source == address("2001:db8:1::1"));
  CHECK(packet.destination == address("2001:db8:9::1"));
  CHECK(packet.destination_port == 80);
  CHECK(packet.l4_offset == 54);
  CHECK(packet.payload_offset == 62);
  CHECK(packet.l3_length == 57);
  CHECK(packet.ttl == 3);
  CHECK_FALSE(packet.may_fragment);
}

TEST_CASE(
    "parse: the frame may be longer than the packet, as Ethernet pads it, and may not be shorter") {
  const Packet packet = tcp4(kClient, kVip).ack().dont_fragment();
  Octets bytes = packet.bytes();
  bytes.resize(60);
  CHECK(parsed(bytes).kind == ParsedKind::kTransport);
  CHECK(parsed(bytes).l3_length == 40);
  CHECK_FALSE(parsed(bytes).may_fragment);
  check_invalid(parsed(shortened(packet, 53)), DropReason::kBadTotalLength);
  check_invalid(parsed(shortened(tcp6(kClient6, kVip6), 73)), DropReason::kBadTotalLength);
}

TEST_CASE("parse: a GSO frame of 64 KiB") {
  const ParsedPacket packet = parsed(tcp4(kClient, kVip).ack().payload(65535 - 40).gso(1460));
  CHECK(packet.kind == ParsedKind::kTransport);
  CHECK(packet.l3_length == 65535);
  CHECK(parsed(tcp6(kClient6, kVip6).ack().payload(65535 - 20).gso(1440)).l3_length == 65575);
}

TEST_CASE("parse: frames that end too early, byte by byte") {
  for (const Packet& packet : {tcp4(kClient, kVip), tcp6(kClient6, kVip6), udp4(kClient, kVip)}) {
    const Octets whole = packet.bytes();
    for (size_t size = 0; size < whole.size(); size++) {
      const ParsedPacket result = parsed(shortened(packet, size));
      CAPTURE(size);
      if (size < 14) {
        check_invalid(result, DropReason::kFrameTooShort);
      } else {
        CHECK(result.kind == ParsedKind::kInvalid);
      }
    }
  }
}

TEST_CASE("parse: IPv4 headers that lie") {
  const Packet packet = udp4(kClient, kVip).payload(8);
  check_invalid(parsed(with_ipv4_byte(packet, 0, 0x55)),
                DropReason::kBadHeaderLength);  // version 5
  check_invalid(parsed(with_ipv4_byte(packet, 0, 0x44)), DropReason::kBadHeaderLength);  // 16 bytes
  check_invalid(parsed(with_ipv4_byte(packet, 0, 0x4f)), DropReason::kTruncatedHeader);  // 60 bytes
  check_invalid(parsed(with_ipv4_byte(packet, 3, 19)), DropReason::kBadTotalLength);
  check_invalid(parsed(with_ipv4_byte(packet, 3, 37)), DropReason::kBadTotalLength);
  check_invalid(parsed(edited(packet, 24, 0xee)), DropReason::kBadChecksum);
  check_invalid(parsed(edited(tcp6(kClient6, kVip6), 14, 0x40)), DropReason::kBadHeaderLength);
}

TEST_CASE("parse: IPv4 options") {
  CHECK(parsed(tcp4(kClient, kVip).ipv4_options({7, 7, 4, 0, 0, 0, 0, 0}))
            .has_options);  // record route
  CHECK(parsed(tcp4(kClient, kVip).ipv4_options({1, 1, 0, 131})).kind ==
        ParsedKind::kTransport);  // behind the end
  const auto options = [](const Octets& bytes) {
    return parsed(tcp4(kClient, kVip).ipv4_options(bytes));
  };
  check_invalid(options({131, 7, 4, 1, 2, 3, 4, 0}), DropReason::kSourceRouted);
  check_invalid(options({1, 137, 7, 4, 1, 2, 3, 4}), DropReason::kSourceRouted);
  check_invalid(options({7, 1, 0, 0}), DropReason::kBadHeaderLength);
  check_invalid(options({7, 5, 0, 0}), DropReason::kBadHeaderLength);
  check_invalid(options({1, 1, 1, 7}), DropReason::kBadHeaderLength);
}

TEST_CASE("parse: transport headers that lie") {
  check_invalid(parsed(edited(tcp4(kClient, kVip), 46, 0x40)), DropReason::kBadHeaderLength);
  check_invalid(parsed(edited(tcp4(kClient, kVip), 46, 0x60)), DropReason::kBadHeaderLength);
  check_invalid(parsed(edited(udp4(kClient, kVip), 39, 7)), DropReason::kBadHeaderLength);
  check_invalid(parsed(edited(udp4(kClient, kVip), 39, 9)), DropReason::kBadHeaderLength);
  check_invalid(parsed(with_ipv4_byte(tcp4(kClient, kVip), 3, 39)), DropReason::kTruncatedHeader);
  check_invalid(parsed(with_ipv4_byte(udp4(kClient, kVip), 3, 27)), DropReason::kTruncatedHeader);
  check_invalid(parsed(with_ipv4_byte(icmp4(kClient, kVip).icmp(3, 1), 3, 27)),
                DropReason::kTruncatedHeader);
}

TEST_CASE("parse: IPv4 fragments") {
  const Packet whole = udp4(kClient, kVip).identification(0xbeef).payload(100);
  const ParsedPacket first = parsed(Packet(whole).fragment(0, 48));
  CHECK(first.kind == ParsedKind::kTransport);
  CHECK(first.is_fragment);
  CHECK(first.fragment_id == 0xbeef);
  CHECK(first.destination_port == 80);
  const ParsedPacket later = parsed(Packet(whole).fragment(48, 24));
  CHECK(later.kind == ParsedKind::kLaterFragment);
  CHECK(later.is_fragment);
  CHECK(later.fragment_id == 0xbeef);
  CHECK(later.fragment_offset == 48);
  CHECK(later.destination_port == 0);
  CHECK(later.protocol == kProtocolUdp);
  CHECK(parsed(Packet(whole).fragment(96, 1000)).kind == ParsedKind::kLaterFragment);  // the last

  check_invalid(parsed(tcp4(kClient, kVip).payload(100).fragment(0, 16)),
                DropReason::kTruncatedHeader);
  check_invalid(parsed(tcp4(kClient, kVip).payload(100).fragment(8, 16)),
                DropReason::kBadHeaderLength);
  CHECK(parsed(icmp4(kClient, kVip).icmp(8, 0).payload(100).fragment(48, 16)).kind ==
        ParsedKind::kOther);
  CHECK(parsed(icmp4(kClient, kVip).icmp(3, 1).payload(100).fragment(0, 48)).kind ==
        ParsedKind::kOther);
  // 65,528 + 28 bytes: more than a packet can have.
  Octets too_far = Packet(whole).fragment(48, 24).bytes();
  too_far[20] = 0x1f, too_far[21] = 0xff;
  set16(too_far, 24, 0);
  set16(too_far, 24, static_cast<uint16_t>(~plain_sum(&too_far[14], 20)));
  check_invalid(parsed(too_far), DropReason::kBadTotalLength);
}

TEST_CASE("parse: IPv6 extension headers") {
  const Octets options{0, 1, 4, 0, 0, 0, 0};  // PadN
  const Packet packet = tcp6(kClient6, kVip6).syn();
  const ParsedPacket chained =
      parsed(Packet(packet)
                 .extension(0, options)
                 .extension(60, options)
                 .extension(43, {0, 2, 0, 0, 0, 0, 0})
                 .extension(51, {2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3})
                 .extension(60, options));
  CHECK(chained.kind == ParsedKind::kTransport);
  CHECK(chained.has_options);
  CHECK(chained.l4_offset == 54 + 8 + 8 + 8 + 16 + 8);
  CHECK(chained.tcp_flags == tcp_flag::kSyn);

  check_invalid(parsed(Packet(packet).extension(43, {0, 0, 0, 0, 0, 0, 0})),
                DropReason::kSourceRouted);
  CHECK(parsed(Packet(packet).extension(43, {0, 4, 1, 0, 0, 0, 0})).kind == ParsedKind::kOther);
  CHECK(parsed(Packet(packet).extension(60, options).extension(0, options)).kind ==
        ParsedKind::kOther);
  CHECK(parsed(Packet(packet).extension(50, options)).kind == ParsedKind::kOther);  // ESP
  CHECK(parsed(Packet(packet).extension(59, options)).kind ==
        ParsedKind::kOther);  // nothing follows
  check_invalid(parsed(Packet(packet).extension(60, {9, 1, 4, 0, 0, 0, 0})),
                DropReason::kTruncatedHeader);

  Packet long_chain = packet;
  for (int i = 0; i < 8; i++) long_chain.extension(60, options);
  CHECK(parsed(long_chain).kind == ParsedKind::kTransport);
  CHECK(parsed(long_chain.extension(60, options)).kind == ParsedKind::kOther);
}

TEST_CASE("parse: a jumbogram is the host's business") {
  Octets bytes = udp6(kClient6, kVip6).extension(0, {0, 0xc2, 4, 0, 1, 0, 0}).bytes();
  set16(bytes, 18, 0);
  CHECK(parsed(bytes).kind == ParsedKind::kOther);
}

TEST_CASE("parse: IPv6 fragments") {
  const Packet whole = udp6(kClient6, kVip6).identification(0xdeadbeef).payload(100);
  const ParsedPacket first = parsed(Packet(whole).fragment(0, 48));
  CHECK(first.kind == ParsedKind::kTransport);
  CHECK(first.is_fragment);
  CHECK(first.fragment_id == 0xdeadbeef);
  const ParsedPacket later = parsed(Packet(whole).fragment(48, 24));
  CHECK(later.kind == ParsedKind::kLaterFragment);
  CHECK(later.fragment_offset == 48);
  CHECK(later.fragment_id == 0xdeadbeef);
  CHECK(later.l4_offset == 62);
  // RFC 6946: a fragment header around the whole packet.
  const ParsedPacket atomic = parsed(Packet(whole).fragment(0, 1000));
  CHECK(atomic.kind == ParsedKind::kTransport);
  CHECK_FALSE(atomic.is_fragment);
  CHECK(atomic.fragment_id == 0);
  check_invalid(parsed(tcp6(kClient6, kVip6).payload(99).fragment(0, 16)),
                DropReason::kTruncatedHeader);
  CHECK(parsed(icmp6(kClient6, kVip6).icmp(128, 0).payload(99).fragment(48, 16)).kind ==
        ParsedKind::kOther);
}

TEST_CASE("parse: ICMP errors and what they quote") {
  const Packet quoted = tcp4(kClient, kVip).ack().payload(40).ipv4_options({1, 1, 1, 0});
  for (const uint8_t type : Octets{3, 11, 12}) {
    const ParsedPacket packet =
        parsed(icmp4("192.0.2.1", "172.16.0.1").icmp(type, 1).quote(quoted, 32));
    CHECK(packet.kind == ParsedKind::kIcmpError);
    CHECK(packet.source == address("192.0.2.1"));
    CHECK(packet.quoted.source == address("172.16.0.1"));
    CHECK(packet.quoted.destination == address("10.9.0.1"));
    CHECK(packet.quoted.source_port == 10000);
    CHECK(packet.quoted.destination_port == 80);
    CHECK(packet.quoted.protocol == kProtocolTcp);
    CHECK(packet.quoted.l3_offset == 42);
    CHECK(packet.quoted.l4_offset == 66);
    CHECK(packet.quoted.l4_available == 8);
  }
  const Packet quoted6 = udp6(kClient6, kVip6).payload(40).extension(60, {0, 1, 4, 0, 0, 0, 0});
  for (uint8_t type = 1; type <= 4; type++) {
    const ParsedPacket packet =
        parsed(icmp6("2001:db8::9", "2001:db8:1::1").icmp(type, 0).quote(quoted6));
    CHECK(packet.kind == ParsedKind::kIcmpError);
    CHECK(packet.quoted.source_port == 10000);
    CHECK(packet.quoted.l3_offset == 62);
    CHECK(packet.quoted.l4_offset == 110);
    CHECK(packet.quoted.l4_available == 48);
  }
}

TEST_CASE("parse: ICMP that is the host's business") {
  const auto error = [](const Packet& quoted) {
    return parsed(icmp4("192.0.2.1", "172.16.0.1").icmp(3, 3).quote(quoted));
  };
  for (const uint8_t type : Octets{0, 4, 5, 8, 13}) {
    CHECK(parsed(icmp4(kClient, kVip).icmp(type, 0).quote(tcp4(kClient, kVip))).kind ==
          ParsedKind::kOther);
  }
  for (const uint8_t type : Octets{0, 5, 128, 135, 136}) {
    CHECK(parsed(icmp6(kClient6, kVip6).icmp(type, 0).quote(tcp6(kClient6, kVip6))).kind ==
          ParsedKind::kOther);
  }
  CHECK(error(icmp4(kClient, kVip).icmp(8, 0)).kind == ParsedKind::kOther);
  CHECK(error(Packet(50, endpoint(kClient), endpoint(kVip)).payload(20)).kind ==
        ParsedKind::kOther);
  CHECK(error(udp4(kClient, kVip).payload(99).fragment(48, 24)).kind == ParsedKind::kOther);
  CHECK(error(udp4(kClient, kVip).payload(99).fragment(0, 24)).kind == ParsedKind::kIcmpError);
  CHECK(parsed(icmp6(kClient6, kVip6)
                   .icmp(1, 0)
                   .quote(udp6(kClient6, kVip6).payload(99).fragment(48, 8)))
            .kind == ParsedKind::kOther);
  // The other family's ICMP.
  CHECK(parsed(Packet(58, endpoint(kClient), endpoint(kVip)).icmp(1, 0)).kind ==
        ParsedKind::kOther);
  CHECK(parsed(Packet(1, endpoint(kClient6), endpoint(kVip6)).icmp(3, 0)).kind ==
        ParsedKind::kOther);
}

TEST_CASE("parse: an ICMP error that quotes too little") {
  const Packet quoted = tcp4(kClient, kVip).ack();
  for (const size_t size : {0, 19, 20, 23}) {
    CAPTURE(size);
    check_invalid(parsed(icmp4("192.0.2.1", "172.16.0.1").icmp(3, 3).quote(quoted, size)),
                  DropReason::kIcmpUnusable);
  }
  const Packet error = icmp4("192.0.2.1", "172.16.0.1").icmp(3, 3).quote(quoted, 24);
  CHECK(parsed(error).quoted.l4_available == 4);
  Octets bytes = error.bytes();
  bytes[42] = 0x65;
  check_invalid(parsed(bytes), DropReason::kIcmpUnusable);
  bytes[42] = 0x44;
  check_invalid(parsed(bytes), DropReason::kIcmpUnusable);
  bytes = error.bytes();
  set16(bytes, 44, 23);  // the quoted packet itself had no room for ports
  check_invalid(parsed(bytes), DropReason::kIcmpUnusable);
  for (const size_t size : {0, 39, 43}) {
    check_invalid(
        parsed(icmp6("2001:db8::9", "2001:db8:1::1").icmp(1, 0).quote(tcp6(kClient6, kVip6), size)),
        DropReason::kIcmpUnusable);
  }
}

TEST_CASE("parse: frames that are not IP") {
  Octets bytes = tcp4(kClient, kVip).bytes();
  for (const size_t type : {0x0806, 0x8100, 0x88a8, 0x0000, 0x0100}) {
    set16(bytes, 12, type);
    CHECK(parsed(bytes).kind == ParsedKind::kOther);
  }
  CHECK(parsed(Packet(47, endpoint(kClient), endpoint(kVip)).payload(30)).kind ==
        ParsedKind::kOther);
  bytes.resize(14);
  CHECK(parsed(bytes).kind == ParsedKind::kOther);
  set16(bytes, 12, 0x0800);
  check_invalid(parsed(bytes), DropReason::kTruncatedHeader);
}

TEST_CASE("the checker sees a wrong bit in anything that it covers") {
  const Packet packets[] = {
      tcp4(kClient, kVip).payload(5), udp6(kClient6, kVip6).payload(6),
      icmp4("192.0.2.1", "172.16.0.1").icmp(3, 3).quote(udp4(kClient, kVip).payload(3)),
      icmp6("2001:db8::9", "2001:db8:1::1").icmp(1, 4).quote(tcp6(kClient6, kVip6))};
  for (const Packet& packet : packets) {
    CHECK(faults(packet.frame()) == "");
    const size_t l4 = packet.bytes().size() - (packet.bytes()[12] == 0x08 ? 34 : 54);
    for (size_t at = packet.bytes().size() - l4; at < packet.bytes().size(); at++) {
      CAPTURE(at);
      const OwnedFrame frame(edited(packet, at, static_cast<uint8_t>(packet.bytes()[at] ^ 0x10)));
      CHECK(faults(frame) != "");
    }
  }
  CHECK(faults(tcp4(kClient, kVip).payload(3000).gso(1448).frame()) == "");
  OwnedFrame partial = tcp6(kClient6, kVip6).payload(30).partial_checksum().frame();
  CHECK(faults(partial) == "");
  partial->data[22]++;
  CHECK(faults(partial) == "partial checksum");
}

}  // namespace uvs::test

// Our own answers: the exact frames, and who gets none.
#include <doctest/doctest.h>

#include "core/forward/icmp_error.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "172.16.0.1:10000";
constexpr const char* kVip = "10.9.0.1:80";
constexpr const char* kClient6 = "[2001:db8:1::1]:10000";
constexpr const char* kVip6 = "[2001:db8:9::1]:80";
const MacAddress kDirectorMac{{0x02, 0, 0, 0, 0, 0x0d}}, kClientMac{{0x02, 0, 0, 0, 0, 0x0c}};

bool answered(const Packet& packet, Answer answer = Answer::kPortUnreachable,
              const std::string& from = "") {
  OwnedFrame frame = packet.frame();
  const Octets before = frame.bytes();
  const ParsedPacket parsed = parse(frame);
  const bool is_ipv4 = parsed.family == Family::kIpv4;
  const IpAddress source = address(!from.empty() ? from : is_ipv4 ? "10.9.0.1" : "2001:db8:9::1");
  const bool result = answer_with_icmp(frame, parsed, answer, source, 1400);
  if (!result) CHECK(frame.bytes() == before);
  if (result) CHECK(faults(frame) == "");
  return result;
}

}  // namespace

TEST_CASE("answer: ICMP of both families, the packet quoted as it came") {
  struct Case {
    Answer answer;
    uint8_t type, code, type6, code6;
    uint32_t rest;
  };
  const Case cases[] = {{Answer::kPortUnreachable, 3, 3, 1, 4, 0},
                        {Answer::kHostUnreachable, 3, 1, 1, 3, 0},
                        {Answer::kNoRoute, 3, 0, 1, 0, 0},
                        {Answer::kTooBig, 3, 4, 2, 0, 1400},
                        {Answer::kTtlExceeded, 11, 0, 3, 0, 0}};
  for (const Case& expected : cases) {
    const Packet packet = udp4(kClient, kVip).payload(20).ttl(1);
    OwnedFrame frame = packet.frame();
    REQUIRE(answer_with_icmp(frame, parse(frame), expected.answer, address("192.0.2.1"), 1400));
    CHECK(frame.bytes() == icmp4("192.0.2.1", "172.16.0.1")
                               .icmp(expected.type, expected.code, expected.rest)
                               .quote(packet)
                               .macs(kClientMac, kDirectorMac)
                               .type_of_service(0xc0)
                               .identification(0)
                               .dont_fragment()
                               .bytes());
    const Packet packet6 = tcp6(kClient6, kVip6).payload(20).ttl(1);
    OwnedFrame frame6 = packet6.frame();
    REQUIRE(answer_with_icmp(frame6, parse(frame6), expected.answer, address("2001:db8::9"), 1400));
    CHECK(frame6.bytes() == icmp6("2001:db8::9", "2001:db8:1::1")
                                .icmp(expected.type6, expected.code6, expected.rest)
                                .quote(packet6)
                                .macs(kClientMac, kDirectorMac)
                                .bytes());
  }
}

TEST_CASE("answer: 576 bytes of IPv4 and 1280 of IPv6 at most, of GSO frames as well") {
  OwnedFrame frame = tcp4(kClient, kVip).payload(40000).gso(1448).frame();
  REQUIRE(answer_with_icmp(frame, parse(frame), Answer::kTooBig, address("192.0.2.1"), 1280));
  CHECK(frame->length == 14 + 576);
  CHECK_FALSE(frame->offload.needs_checksum());
  CHECK_FALSE(frame->offload.is_gso());
  CHECK(faults(frame) == "");
  OwnedFrame frame6 = tcp6(kClient6, kVip6).payload(40000).gso(1428).frame();
  REQUIRE(answer_with_icmp(frame6, parse(frame6), Answer::kTooBig, address("2001:db8::9"), 1280));
  CHECK(frame6->length == 14 + 1280);
  CHECK(faults(frame6) == "");
}

TEST_CASE("answer: the quote's checksum is finished, Ethernet padding is not quoted") {
  const Packet packet = udp4(kClient, kVip).payload(5);
  Octets padded = Packet(packet).partial_checksum().bytes();
  padded.resize(60);
  OwnedFrame frame(padded, Packet(packet).partial_checksum().offload());
  REQUIRE(answer_with_icmp(frame, parse(frame), Answer::kPortUnreachable, address("10.9.0.1")));
  CHECK(frame.bytes() == icmp4("10.9.0.1", "172.16.0.1")
                             .icmp(3, 3)
                             .quote(packet)
                             .macs(kClientMac, kDirectorMac)
                             .type_of_service(0xc0)
                             .identification(0)
                             .dont_fragment()
                             .bytes());
}

TEST_CASE("answer: packets that get none (RFC 1122 3.2.2, RFC 4443 2.4 e)") {
  CHECK(answered(udp4(kClient, kVip)));
  CHECK(answered(udp4(kClient, kVip).payload(99).fragment(0, 48)));
  CHECK_FALSE(answered(udp4(kClient, kVip).payload(99).fragment(48, 24)));
  CHECK_FALSE(answered(icmp4(kClient, kVip).icmp(3, 3).quote(udp4(kVip, kClient))));
  CHECK_FALSE(answered(icmp4(kClient, kVip).icmp(8, 0)));
  for (const char* source :
       {"0.0.0.0:1", "0.1.2.3:1", "127.0.0.1:1", "224.0.0.1:1", "255.255.255.255:1"})
    CHECK_FALSE(answered(udp4(source, kVip)));
  for (const char* destination : {"224.0.0.18:80", "255.255.255.255:80"})
    CHECK_FALSE(answered(udp4(kClient, destination)));
  CHECK_FALSE(answered(udp4(kClient, kVip), Answer::kTtlExceeded, "0.0.0.0"));
  CHECK_FALSE(
      answered(udp4(kClient, kVip).macs(MacAddress{{255, 255, 255, 255, 255, 255}}, kClientMac)));
  CHECK_FALSE(answered(udp4(kClient, kVip).macs(MacAddress{{1, 0, 0x5e, 0, 0, 1}}, kClientMac)));

  CHECK(answered(udp6(kClient6, kVip6)));
  CHECK_FALSE(answered(udp6("[::]:1", kVip6)));
  CHECK_FALSE(answered(udp6("[ff02::1]:1", kVip6)));
  CHECK_FALSE(answered(udp6(kClient6, "[ff02::1]:1")));
  CHECK(answered(udp6(kClient6, "[ff0e::1]:1"), Answer::kTooBig));
  CHECK_FALSE(answered(udp6(kClient6, kVip6), Answer::kTtlExceeded, "::"));
}

TEST_CASE("answer: a frame without room gets none") {
  OwnedFrame frame(tcp4(kClient, kVip).bytes(), {}, 60);
  const ParsedPacket packet = parse(frame);
  CHECK_FALSE(answer_with_icmp(frame, packet, Answer::kPortUnreachable, address("10.9.0.1")));
}

}  // namespace uvs::test

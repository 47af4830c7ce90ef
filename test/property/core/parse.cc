// Any bytes are good input for parse: mutated and cut packets, in memory that ends where the frame
// does (the sanitizers watch), and everything a result promises holds.
#include "core/net/parse.h"

#include <doctest/doctest.h>

#include <random>

#include "packet_builder.h"
#include "parsed_promises.h"

namespace uvs::test {
namespace {

std::vector<Packet> packets() {
  const std::string client = "172.16.0.1:10000", vip = "10.9.0.1:80";
  const std::string client6 = "[2001:db8:1::1]:10000", vip6 = "[2001:db8:9::1]:80";
  const Octets padding{0, 1, 4, 0, 0, 0, 0};
  return {
      tcp4(client, vip).syn().tcp_options({2, 4, 5, 0xb4}).payload(30),
      udp4(client, vip).ipv4_options({7, 7, 4, 0, 0, 0, 0, 0}).payload(30),
      udp4(client, vip).payload(100).fragment(0, 48),
      udp4(client, vip).payload(100).fragment(48, 48),
      icmp4("192.0.2.1", "172.16.0.1").icmp(3, 4, 1400).quote(tcp4(client, vip).payload(20)),
      icmp4(client, vip).icmp(8, 0).payload(10),
      tcp6(client6, vip6).extension(0, padding).extension(43, {0, 3, 0, 0, 0, 0, 0}).payload(30),
      udp6(client6, vip6).extension(60, padding).payload(100).fragment(0, 48),
      udp6(client6, vip6).payload(100).fragment(48, 48),
      icmp6("2001:db8::9", "2001:db8:1::1")
          .icmp(2, 0, 1400)
          .quote(udp6(client6, vip6).extension(60, padding))};
}

// So that mutations get past the first check.
void repair_header_checksum(Octets& bytes) {
  if (bytes.size() < 34 || bytes[12] != 8) return;
  const size_t size = static_cast<size_t>(bytes[14] & 15) * 4;
  if (size < 20 || bytes.size() < 14 + size) return;
  set16(bytes, 24, 0);
  set16(bytes, 24, static_cast<uint16_t>(~plain_sum(&bytes[14], size)));
}

}  // namespace

TEST_CASE("property: parse keeps its promises for mutated packets") {
  std::mt19937_64 random(7);
  size_t by_kind[5] = {};
  for (const Packet& packet : packets()) {
    const Octets original = packet.bytes();
    for (int turn = 0; turn < 20'000; turn++) {
      Octets bytes = original;
      for (uint64_t i = random() % 4; i > 0; i--)
        bytes[random() % bytes.size()] = static_cast<uint8_t>(random() >> 32);
      if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 1));
      if (random() % 4 == 0) bytes.resize(bytes.size() + random() % 20);
      if (random() % 8 != 0) repair_header_checksum(bytes);
      const OwnedFrame frame(bytes, {}, 0);
      const ParsedPacket parsed = parse(frame);
      by_kind[static_cast<size_t>(parsed.kind)]++;
      REQUIRE(broken_promise(frame, parsed) == "");
    }
  }
  for (const size_t count : by_kind) CHECK(count > 1000);
}

TEST_CASE("property: parse keeps its promises for noise") {
  std::mt19937_64 random(8);
  for (int turn = 0; turn < 50'000; turn++) {
    Octets bytes(random() % 120);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    if (bytes.size() > 14) {
      set16(bytes, 12, turn % 2 == 0 ? 0x0800 : 0x86dd);
      bytes[14] = static_cast<uint8_t>((turn % 2 == 0 ? 0x40 : 0x60) | bytes[14] % 16);
    }
    repair_header_checksum(bytes);
    const OwnedFrame frame(bytes, {}, 0);
    REQUIRE(broken_promise(frame, parse(frame)) == "");
  }
}

}  // namespace uvs::test

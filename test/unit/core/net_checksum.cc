// Sums and their correction, by hand: the RFCs' own examples and the corners of one's complement.
#include <doctest/doctest.h>

#include "core/net/checksum.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

uint16_t host(uint16_t raw) { return static_cast<uint16_t>(raw << 8 | raw >> 8); }

}  // namespace

TEST_CASE("checksum: the example of RFC 1071 3") {
  const Octets bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  CHECK(host(ones_sum(bytes)) == 0xddf2);
}

TEST_CASE("checksum: any length and alignment gives the sum of the words") {
  Octets bytes(200);
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<uint8_t>(255 - i * 3);
  for (size_t begin = 0; begin < 8; begin++) {
    for (size_t size = 0; begin + size <= bytes.size(); size++) {
      CHECK(host(ones_sum({&bytes[begin], size})) == plain_sum(&bytes[begin], size));
    }
  }
  CHECK(ones_sum({}) == 0);
  CHECK(ones_sum(Octets(64, 0)) == 0);
  CHECK(ones_sum(Octets(64, 0xff)) == 0xffff);
  CHECK(ones_sum(Octets(65536, 0xff)) == 0xffff);
}

TEST_CASE("checksum: correction by the example of RFC 1624 4") {
  // HC 0xdd2f, m 0x5555, m' 0x3285: equation 3 gives 0x0000, where RFC 1141's equation gave 0xffff.
  ChecksumDelta delta;
  delta.replace(Be16{0x5555}, Be16{0x3285});
  CHECK(host(delta.apply(host(0xdd2f))) == 0x0000);
}

TEST_CASE("checksum: a change and its reverse cancel, no change changes nothing") {
  ChecksumDelta delta;
  CHECK(delta.apply(0x1234) == 0x1234);
  CHECK(delta.apply_to_sum(0x1234) == 0x1234);
  delta.replace(Family::kIpv6, address("2001:db8::1"), address("fe80::5"));
  CHECK(delta.apply(0x1234) != 0x1234);
  delta.replace(Family::kIpv6, address("fe80::5"), address("2001:db8::1"));
  CHECK(delta.apply(0x1234) == 0x1234);
}

TEST_CASE("checksum: pseudo-headers of both families") {
  const Octets ipv4{172, 16, 0, 1, 10, 9, 0, 1, 0, 17, 0, 30};
  CHECK(host(pseudo_header_sum(Family::kIpv4, address("172.16.0.1"), address("10.9.0.1"), 17,
                               30)) == plain_sum(ipv4.data(), ipv4.size()));
  Octets ipv6(40);
  ipv6[0] = 0x20, ipv6[15] = 1, ipv6[16] = 0xfe, ipv6[31] = 2;
  ipv6[33] = 1, ipv6[39] = 58;  // 65,536 bytes: the length field has 32 bits
  CHECK(host(pseudo_header_sum(Family::kIpv6, address("2000::1"), address("fe00::2"), 58, 65536)) ==
        plain_sum(ipv6.data(), ipv6.size()));
}

}  // namespace uvs::test

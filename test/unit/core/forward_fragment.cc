// IPv4 fragmentation: the fragments carry the packet, whole and in order, each within the MTU and
// with a right header.
#include <doctest/doctest.h>

#include "core/forward/fragment.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

std::vector<OwnedFrame> fragments_of(const Packet& packet, uint32_t mtu) {
  OwnedFrame frame = packet.frame();
  frame->ifindex = 3;
  frame->egress_ifindex = 7;
  frame->verdict = Verdict::kForward;
  Ipv4Fragmenter fragmenter(frame, parse(frame), mtu);
  std::vector<OwnedFrame> fragments;
  for (;;) {
    OwnedFrame to({}, {}, kEthernetHeaderSize + mtu);
    if (!fragmenter.next(to)) break;
    fragments.push_back(std::move(to));
  }
  CHECK(fragments.size() == fragmenter.count());
  return fragments;
}

// The payloads put together by their offsets, which must not overlap or leave gaps.
Octets reassembled(const std::vector<OwnedFrame>& fragments, size_t first_offset = 0) {
  Octets payload;
  for (const OwnedFrame& fragment : fragments) {
    CHECK(faults(fragment) == "");
    const Octets bytes = fragment.bytes();
    const size_t header_size = static_cast<size_t>(bytes[14] & 15) * 4;
    CHECK(first_offset + payload.size() == (detail::get16(&bytes[20]) & 0x1fff) * 8);
    payload.insert(payload.end(), bytes.begin() + 14 + static_cast<ptrdiff_t>(header_size),
                   bytes.end());
  }
  return payload;
}

bool has_more(const OwnedFrame& fragment) { return (fragment.bytes()[20] & 0x20) != 0; }

}  // namespace

TEST_CASE("fragment: what each fragment of a plain packet looks like") {
  const Packet packet =
      udp4("172.16.0.1:10000", "10.9.0.1:53").payload(3000).identification(77).ttl(9);
  const std::vector<OwnedFrame> fragments = fragments_of(packet, 1500);
  REQUIRE(fragments.size() == 3);
  CHECK(fragments[0].bytes() == Packet(packet).fragment(0, 1480).bytes());
  CHECK(fragments[1].bytes() == Packet(packet).fragment(1480, 1480).bytes());
  CHECK(fragments[2].bytes() == Packet(packet).fragment(2960, 1480).bytes());
  const Frame& frame = fragments[2];
  CHECK(frame.ifindex == 3);
  CHECK(frame.egress_ifindex == 7);
  CHECK(frame.verdict == Verdict::kForward);
}

TEST_CASE("fragment: any size and MTU") {
  for (uint32_t mtu = 28; mtu < 90; mtu++) {
    for (size_t size = 0; size < 200; size += 3) {
      const Packet packet = udp4("172.16.0.1:10000", "10.9.0.1:53").payload(size);
      const Octets whole = packet.bytes();
      const std::vector<OwnedFrame> fragments = fragments_of(packet, mtu);
      CHECK(reassembled(fragments) == Octets(whole.begin() + 34, whole.end()));
      for (size_t i = 0; i < fragments.size(); i++) {
        CHECK(fragments[i].bytes().size() <= 14 + mtu);
        CHECK(has_more(fragments[i]) == (i + 1 < fragments.size()));
      }
    }
  }
}

TEST_CASE("fragment: only the options with the copied flag go into every fragment (RFC 791 3.1)") {
  // Record route (not copied), a copied one of 5 bytes, a no-operation.
  const Octets options{7, 3, 4, 0x88, 5, 1, 2, 3, 1, 1, 1, 0};
  const Packet packet = udp4("172.16.0.1:10000", "10.9.0.1:53").ipv4_options(options).payload(100);
  const std::vector<OwnedFrame> fragments = fragments_of(packet, 68);
  REQUIRE(fragments.size() == 3);  // 32, 40 and 36 bytes
  const Octets first = fragments[0].bytes(), second = fragments[1].bytes();
  CHECK(Octets(first.begin() + 34, first.begin() + 46) == options);
  CHECK(second[14] == 0x47);
  CHECK(Octets(second.begin() + 34, second.begin() + 42) == Octets{0x88, 5, 1, 2, 3, 0, 0, 0});
  const Octets whole = packet.bytes();
  CHECK(reassembled(fragments) == Octets(whole.begin() + 46, whole.end()));
}

TEST_CASE(
    "fragment: a fragment is cut further, and the last piece of a middle one is followed by more") {
  const Packet whole = udp4("172.16.0.1:10000", "10.9.0.1:53").payload(3000);
  for (const bool is_last : {false, true}) {
    const Packet middle = Packet(whole).fragment(800, is_last ? 10000 : 800);
    const std::vector<OwnedFrame> fragments = fragments_of(middle, 400);
    REQUIRE(fragments.size() > 2);
    const Octets bytes = middle.bytes();
    CHECK(reassembled(fragments, 800) == Octets(bytes.begin() + 34, bytes.end()));
    CHECK(has_more(fragments[0]));
    CHECK(has_more(fragments.back()) == !is_last);
  }
}

TEST_CASE("fragment: a partial checksum is finished first") {
  const Packet packet = udp4("172.16.0.1:10000", "10.9.0.1:53").payload(600);
  const Octets whole = packet.bytes();
  const std::vector<OwnedFrame> fragments = fragments_of(Packet(packet).partial_checksum(), 300);
  CHECK(reassembled(fragments) == Octets(whole.begin() + 34, whole.end()));
}

TEST_CASE("fragment: what can't be cut, and a frame that is too small") {
  const Packet packet = udp4("172.16.0.1:10000", "10.9.0.1:53").payload(600);
  CHECK(fragments_of(Packet(packet).dont_fragment(), 300).empty());
  CHECK(fragments_of(udp6("[2001:db8::1]:1", "[2001:db8::2]:2").payload(600), 300).empty());
  CHECK(fragments_of(Packet(packet).payload(3000).gso(1000), 300).empty());
  CHECK(fragments_of(packet, 27).empty());
  CHECK(fragments_of(packet, 0).empty());
  OwnedFrame frame = packet.frame();
  Ipv4Fragmenter fragmenter(frame, parse(frame), 300);
  OwnedFrame small({}, {}, 200);
  CHECK_FALSE(fragmenter.next(small));
  OwnedFrame large({}, {}, 314);
  CHECK(fragmenter.next(large));  // nothing was lost
  CHECK(large.bytes() == Packet(packet).fragment(0, 280).bytes());
}

}  // namespace uvs::test

// Later fragments find what their first one left: by all that names the packet, for a while, the oldest giving way.
#include <doctest/doctest.h>

#include "core/flow/fragment_table.h"
#include "packet_builder.h"

using namespace uvs;
using namespace uvs::test;

namespace {

ParsedPacket fragment(const std::string& source, uint32_t id) {
  ParsedPacket packet;
  packet.source = address(source);
  packet.destination = address("10.9.0.1");
  packet.protocol = kProtocolUdp;
  packet.fragment_id = id;
  return packet;
}

}  // namespace

TEST_CASE("a later fragment is known by source, destination, identification and protocol") {
  FragmentTable<int> table({1, 2});
  CHECK(table.remember(fragment("172.16.0.1", 7), 42, 1000));
  const auto find = [&](ParsedPacket packet) { return table.find(packet, 2000); };
  REQUIRE(find(fragment("172.16.0.1", 7)) != nullptr);
  CHECK(*find(fragment("172.16.0.1", 7)) == 42);
  CHECK(find(fragment("172.16.0.1", 8)) == nullptr);
  CHECK(find(fragment("172.16.0.2", 7)) == nullptr);
  ParsedPacket other = fragment("172.16.0.1", 7);
  other.protocol = kProtocolTcp;
  CHECK(find(other) == nullptr);
  other = fragment("172.16.0.1", 7);
  other.family = Family::kIpv6;
  CHECK(find(other) == nullptr);
}

TEST_CASE("IPv6 names a packet without its protocol (RFC 8200 4.5)") {
  FragmentTable<int> table({1, 2});
  ParsedPacket packet = fragment("172.16.0.1", 7);
  packet.family = Family::kIpv6;
  CHECK(table.remember(packet, 42, 1000));
  packet.protocol = 60;  // destination options stand behind the fragment header
  REQUIRE(table.find(packet, 2000) != nullptr);
}

TEST_CASE("an identification that comes round names the new packet") {
  FragmentTable<int> table({1, 2});
  CHECK(table.remember(fragment("172.16.0.1", 7), 1, 1000));
  CHECK(table.remember(fragment("172.16.0.1", 7), 2, 2000));
  CHECK(*table.find(fragment("172.16.0.1", 7), 2000) == 2);
}

TEST_CASE("it is forgotten after the kernel's 30 seconds") {
  FragmentTable<int> table({1, 2});
  CHECK(table.remember(fragment("172.16.0.1", 7), 1, 0));
  CHECK(table.find(fragment("172.16.0.1", 7), 29'999'999) != nullptr);
  CHECK(table.find(fragment("172.16.0.1", 7), 30'000'000) == nullptr);
}

TEST_CASE("too many at once push out the oldest, and that is said") {
  FragmentTable<int> table({1, 2});
  constexpr uint32_t kMany = 4 * FragmentTable<int>::kSets * FragmentTable<int>::kWays;
  uint32_t pushed_out = 0;
  for (uint32_t i = 0; i < kMany; i++) pushed_out += !table.remember(fragment("172.16.0.1", i), 1, i);
  CHECK(pushed_out > kMany / 2);
  uint32_t found = 0;
  for (uint32_t i = kMany - 100; i < kMany; i++) found += table.find(fragment("172.16.0.1", i), kMany) != nullptr;
  CHECK(found > 90);
  // Long after, nobody is pushed out.
  CHECK(table.remember(fragment("172.16.0.2", 1), 1, 100'000'000));
}

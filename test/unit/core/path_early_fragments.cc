// Later fragments that come before their first one: they wait for it, a second at most, within bounds.
#include <doctest/doctest.h>

#include <random>

#include "core/path/hold_queue.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kClient = "172.16.0.1:10000", kClient6 = "[fd16::1]:10000";

struct Way {
  const char* name;
  bool is_ipv4;
  ForwardingMethod method;
};
constexpr Way kWays[] = {{"IPv4 NAT", true, ForwardingMethod::kNat},
                         {"IPv4 DR", true, ForwardingMethod::kDirectRoute},
                         {"IPv6 NAT", false, ForwardingMethod::kNat},
                         {"IPv6 DR", false, ForwardingMethod::kDirectRoute}};

ServiceSpec dns(const Way& way) {
  const bool is_nat = way.method == ForwardingMethod::kNat;
  if (way.is_ipv4) return udp_service("10.9.0.1:53", {server(is_nat ? "10.1.0.1:5353" : "10.1.0.1:53", way.method)});
  return udp_service("[fd09::1]:53", {server(is_nat ? "[fd01::1]:5353" : "[fd01::1]:53", way.method)});
}
Packet datagram(bool is_ipv4, uint32_t id, size_t size = 3000, uint16_t port = 53) {
  const std::string to = (is_ipv4 ? "10.9.0.1:" : "[fd09::1]:") + std::to_string(port);
  return (is_ipv4 ? udp4(kClient, to) : udp6(kClient6, to)).payload(size).identification(id);
}
// The parts of a datagram of 3000 bytes.
std::vector<Packet> parts(const Packet& whole) {
  return {Packet(whole).fragment(0, 1208), Packet(whole).fragment(1208, 1208), Packet(whole).fragment(2416, 592)};
}
std::vector<Seen> only_forwarded(std::vector<Seen> seen) {
  std::erase_if(seen, [](const Seen& one) { return one.verdict != Verdict::kForward; });
  return seen;
}

}  // namespace

TEST_CASE("in any order, all of a datagram reaches the same server, translated alike") {
  for (const Way& way : kWays) {
    CAPTURE(way.name);
    TestDirector director;
    director.publish({dns(way)});
    const bool is_nat = way.method == ForwardingMethod::kNat;
    std::vector<size_t> order = {0, 1, 2};
    uint32_t id = 1;
    do {
      const std::vector<Packet> fragments = parts(datagram(way.is_ipv4, id++));
      std::vector<Seen> sent;
      for (const size_t i : order) {
        for (const Seen& seen : only_forwarded(director.send(fragments[i], TestDirector::kClientLink))) sent.push_back(seen);
      }
      REQUIRE(sent.size() == 3);
      for (const Seen& seen : sent) {
        CHECK(server_of(seen) == 1);
        CHECK(seen.ifindex == TestDirector::kServerLink);
        CHECK(seen.packet.is_fragment);
        CHECK(seen.packet.destination == address(way.is_ipv4 ? (is_nat ? "10.1.0.1" : "10.9.0.1") : (is_nat ? "fd01::1" : "fd09::1")));
      }
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(director.counters(0, 0).traffic.in_packets == 18);
    CHECK(director.verdicts(Verdict::kDrop) == 0);
  }
}

TEST_CASE("replies' fragments of a NAT server wait likewise") {
  for (const Way& way : {kWays[0], kWays[2]}) {
    TestDirector director;
    director.publish({dns(way)});
    director.from_client(datagram(way.is_ipv4, 1, 100));
    const Packet reply = (way.is_ipv4 ? udp4("10.1.0.1:5353", kClient) : udp6("[fd01::1]:5353", kClient6)).payload(3000).identification(9);
    const std::vector<Packet> fragments = parts(reply);
    for (const size_t late : {2u, 1u}) {
      CHECK(director.send(fragments[late], TestDirector::kServerLink).at(0).verdict == Verdict::kHeld);
    }
    const std::vector<Seen> sent = only_forwarded(director.send(fragments[0], TestDirector::kServerLink));
    REQUIRE(sent.size() == 3);
    for (const Seen& seen : sent) {
      CHECK(seen.packet.source == address(way.is_ipv4 ? "10.9.0.1" : "fd09::1"));
      CHECK(seen.ifindex == TestDirector::kClientLink);
    }
    CHECK(director.counters(0, 0).traffic.out_packets == 3);
  }
}

TEST_CASE("what is the host's reaches it whole and in order, first fragment first") {
  TestDirector director;
  director.publish({dns(kWays[0])});
  const std::vector<Packet> fragments = parts(datagram(true, 5, 3000, 99));
  CHECK(director.send(fragments[2], TestDirector::kClientLink).at(0).verdict == Verdict::kHeld);
  const std::vector<Seen> seen = director.send(fragments[0], TestDirector::kClientLink);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].verdict == Verdict::kToHost);
  CHECK(seen[0].bytes == Packet(fragments[0]).bytes());
  CHECK(seen[1].verdict == Verdict::kToHost);
  CHECK(seen[1].bytes == Packet(fragments[2]).bytes());
  CHECK(director.from_client(fragments[1]).verdict == Verdict::kToHost);
}

TEST_CASE("a first fragment that never comes: dropped after a second, and counted") {
  TestDirector director;
  director.publish({dns(kWays[0])});
  director.send(parts(datagram(true, 5))[1], TestDirector::kClientLink);
  std::vector<Seen> seen;
  director.wait(0.9);
  director.release(seen);
  CHECK(seen.empty());
  director.wait(0.2);
  director.release(seen);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].reason == DropReason::kUnknownFragment);
  CHECK(director.drops(DropReason::kUnknownFragment) == 1);
  // Of a packet that was refused the rest is refused, too.
  director.publish({});
  director.publish({udp_service("10.9.0.1:53", {})});
  director.send(parts(datagram(true, 6))[1], TestDirector::kClientLink);
  seen = director.send(parts(datagram(true, 6))[0], TestDirector::kClientLink);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].verdict == Verdict::kAnswer);
  CHECK(seen[1].reason == DropReason::kNoUsableDestination);
}

TEST_CASE("early fragments wait for their first one, then for their next hop") {
  TestDirector director;
  director.answers_neighbours = false;
  director.publish({dns(kWays[0])});
  const std::vector<Packet> fragments = parts(datagram(true, 5));
  director.send(fragments[1], TestDirector::kClientLink);
  director.send(fragments[0], TestDirector::kClientLink);
  CHECK(director.verdicts(Verdict::kForward) == 0);
  director.resolve(NeighbourState::kResolved);
  std::vector<Seen> seen;
  director.release(seen);
  CHECK(only_forwarded(seen).size() == 2);
}

TEST_CASE("duplicates and overlaps go where the packet goes, and nowhere else") {
  TestDirector director;
  ServiceSpec spec = dns(kWays[0]);
  spec.destinations.push_back(nat("10.1.0.2:5353"));
  director.publish({spec});
  const Packet whole = datagram(true, 5);
  std::vector<Seen> sent;
  for (const Packet& packet : {Packet(whole).fragment(1208, 1208), Packet(whole).fragment(1208, 1208), Packet(whole).fragment(800, 1400),
                               Packet(whole).fragment(0, 1208), Packet(whole).fragment(0, 1208), Packet(whole).fragment(1600, 1408)}) {
    for (const Seen& seen : only_forwarded(director.send(packet, TestDirector::kClientLink))) sent.push_back(seen);
  }
  REQUIRE(sent.size() == 6);
  for (const Seen& seen : sent) CHECK(server_of(seen) == server_of(sent[0]));
  CHECK(director->connection_count() == 1);
}

TEST_CASE("a sender that floods loses its own oldest, all together theirs; the newest are served") {
  TestDirector director;
  director.publish({dns(kWays[0])});
  for (uint32_t id = 100; id < 100 + 2 * kFragmentHold.frames_per_group; id++) {
    CHECK(director.send(parts(datagram(true, id))[1], TestDirector::kClientLink).at(0).verdict == Verdict::kHeld);
  }
  CHECK(director.drops(DropReason::kFragmentTableFull) == kFragmentHold.frames_per_group);
  CHECK(director->take_reached_limits() == 1u << static_cast<unsigned>(Limit::kFragments));
  // Many senders: 10,000 fragments without a first one, and in the midst of them one datagram out of order.
  const std::vector<Packet> fragments = parts(datagram(true, 7));
  const auto flood = [&](int from, int to) {
    for (int i = from; i < to; i++) {
      const std::string source = "172.16." + std::to_string(1 + i / 250) + "." + std::to_string(1 + i % 250) + ":9";
      director.send(udp4(source, "10.9.0.1:53").payload(3000).identification(9).fragment(1208, 1208), TestDirector::kClientLink);
    }
  };
  flood(0, 9800);
  director.send(fragments[1], TestDirector::kClientLink);
  flood(9800, 10'000);
  CHECK(only_forwarded(director.send(fragments[0], TestDirector::kClientLink)).size() == 2);
  // It ends by itself.
  director.wait(1.5);
  std::vector<Seen> seen;
  director.release(seen);
  CHECK(seen.size() == kFragmentHold.frames - 1);
}

TEST_CASE("many datagrams at once, their fragments shuffled: none is lost") {
  for (const Way& way : kWays) {
    TestDirector director;
    director.publish({dns(way)});
    std::mt19937 random(7);
    for (int round = 0; round < 50; round++) {
      std::vector<Packet> all;
      for (uint32_t i = 0; i < 40; i++) {
        for (const Packet& packet : parts(datagram(way.is_ipv4, static_cast<uint32_t>(round) * 40 + i))) all.push_back(packet);
      }
      std::shuffle(all.begin(), all.end(), random);
      size_t forwarded = 0;
      for (const Packet& packet : all) forwarded += only_forwarded(director.send(packet, TestDirector::kClientLink)).size();
      CHECK(forwarded == 120);
    }
    CHECK(director.verdicts(Verdict::kDrop) == 0);
  }
}

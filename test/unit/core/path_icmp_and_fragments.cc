// Packets that lead to a connection by what they carry instead of by ports: ICMP errors that quote one, fragments of one,
// and packets too large for the way out.
#include <doctest/doctest.h>

#include "packet_checker.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kClient = "172.16.0.1:10000", kVip = "10.9.0.1:80", kServer = "10.1.0.1:8080";

void open(TestDirector& director, ForwardingMethod method) {
  director.publish({tcp_service(kVip, {server(method == ForwardingMethod::kNat ? kServer : "10.1.0.1:80", method)})});
  director.from_client(tcp4(kClient, kVip).syn());
  director.from_client(tcp4(kClient, kVip).ack());
}

}  // namespace

TEST_CASE("NAT: an error from the clients' side reaches the server in its own terms") {
  TestDirector director;
  open(director, ForwardingMethod::kNat);
  const Packet quoted = tcp4(kVip, kClient).ack().payload(1000);
  const Seen seen = director.from_client(icmp4("172.16.0.77", "10.9.0.1").icmp(3, 4, 1400).quote(quoted, 576));
  CHECK(seen.verdict == Verdict::kForward);
  CHECK(seen.ifindex == TestDirector::kServerLink);
  CHECK(seen.packet.destination == address("10.1.0.1"));
  CHECK(seen.packet.quoted.source == address("10.1.0.1"));
  CHECK(seen.packet.quoted.source_port == 8080);
  CHECK(seen.packet.quoted.destination == address("172.16.0.1"));
}

TEST_CASE("NAT: an error from the servers' side reaches the client in the service's name") {
  TestDirector director;
  open(director, ForwardingMethod::kNat);
  const Packet quoted = tcp4(kClient, kServer).ack();
  const Seen seen = director.from_server(icmp4("10.1.0.1", "172.16.0.1").icmp(3, 3).quote(quoted, 28));
  CHECK(seen.verdict == Verdict::kForward);
  CHECK(seen.ifindex == TestDirector::kClientLink);
  CHECK(seen.packet.quoted.destination == address("10.9.0.1"));
  CHECK(seen.packet.quoted.destination_port == 80);
}

TEST_CASE("DR: an error about the server's answer goes to the server as it is") {
  TestDirector director;
  open(director, ForwardingMethod::kDirectRoute);
  const Packet quoted = tcp4(kVip, kClient).ack().payload(1000);
  const Seen seen = director.from_client(icmp4("172.16.0.77", "10.9.0.1").icmp(3, 4, 1400).quote(quoted, 576));
  CHECK(server_of(seen) == 1);
  CHECK(seen.packet.destination == address("10.9.0.1"));
  CHECK(seen.packet.quoted.source == address("10.9.0.1"));
}

TEST_CASE("ICMPv6: packet too big reaches the server") {
  TestDirector director;
  director.publish({tcp_service("[fd09::1]:80", {nat("[fd01::1]:8080")})});
  director.from_client(tcp6("[fd16::1]:1000", "[fd09::1]:80").syn());
  const Packet quoted = tcp6("[fd09::1]:80", "[fd16::1]:1000").ack().payload(1300);
  const Seen seen = director.from_client(icmp6("fd16::77", "fd09::1").icmp(2, 0, 1280).quote(quoted));
  CHECK(server_of(seen) == 1);
  CHECK(seen.packet.destination == address("fd01::1"));
  CHECK(seen.packet.quoted.source_port == 8080);
}

TEST_CASE("an error about nothing of ours goes to the host; one about a connection renews nothing but is its traffic") {
  TestDirector director;
  open(director, ForwardingMethod::kNat);
  const Packet other = tcp4("10.9.0.1:80", "172.16.0.9:1").ack();
  CHECK(director.from_client(icmp4("172.16.0.77", "10.9.0.1").icmp(3, 1).quote(other)).verdict == Verdict::kToHost);
  const uint64_t before = director.counters(0, 0).traffic.in_packets;
  director.wait(800);
  director.from_client(icmp4("172.16.0.77", "10.9.0.1").icmp(3, 1).quote(tcp4(kVip, kClient).ack()));
  CHECK(director.counters(0, 0).traffic.in_packets == before + 1);
  director.wait(102);
  CHECK(director->connection_count() == 0);
}

TEST_CASE("later fragments follow their first one, in both directions") {
  TestDirector director;
  director.publish({udp_service("10.9.0.1:53", {nat("10.1.0.1:5353")})});
  Packet request = udp4(kClient, "10.9.0.1:53").payload(2000).identification(7);
  const Seen first = director.from_client(Packet(request).fragment(0, 1400));
  CHECK(server_of(first) == 1);
  const Seen later = director.from_client(Packet(request).fragment(1400, 608));
  CHECK(server_of(later) == 1);
  CHECK(later.packet.destination == address("10.1.0.1"));
  CHECK(later.bytes.size() == 14 + 20 + 608);
  CHECK(director.counters(0, 0).traffic.in_packets == 2);
  Packet reply = udp4("10.1.0.1:5353", kClient).payload(2000).identification(9);
  CHECK(director.from_server(Packet(reply).fragment(0, 1400)).packet.source == address("10.9.0.1"));
  const Seen rest = director.from_server(Packet(reply).fragment(1400, 608));
  CHECK(rest.packet.source == address("10.9.0.1"));
  CHECK(rest.ifindex == TestDirector::kClientLink);
}

TEST_CASE("fragments of a one-packet service stay together") {
  TestDirector director;
  ServiceSpec spec = udp_service("10.9.0.1:53", {dr("10.1.0.1:53"), dr("10.1.0.2:53")});
  spec.is_one_packet = true;
  director.publish({spec});
  for (uint32_t id = 1; id <= 4; id++) {
    Packet packet = udp4(kClient, "10.9.0.1:53").payload(2000).identification(id);
    const int chosen = server_of(director.from_client(Packet(packet).fragment(0, 1400)));
    CHECK(chosen == static_cast<int>(2 - id % 2));
    CHECK(server_of(director.from_client(packet.fragment(1400, 608))) == chosen);
  }
}

TEST_CASE("the rest of a refused packet is dropped: one answer is enough") {
  TestDirector director;
  director.publish({udp_service("10.9.0.1:53", {})});
  Packet packet = udp4(kClient, "10.9.0.1:53").payload(2000).identification(7);
  CHECK(director.from_client(Packet(packet).fragment(0, 1400)).verdict == Verdict::kAnswer);
  CHECK(director.from_client(packet.fragment(1400, 608)).reason == DropReason::kNoUsableDestination);
}

TEST_CASE("too large for the way out: with DF an answer with the MTU, quoting the packet as the client sent it") {
  TestDirector director;
  director.server_mtu = 1400;
  director.publish_view();
  open(director, ForwardingMethod::kNat);
  const Seen seen = director.from_client(tcp4(kClient, kVip).ack().payload(1440).dont_fragment());
  CHECK(seen.verdict == Verdict::kAnswer);
  CHECK(seen.bytes[34] == 3);
  CHECK(seen.bytes[35] == 4);
  CHECK(seen.bytes[40] * 256 + seen.bytes[41] == 1400);
  CHECK(seen.packet.quoted.destination == address("10.9.0.1"));
  CHECK(director.from_client(tcp4(kClient, kVip).ack().payload(1360).dont_fragment()).verdict == Verdict::kForward);
}

TEST_CASE("without DF it leaves in fragments beside the batch, and counts as forwarded") {
  TestDirector director;
  director.server_mtu = 600;
  director.publish_view();
  director.publish({udp_service("10.9.0.1:53", {nat("10.1.0.1:5353")})});
  director.from_client(udp4(kClient, "10.9.0.1:53"));
  const uint64_t before = director.verdicts(Verdict::kForward);
  const std::vector<Seen> seen = director.send(udp4(kClient, "10.9.0.1:53").payload(1400), TestDirector::kClientLink);
  REQUIRE(seen.size() == 4);
  CHECK(seen[0].verdict == Verdict::kDrop);
  CHECK(seen[0].reason == DropReason::kNone);
  size_t payload = 0;
  for (size_t i = 1; i < seen.size(); i++) {
    CHECK(server_of(seen[i]) == 1);
    CHECK(seen[i].bytes.size() <= 14 + 600);
    CHECK(seen[i].packet.destination == address("10.1.0.1"));
    CHECK(seen[i].ifindex == TestDirector::kServerLink);
    payload += seen[i].bytes.size() - 34;
  }
  CHECK(payload == 8 + 1400);
  CHECK(director.verdicts(Verdict::kForward) == before + 1);
  CHECK(director.verdicts(Verdict::kDrop) == 0);
}

TEST_CASE("IPv6 is never cut: packet too big") {
  TestDirector director;
  director.server_mtu = 1300;
  director.publish_view();
  director.publish({udp_service("[fd09::1]:53", {dr("[fd01::1]:53")})});
  const Seen seen = director.from_client(udp6("[fd16::1]:1000", "[fd09::1]:53").payload(1400));
  CHECK(seen.verdict == Verdict::kAnswer);
  CHECK(seen.bytes[54] == 2);
}

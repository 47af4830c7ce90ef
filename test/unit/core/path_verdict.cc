// What becomes of a packet: one case for each rule that decides it, through the whole path. Which server is chosen is the
// schedulers' business; how bytes change is forward's; here it is who gets the packet, with what reason, counted how.
#include <doctest/doctest.h>

#include "core/flow/tcp_state.h"
#include "core/forward/answer_limits.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kClient = "172.16.0.1:10000", kVip = "10.9.0.1:80";
Packet syn(const std::string& client = kClient) { return tcp4(client, kVip).syn(); }
Packet ack(const std::string& client = kClient) { return tcp4(client, kVip).ack(); }
Packet rst(const std::string& client = kClient) { return tcp4(client, kVip).rst().ack(); }
Packet fin(const std::string& client = kClient) { return tcp4(client, kVip).fin().ack(); }

TcpState state_of(TestDirector& director, size_t i = 0) { return static_cast<TcpState>(director.connections()[i].state); }

}  // namespace

TEST_CASE("DR: a SYN opens a connection, which later packets follow; only MACs and the TTL change") {
  TestDirector director;
  director.publish({tcp_service(kVip, {dr("10.1.0.2:80"), dr("10.1.0.1:80")})});
  const Seen seen = director.from_client(syn());
  CHECK(seen.verdict == Verdict::kForward);
  CHECK(server_of(seen) == 2);
  CHECK(seen.ifindex == TestDirector::kServerLink);
  Packet expected = syn().ttl(63).macs({{2, 9, 9, 9, 9, 2}}, TestDirector::kServerMac);
  CHECK(seen.bytes == expected.bytes());
  for (int i = 0; i < 3; i++) CHECK(server_of(director.from_client(ack())) == 2);
  CHECK(server_of(director.from_client(syn("172.16.0.1:10001"))) == 1);
  CHECK(director->connection_count() == 2);
}

TEST_CASE("NAT: both directions are rewritten, the reply in the service's name") {
  TestDirector director;
  director.publish({tcp_service(kVip, {nat("10.1.0.1:8080")})});
  const Seen request = director.from_client(syn().payload(10));
  CHECK(request.verdict == Verdict::kForward);
  CHECK(request.packet.destination == address("10.1.0.1"));
  CHECK(request.packet.destination_port == 8080);
  CHECK(request.packet.source == address("172.16.0.1"));
  const Seen reply = director.from_server(tcp4("10.1.0.1:8080", kClient).syn().ack());
  CHECK(reply.verdict == Verdict::kForward);
  CHECK(reply.ifindex == TestDirector::kClientLink);
  CHECK(reply.packet.source == address("10.9.0.1"));
  CHECK(reply.packet.source_port == 80);
  CHECK(reply.packet.destination_port == 10000);
  CHECK(reply.packet.ttl == 63);
  CHECK(state_of(director) == TcpState::kSynReceived);
  director.from_client(ack());
  CHECK(state_of(director) == TcpState::kEstablished);
  director.from_server(tcp4("10.1.0.1:8080", kClient).fin().ack());
  CHECK(state_of(director) == TcpState::kFinWait);
}

TEST_CASE("IPv6 goes the same way") {
  TestDirector director;
  director.publish({tcp_service("[fd09::1]:80", {nat("[fd01::1]:8080")}), udp_service("[fd09::1]:53", {dr("[fd01::2]:53")})});
  CHECK(server_of(director.from_client(tcp6("[fd16::1]:1000", "[fd09::1]:80").syn())) == 1);
  const Seen reply = director.from_server(tcp6("[fd01::1]:8080", "[fd16::1]:1000").syn().ack());
  CHECK(reply.verdict == Verdict::kForward);
  CHECK(reply.packet.source == address("fd09::1"));
  CHECK(server_of(director.from_client(udp6("[fd16::1]:1000", "[fd09::1]:53"))) == 2);
  CHECK(director.connections().size() == 2);
}

TEST_CASE("what belongs to nobody goes to the host, untouched") {
  TestDirector director;
  director.publish({tcp_service(kVip, {nat("10.1.0.1:80")})});
  for (Packet packet : {tcp4(kClient, "10.9.0.1:81").syn(), udp4(kClient, kVip), icmp4("172.16.0.1", "10.9.0.1").icmp(8, 0),
                        ack(), fin(), rst(), tcp4("10.1.0.1:80", kClient).syn().ack()}) {
    const Seen seen = director.from_client(packet);
    CHECK(seen.verdict == Verdict::kToHost);
    CHECK(seen.bytes == packet.bytes());
  }
  CHECK(director->connection_count() == 0);
}

TEST_CASE("a SYN+ACK opens a connection; with sloppy_tcp anything but an RST does") {
  TestDirector director;
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80")})});
  CHECK(director.from_client(syn().ack()).verdict == Verdict::kForward);
  CHECK(director.from_client(syn("172.16.0.1:7").rst()).verdict == Verdict::kToHost);
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80")})}, {.sloppy_tcp = true});
  CHECK(director.from_client(ack("172.16.0.1:1")).verdict == Verdict::kForward);
  CHECK(director.from_client(fin("172.16.0.1:2")).verdict == Verdict::kForward);
  CHECK(director.from_client(rst("172.16.0.1:3")).verdict == Verdict::kToHost);
}

TEST_CASE("nobody usable: ICMP port unreachable in the service's name, for TCP too") {
  TestDirector director;
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80", 0)}), tcp_service("[fd09::1]:80", {})});
  const Seen seen = director.from_client(syn());
  CHECK(seen.verdict == Verdict::kAnswer);
  CHECK(seen.ifindex == TestDirector::kClientLink);
  CHECK(seen.packet.source == address("10.9.0.1"));
  CHECK(seen.packet.destination == address("172.16.0.1"));
  CHECK(seen.bytes[34] == 3);
  CHECK(seen.bytes[35] == 3);
  // To whom the frame came from, from the device's own address.
  CHECK(std::equal(seen.bytes.begin(), seen.bytes.begin() + 6, syn().bytes().begin() + 6));
  CHECK(std::equal(seen.bytes.begin() + 6, seen.bytes.begin() + 12, TestDirector::kClientMac.bytes.begin()));
  const Seen seen6 = director.from_client(tcp6("[fd16::1]:1", "[fd09::1]:80").syn());
  CHECK(seen6.verdict == Verdict::kAnswer);
  CHECK(seen6.bytes[54] == 1);
  CHECK(seen6.bytes[55] == 4);
}

TEST_CASE("answers are rationed, but for path MTU discovery") {
  TestDirector director;
  director.server_mtu = 1400;
  director.publish_view();
  director.publish({udp_service("10.9.0.1:53", {}), udp_service("[fd09::1]:53", {}), tcp_service(kVip, {dr("10.1.0.1:80")}),
                    tcp_service("[fd09::1]:80", {dr("[fd01::1]:80")})});
  director.from_client(syn());
  director.from_client(tcp6("[fd16::1]:1000", "[fd09::1]:80").syn());
  for (int i = 0; i < 2000; i++) {
    director.from_client(udp4("172.16.3.3:9", "10.9.0.1:53"));
    director.from_client(udp6("[fd16::3]:9", "[fd09::1]:53"));
  }
  CHECK(director.verdicts(Verdict::kAnswer) == 2 * AnswerLimits::kBurstPerTarget);
  CHECK(director.drops(DropReason::kAnswerRateLimited) == 4000 - 2 * AnswerLimits::kBurstPerTarget);
  for (int i = 0; i < 100; i++) {
    const Seen seen = director.from_client(ack().payload(1440).dont_fragment());
    REQUIRE(seen.verdict == Verdict::kAnswer);
    CHECK(seen.packet.kind == ParsedKind::kIcmpError);
    REQUIRE(director.from_client(tcp6("[fd16::1]:1000", "[fd09::1]:80").ack().payload(1420)).verdict == Verdict::kAnswer);
  }
}

TEST_CASE("a quiesced server keeps its connections and gets no new ones") {
  TestDirector director;
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80"), dr("10.1.0.2:80")})});
  CHECK(server_of(director.from_client(syn())) == 1);
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80", 0), dr("10.1.0.2:80")})});
  CHECK(server_of(director.from_client(ack())) == 1);
  CHECK(server_of(director.from_client(syn())) == 1);
  CHECK(server_of(director.from_client(syn("172.16.0.1:2"))) == 2);
  CHECK(server_of(director.from_client(syn("172.16.0.1:3"))) == 2);
}

TEST_CASE("a removed server's connections are dropped without a word, and revive with it") {
  TestDirector director;
  const ServiceSpec both = tcp_service(kVip, {nat("10.1.0.1:80"), nat("10.1.0.2:80")});
  director.publish({both});
  director.from_client(syn());
  director.from_client(ack());
  director.publish({tcp_service(kVip, {nat("10.1.0.2:80")})});
  CHECK(director.from_client(ack()).verdict == Verdict::kDrop);
  CHECK(director.drops(DropReason::kDestinationRemoved) == 1);
  // What the server still says is passed on, and counted nowhere.
  CHECK(director.from_server(tcp4("10.1.0.1:80", kClient).ack()).verdict == Verdict::kForward);
  director.publish({both});
  CHECK(server_of(director.from_client(ack())) == 1);
  CHECK(director.counters(0, 0).active == 1);
  CHECK(director.counters(0, 0).traffic.out_packets == 0);
  CHECK(director.counters(0, 0).traffic.in_packets == 3);
}

TEST_CASE("a removed service's connections are dropped as well") {
  TestDirector director;
  const ServiceSpec spec = tcp_service(kVip, {dr("10.1.0.1:80")});
  director.publish({spec});
  director.from_client(syn());
  director.publish({});
  CHECK(director.from_client(ack()).reason == DropReason::kDestinationRemoved);
  CHECK(director.from_client(syn("172.16.0.1:5")).verdict == Verdict::kToHost);
  director.publish({spec});
  CHECK(server_of(director.from_client(ack())) == 1);
}

TEST_CASE("expire_nodest_conn: the host resets, a SYN or a datagram goes elsewhere at once") {
  TestDirector director;
  const Policy policy{.expire_nodest_conn = NodestRule::kExpire};
  const auto services = [](bool with_first) {
    std::vector<ServiceSpec> list = {tcp_service(kVip, {dr("10.1.0.2:80")}), udp_service("10.9.0.1:53", {dr("10.1.0.2:53")})};
    if (with_first) list[0].destinations.insert(list[0].destinations.begin(), dr("10.1.0.1:80"));
    if (with_first) list[1].destinations.insert(list[1].destinations.begin(), dr("10.1.0.1:53"));
    return list;
  };
  director.publish(services(true), policy);
  CHECK(server_of(director.from_client(syn())) == 1);
  CHECK(server_of(director.from_client(udp4(kClient, "10.9.0.1:53"))) == 1);
  director.publish(services(false), policy);
  CHECK(director.from_client(ack()).verdict == Verdict::kToHost);
  CHECK(state_of(director) == TcpState::kClose);
  CHECK(director.from_client(ack()).verdict == Verdict::kToHost);
  CHECK(server_of(director.from_client(udp4(kClient, "10.9.0.1:53"))) == 2);
  CHECK(server_of(director.from_client(syn())) == 2);
  CHECK(server_of(director.from_client(ack())) == 2);
  CHECK(director->connection_count() == 2);
}

TEST_CASE("expire_nodest_conn: a SYN on a connection of a quiesced server is scheduled anew, in any state") {
  TestDirector director;
  const Policy policy{.conn_reuse_mode = 0, .expire_nodest_conn = NodestRule::kExpire};
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80"), dr("10.1.0.2:80")})}, policy);
  CHECK(server_of(director.from_client(syn())) == 1);
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80", 0), dr("10.1.0.2:80")})}, policy);
  CHECK(server_of(director.from_client(ack())) == 1);
  CHECK(server_of(director.from_client(syn())) == 2);
}

TEST_CASE("conn_reuse_mode: when a SYN on an old connection is a new one") {
  struct Case {
    uint8_t mode;
    ForwardingMethod method;
    bool is_reset;  // else closed by FIN
    bool is_anew;
  };
  using enum ForwardingMethod;
  for (const Case& c : {Case{1, kDirectRoute, true, true}, Case{1, kDirectRoute, false, false}, Case{0, kDirectRoute, true, false},
                        Case{2, kDirectRoute, false, true}, Case{3, kDirectRoute, false, true}, Case{2, kNat, false, false},
                        Case{1, kNat, true, true}, Case{0, kNat, true, false}}) {
    CAPTURE(int{c.mode});
    CAPTURE(c.is_reset);
    TestDirector director;
    director.publish({tcp_service(kVip, {server("10.1.0.1:80", c.method), server("10.1.0.2:80", c.method)})},
                     {.conn_reuse_mode = c.mode});
    CHECK(server_of(director.from_client(syn())) == 1);
    director.from_client(ack());
    if (c.method == kNat && !c.is_reset) {
      director.from_server(tcp4("10.1.0.1:80", kClient).fin().ack());
    } else {
      director.from_client(c.is_reset ? rst() : fin());
    }
    CHECK(server_of(director.from_client(syn())) == (c.is_anew ? 2 : 1));
    CHECK(director->connection_count() == 1);
  }
}

TEST_CASE("a draining service keeps its connections; new ones go to the host") {
  TestDirector director;
  ServiceSpec spec = tcp_service(kVip, {dr("10.1.0.1:80")});
  director.publish({spec});
  director.from_client(syn());
  spec.is_draining = true;
  director.publish({spec});
  CHECK(server_of(director.from_client(ack())) == 1);
  CHECK(director.from_client(syn("172.16.0.1:9")).verdict == Verdict::kToHost);
}

TEST_CASE("a server that is this machine: counted as a connection, packets to the host as they are") {
  TestDirector director;
  director.local_addresses.push_back("10.1.0.1");
  director.publish_view();
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80")}), tcp_service("10.9.0.1:81", {nat("10.9.0.1:81")}),
                    tcp_service("10.9.0.1:82", {nat("127.0.0.1:82")})});
  CHECK(director.counters(0, 0).is_local);
  for (const std::string at : {"10.9.0.1:80", "10.9.0.1:81"}) {
    const Packet packet = tcp4(kClient, at).syn();
    const Seen seen = director.from_client(packet);
    CHECK(seen.verdict == Verdict::kToHost);
    CHECK(seen.bytes == packet.bytes());
  }
  CHECK(director.counters(0, 0).active == 1);
  CHECK(director.counters(0, 0).traffic.in_packets == 1);
  // The address moves to another machine: new connections go there.
  director.local_addresses.pop_back();
  director.publish_view();
  CHECK_FALSE(director.counters(0, 0).is_local);
  CHECK(server_of(director.from_client(syn("172.16.0.1:2"))) == 1);
}

TEST_CASE("a server that is this machine behind NAT: translated for the host's stack, and its replies back") {
  struct Row {
    std::string client, vip, server, router, own;
  };
  const Row rows[] = {{"172.16.0.1:10000", "10.9.0.1:80", "172.16.255.1:8080", "172.16.0.77", "172.16.255.1"},
                      {"[fd16::1]:10000", "[fd09::1]:80", "[fd16::ffff]:8080", "fd16::77", "fd16::ffff"}};
  for (const Row& row : rows) {
    const bool is_ipv4 = row.own.find(':') == std::string::npos;
    const auto tcp = [&](const std::string& from, const std::string& to) { return is_ipv4 ? tcp4(from, to) : tcp6(from, to); };
    const auto udp = [&](const std::string& from, const std::string& to) { return is_ipv4 ? udp4(from, to) : udp6(from, to); };
    TestDirector director;
    director.publish({tcp_service(row.vip, {nat(row.server)}), udp_service(row.vip, {nat(row.server)})});
    REQUIRE(director.counters(0, 0).is_local);
    const Seen request = director.from_client(tcp(row.client, row.vip).syn().payload(10));
    CHECK(request.verdict == Verdict::kToHost);
    // As if the client had sent it there: same MACs, same TTL, good checksums.
    CHECK(request.bytes == tcp(row.client, row.server).syn().payload(10).bytes());
    const Seen reply = director.from_client(tcp(row.server, row.client).syn().ack());
    CHECK(reply.verdict == Verdict::kForward);
    CHECK(reply.ifindex == TestDirector::kClientLink);
    CHECK(reply.packet.source == endpoint(row.vip).address);
    CHECK(reply.packet.source_port == 80);
    director.from_client(tcp(row.client, row.vip).ack());
    CHECK(state_of(director) == TcpState::kEstablished);
    CHECK(director.counters(0, 0).traffic.in_packets == 2);
    CHECK(director.counters(0, 0).traffic.out_packets == 1);

    // The host's own error about what was sent on to it leaves in the service's name; any other from an address of ours
    // is nobody's.
    director.from_client(udp(row.client, row.vip).payload(10));
    const Packet sent_on = udp(row.client, row.server).payload(10);
    const std::string client_address = is_ipv4 ? "172.16.0.1" : "fd16::1";
    const auto refused_by = [&](const std::string& from) {
      return director.from_client(is_ipv4 ? icmp4(from, client_address).icmp(3, 3).quote(sent_on)
                                          : icmp6(from, client_address).icmp(1, 4).quote(sent_on));
    };
    const Seen refusal = refused_by(row.own);
    CHECK(refusal.verdict == Verdict::kForward);
    CHECK(refusal.ifindex == TestDirector::kClientLink);
    CHECK(refusal.packet.quoted.destination == endpoint(row.vip).address);
    CHECK(refusal.packet.quoted.destination_port == 80);
    CHECK(refused_by(is_ipv4 ? "10.9.0.1" : "fd09::1").reason == DropReason::kOwnSource);

    // Path MTU discovery of the host's own stack.
    const Packet quoted = tcp(row.vip, row.client).ack().payload(1300);
    const std::string vip_address = is_ipv4 ? "10.9.0.1" : "fd09::1";
    const Seen error = director.from_client(is_ipv4 ? icmp4(row.router, vip_address).icmp(3, 4, 1280).quote(quoted, 576)
                                                    : icmp6(row.router, vip_address).icmp(2, 0, 1280).quote(quoted));
    CHECK(error.verdict == Verdict::kToHost);
    CHECK(error.packet.destination == address(row.own));
    CHECK(error.packet.quoted.source_port == 8080);

    // Fragments, the later one first.
    Packet datagram = udp(row.client, row.vip).payload(2000).identification(7);
    director.send(Packet(datagram).fragment(1400, 608), TestDirector::kClientLink);
    const std::vector<Seen> parts = director.send(Packet(datagram).fragment(0, 1400), TestDirector::kClientLink);
    REQUIRE(parts.size() == 2);
    for (const Seen& part : parts) {
      CHECK(part.verdict == Verdict::kToHost);
      CHECK(part.packet.destination == address(row.own));
    }
  }
}

TEST_CASE("one-packet scheduling: every datagram anew, nothing stays, in NAT too") {
  TestDirector director;
  ServiceSpec spec = udp_service("10.9.0.1:53", {nat("10.1.0.1:5353"), dr("10.1.0.2:53")});
  spec.is_one_packet = true;
  director.publish({spec});
  const Packet packet = udp4(kClient, "10.9.0.1:53").payload(20);
  const Seen first = director.from_client(packet);
  CHECK(server_of(first) == 1);
  CHECK(first.packet.destination_port == 5353);
  CHECK(server_of(director.from_client(packet)) == 2);
  CHECK(server_of(director.from_client(packet)) == 1);
  CHECK(director->connection_count() == 0);
  CHECK(director.connections().empty());
  CHECK(director.counters(0, 0).inactive == 0);
  CHECK(director.counters(0, 0).traffic.connections == 2);
  CHECK(director.from_server(udp4("10.1.0.1:5353", kClient)).verdict == Verdict::kToHost);
}

TEST_CASE("TTL 1 and no route: answered, dropped, with their reasons") {
  TestDirector director;
  director.publish({tcp_service(kVip, {nat("10.1.0.1:80")})});
  const Seen seen = director.from_client(syn().ttl(1));
  CHECK(seen.verdict == Verdict::kAnswer);
  CHECK(seen.bytes[34] == 11);
  CHECK(seen.packet.source == address("172.16.255.1"));  // the director's own, not the service's
  CHECK(seen.packet.quoted.destination == address("10.9.0.1"));
  director.has_server_route = false;
  director.publish_view();
  CHECK(director.from_client(ack()).reason == DropReason::kNoRoute);
  director.has_server_route = true;
  director.publish_view();
  CHECK(director.from_client(ack()).verdict == Verdict::kForward);
}

TEST_CASE("traffic counts at the IP layer, for the service and the server, in both directions") {
  TestDirector director;
  director.publish({tcp_service(kVip, {nat("10.1.0.1:80")})});
  director.from_client(syn());                                           // 40 bytes
  director.from_server(tcp4("10.1.0.1:80", kClient).syn().ack());        // 40
  director.from_client(ack().payload(100));                              // 140
  director.from_server(tcp4("10.1.0.1:80", kClient).ack().payload(1000)); // 1040
  const Traffic traffic = director.counters(0, 0).traffic;
  CHECK(traffic.connections == 1);
  CHECK(traffic.in_packets == 2);
  CHECK(traffic.in_bytes == 180);
  CHECK(traffic.out_packets == 2);
  CHECK(traffic.out_bytes == 1080);
  const Traffic service = director->tables().service_traffic(director->tables().newest().services[0]->slot);
  CHECK(service.in_bytes == 180);
  CHECK(service.out_packets == 2);
  CHECK(director.verdicts(Verdict::kForward) + director.verdicts(Verdict::kHeld) == 6);  // two waited, then went
}

TEST_CASE("invalid frames are dropped with the parser's reason") {
  TestDirector director;
  director.publish({tcp_service(kVip, {nat("10.1.0.1:80")})});
  Octets bytes = syn().bytes();
  bytes.resize(20);
  OwnedFrame frame(bytes);
  Batch batch;
  batch.count = 1;
  batch.frames[0] = frame;
  director->process(batch, director.now);
  CHECK(batch.frames[0].verdict == Verdict::kDrop);
  CHECK(batch.frames[0].drop_reason == DropReason::kTruncatedHeader);
  CHECK(director.drops(DropReason::kTruncatedHeader) == 1);
}

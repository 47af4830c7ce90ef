// When there is no room: in the connection table, in the map of expected replies, and for replies that another connection
// already expects. Who gives way, who never does, who is refused; in both families, by NAT and by DR.
#include <doctest/doctest.h>

#include "core/flow/tcp_state.h"
#include "core/path/room.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr uint32_t kRoom = 64;

// Clients by number, each with one connection to a service.
struct World {
  explicit World(ForwardingMethod method, bool is_ipv6 = false, const Scheduler* scheduler = scheduler_named("rr"),
                 size_t reply_buckets = 1024)
      : method(method), is_ipv6(is_ipv6), director(kRoom, reply_buckets) {
    std::vector<ServiceSpec> services;
    for (const bool is_other_family : {false, true}) {
      const bool is_six = is_ipv6 != is_other_family;
      for (const std::string port : {":80", ":53"}) {
        const std::string net = is_six ? "[fd01::" : "10.1.0.", end = is_six ? "]" : "";
        std::vector<DestinationSpec> servers = {server(net + "1" + end + port, method), server(net + "2" + end + port, method)};
        services.push_back((port == ":80" ? tcp_service : udp_service)((is_six ? "[fd09::1]" : "10.9.0.1") + port, servers, scheduler));
      }
    }
    director.publish(services);
  }

  Endpoint client(uint32_t number, bool is_six) const {
    return endpoint((is_six ? "[fd16::" : "172.16.0.") + std::to_string(1 + number / 100) + (is_six ? "]:" : ":") +
                    std::to_string(1000 + number % 100));
  }
  Packet to_service(uint8_t protocol, uint32_t number, bool is_other_family = false) const {
    const bool is_six = is_ipv6 != is_other_family;
    const std::string port = protocol == kProtocolTcp ? ":80" : ":53";
    return Packet(protocol, client(number, is_six), endpoint((is_six ? "[fd09::1]" : "10.9.0.1") + port));
  }
  Seen syn(uint32_t number, bool is_other_family = false) {
    return director.from_client(to_service(kProtocolTcp, number, is_other_family).syn());
  }
  Seen ack(uint32_t number) { return director.from_client(to_service(kProtocolTcp, number).ack()); }
  Seen rst(uint32_t number) { return director.from_client(to_service(kProtocolTcp, number).rst().ack()); }
  Seen udp(uint32_t number) { return director.from_client(to_service(kProtocolUdp, number)); }
  // By NAT the answer of the server that got `request`.
  void answer(const Seen& request) {
    if (method != ForwardingMethod::kNat || request.verdict != Verdict::kForward) return;
    const ParsedPacket& packet = request.packet;
    Packet reply(packet.protocol, {packet.family, packet.destination, packet.destination_port},
                 {packet.family, packet.source, packet.source_port});
    director.from_server(packet.protocol == kProtocolTcp ? reply.syn().ack() : reply);
  }
  void connect(uint32_t number) {
    answer(syn(number));
    ack(number);
  }
  void flood(uint32_t count, bool is_other_family = false) {
    for (uint32_t i = 0; i < count; i++) syn(10'000 + flooded++, is_other_family);
  }
  uint64_t events(FlowEvent event) { return director->counters().flow_events[static_cast<size_t>(event)]; }

  ForwardingMethod method;
  bool is_ipv6;
  TestDirector director;
  uint32_t flooded = 0;
};

template <typename Body>
void for_all(Body body) {
  for (const ForwardingMethod method : {ForwardingMethod::kNat, ForwardingMethod::kDirectRoute}) {
    for (const bool is_ipv6 : {false, true}) {
      CAPTURE(method);
      CAPTURE(is_ipv6);
      body(method, is_ipv6);
    }
  }
}

}  // namespace

TEST_CASE("a flood of SYNs shuts nobody out: new clients connect through it, and stay") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6);
    for (uint32_t client = 0; client < 20; client++) {
      world.flood(3 * kRoom);
      const Seen opening = world.syn(client);
      CHECK(opening.verdict == Verdict::kForward);
      world.answer(opening);
      world.flood(10);  // the handshake takes a while
      CHECK(world.ack(client).verdict == Verdict::kForward);
    }
    world.flood(10 * kRoom);
    for (uint32_t client = 0; client < 20; client++) CHECK(world.ack(client).verdict == Verdict::kForward);
    CHECK(world.director.verdicts(Verdict::kDrop) == 0);
    CHECK(world.director->connection_count() == kRoom);
    CHECK(world.events(FlowEvent::kUnconfirmedGaveWay) > 60 * kRoom);
    CHECK((world.director->take_reached_limits() & 1u << static_cast<unsigned>(Limit::kUnconfirmed)) != 0);
  });
}

TEST_CASE("the unconfirmed fill three quarters at most; the rest is for those who are confirmed") {
  World world(ForwardingMethod::kDirectRoute);
  world.flood(10 * kRoom);
  CHECK(world.director->connection_count() == kRoom - kRoom / Room::kReservedShare);
}

TEST_CASE("by NAT a blind ACK confirms nothing; by DR it does") {
  for (const ForwardingMethod method : {ForwardingMethod::kNat, ForwardingMethod::kDirectRoute}) {
    World world(method);
    for (uint32_t client = 0; client < kRoom; client++) {
      world.syn(client);
      world.ack(client);
    }
    const bool is_shut_out = world.syn(500).verdict == Verdict::kDrop;
    CHECK(is_shut_out == (method == ForwardingMethod::kDirectRoute));
    CHECK(world.director.drops(DropReason::kConnectionTableFull) == (is_shut_out ? 1 : 0));
  }
}

TEST_CASE("one datagram confirms nothing, answered or not; the next one does, by NAT after an answer") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6);
    for (uint32_t client = 0; client < 2 * kRoom; client++) world.answer(world.udp(100 + client));
    CHECK(world.events(FlowEvent::kUnconfirmedGaveWay) > kRoom);
    world.answer(world.udp(0));
    world.udp(0);
    const int mine = server_of(world.udp(0));
    world.flood(10 * kRoom);
    CHECK(server_of(world.udp(0)) == mine);
    CHECK(world.director->connection_count() <= kRoom);
  });
}

TEST_CASE("closed connections give way when nobody is unconfirmed; confirmed ones never do") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6);
    for (uint32_t client = 0; client < kRoom; client++) world.connect(client);
    CHECK(world.syn(500).reason == DropReason::kConnectionTableFull);
    CHECK((world.director->take_reached_limits() & 1u << static_cast<unsigned>(Limit::kConnections)) != 0);
    world.rst(7);
    CHECK(world.syn(501).verdict == Verdict::kForward);
    CHECK(world.events(FlowEvent::kClosedGaveWay) == 1);
    for (uint32_t client = 0; client < kRoom; client++) {
      if (client != 7) CHECK(world.ack(client).verdict == Verdict::kForward);
    }
    CHECK(world.director->connection_count() == kRoom);
  });
}

TEST_CASE("the limit is one for both families: a flood by the one makes room for the other") {
  for (const bool is_ipv6 : {false, true}) {
    World world(ForwardingMethod::kDirectRoute, is_ipv6);
    world.flood(4 * kRoom, true);
    for (uint32_t client = 0; client < 30; client++) world.connect(client);
    for (uint32_t client = 0; client < 30; client++) CHECK(world.ack(client).verdict == Verdict::kForward);
    CHECK(world.director.verdicts(Verdict::kDrop) == 0);
  }
}

TEST_CASE("a hash scheduler under DR does without a record while all others are confirmed, and gets one when there is room") {
  for (const bool is_ipv6 : {false, true}) {
    World world(ForwardingMethod::kDirectRoute, is_ipv6, scheduler_named("sh"));
    for (uint32_t client = 0; client < kRoom; client++) world.connect(client);
    const int chosen = server_of(world.syn(200));
    CHECK(chosen != 0);
    for (int i = 0; i < 3; i++) CHECK(server_of(world.ack(200)) == chosen);
    CHECK(world.director->connection_count() == kRoom);
    CHECK(world.events(FlowEvent::kForwardedWithoutRecord) == 4);
    world.director.wait(905);  // the others are gone; one minute less, and so would be the allowance
    CHECK(world.director->connection_count() == 0);
    CHECK(world.ack(200).verdict == Verdict::kToHost);
    world.connect(0);

    for (uint32_t client = 1; client < kRoom; client++) world.connect(client);
    CHECK(server_of(world.syn(200)) == chosen);
    world.rst(5);
    CHECK(server_of(world.ack(200)) == chosen);
    CHECK(world.director->connection_count() == kRoom);
    CHECK(world.director.verdicts(Verdict::kDrop) == 0);
  }
  World by_nat(ForwardingMethod::kNat, false, scheduler_named("sh"));
  for (uint32_t client = 0; client < kRoom; client++) by_nat.connect(client);
  CHECK(by_nat.syn(200).reason == DropReason::kConnectionTableFull);
}

TEST_CASE("the ACK of a half-open connection that gave way goes where its SYN went, with a hash scheduler under DR") {
  World world(ForwardingMethod::kDirectRoute, false, scheduler_named("sh"));
  const int chosen = server_of(world.syn(3));
  world.flood(4 * kRoom);
  CHECK(server_of(world.ack(3)) == chosen);
}

TEST_CASE("a full map of expected replies: the unconfirmed give way, the confirmed stay") {
  World world(ForwardingMethod::kNat, false, scheduler_named("rr"), 4);  // 16 places
  for (uint32_t client = 0; client < 4; client++) world.connect(client);
  world.flood(10 * kRoom);
  CHECK(world.director.drops(DropReason::kReplyMapFull) < 20);  // both buckets of a key may be full of others
  for (uint32_t client = 0; client < 4; client++) CHECK(world.ack(client).verdict == Verdict::kForward);

  TestDirector director(10, 1);
  director.publish({tcp_service("10.9.0.1:81", {nat("10.1.0.1:81")})});
  for (int client = 0; client < 6; client++) {
    const Packet packet = tcp4("172.16.0.1:" + std::to_string(1000 + client), "10.9.0.1:81");
    director.from_client(Packet(packet).syn());
    director.from_server(tcp4("10.1.0.1:81", "172.16.0.1:" + std::to_string(1000 + client)).syn().ack());
    director.from_client(Packet(packet).ack());
  }
  CHECK(director.drops(DropReason::kReplyMapFull) == 2);
  CHECK(director->take_reached_limits() == 1u << static_cast<unsigned>(Limit::kReplyMap));
  CHECK(director->take_reached_limits() == 0);
}

TEST_CASE("replies that another connection expects: a closed one gives way, then another server is tried, then it is refused") {
  for (const bool is_ipv6 : {false, true}) {
    const auto at = [&](int host, const std::string& port) {
      return (is_ipv6 ? "[fd01::" : "10.1.0.") + std::to_string(host) + (is_ipv6 ? "]" : "") + port;
    };
    const std::string vip = is_ipv6 ? "[fd09::1]" : "10.9.0.1", client = is_ipv6 ? "[fd16::1]:1000" : "172.16.0.1:1000";
    const auto packet = [&](const std::string& port) { return Packet(kProtocolTcp, endpoint(client), endpoint(vip + port)); };
    for (const Scheduler* scheduler : {scheduler_named("rr"), scheduler_named("wrr"),
                                        scheduler_named("lc"), scheduler_named("wlc")}) {
      CAPTURE(scheduler->name);
      TestDirector director;
      director.publish({tcp_service(vip + ":80", {nat(at(1, ":80"))}),
                        tcp_service(vip + ":81", {nat(at(1, ":80")), nat(at(2, ":80"))}, scheduler),
                        tcp_service(vip + ":82", {nat(at(1, ":80")), nat(at(2, ":80"))}, scheduler)});
      CHECK(server_of(director.from_client(packet(":80").syn())) == 1);
      CHECK(server_of(director.from_client(packet(":81").syn())) == 2);
      CHECK(director.from_client(packet(":82").syn()).reason == DropReason::kReplyTupleTaken);
      CHECK(director->connection_count() == 2);
      CHECK(director.counters(2, 0).traffic.connections + director.counters(2, 1).traffic.connections == 0);

      director.from_client(packet(":80").rst().ack());
      director.from_server(Packet(kProtocolTcp, endpoint(at(1, ":80")), endpoint(client)).rst());  // CLOSE
      CHECK(server_of(director.from_client(packet(":82").syn())) == 1);
      CHECK(director->connection_count() == 2);
      CHECK(director.counters(0, 0).active + director.counters(0, 0).inactive == 0);
      // What the server says is the new connection's.
      const Seen reply = director.from_server(Packet(kProtocolTcp, endpoint(at(1, ":80")), endpoint(client)).syn().ack());
      CHECK(reply.packet.source_port == 82);
    }
  }
}

TEST_CASE("replies in TIME_WAIT give way, too; those of datagrams don't") {
  TestDirector director;
  director.publish({tcp_service("10.9.0.1:80", {nat("10.1.0.1:80")}), tcp_service("10.9.0.1:81", {nat("10.1.0.1:80")}),
                    udp_service("10.9.0.1:53", {nat("10.1.0.1:53")}), udp_service("10.9.0.1:54", {nat("10.1.0.1:53")})});
  const std::string client = "172.16.0.1:1000";
  director.from_client(tcp4(client, "10.9.0.1:80").syn());
  director.from_server(tcp4("10.1.0.1:80", client).syn().ack());
  director.from_client(tcp4(client, "10.9.0.1:80").ack());
  CHECK(director.from_client(tcp4(client, "10.9.0.1:81").syn()).reason == DropReason::kReplyTupleTaken);
  director.from_server(tcp4("10.1.0.1:80", client).fin().ack());
  director.from_client(tcp4(client, "10.9.0.1:80").fin().ack());
  CHECK(director.connections()[0].state == static_cast<uint8_t>(TcpState::kTimeWait));
  CHECK(director.from_client(tcp4(client, "10.9.0.1:81").syn()).verdict == Verdict::kForward);
  CHECK(director->connection_count() == 1);
  director.from_client(udp4(client, "10.9.0.1:53"));
  CHECK(director.from_client(udp4(client, "10.9.0.1:54")).reason == DropReason::kReplyTupleTaken);
}

// Persistence: which server a client's next connections have, for how long, and what ends that; in both families, by NAT
// and by DR, TCP and UDP. What templates count, and how they give way.
#include <doctest/doctest.h>

#include <set>

#include "core/flow/tcp_state.h"
#include "core/path/connection_snapshot.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr uint32_t kPersistence_s = 30;

struct Servers {
  uint32_t weight = 1;  // of the first
  bool is_removed = false, has_first = true;
  uint32_t upper_threshold = 0;  // of all
};

// Servers 1, 2 and 3 under rr: without persistence each connection would have another one.
struct World {
  World(ForwardingMethod method, bool is_ipv6, uint8_t protocol, uint32_t connections = 256)
      : method(method), is_ipv6(is_ipv6), protocol(protocol), director(connections) {
    publish();
  }

  std::vector<ServiceSpec> services(const Servers& servers = {}) const {
    const std::string port = is_every_port ? ":0" : ":80";
    std::vector<DestinationSpec> list;
    for (const int number : {1, 2, 3}) {
      if (number == 1 && !servers.has_first) continue;
      DestinationSpec made = server(host("01", number) + port, method, number == 1 ? servers.weight : 1);
      made.is_removed = number == 1 && servers.is_removed;
      made.upper_threshold = servers.upper_threshold;
      list.push_back(made);
    }
    ServiceSpec spec = service(protocol, host("09", 1) + port, list);
    spec.persistence_timeout_s = kPersistence_s;
    spec.persistence_prefix = prefix != 0 ? prefix : is_ipv6 ? 128 : 32;
    spec.is_one_packet = is_one_packet;
    std::vector<ServiceSpec> all = {spec};
    if (has_other_service) all.push_back(service(protocol, host("09", 1) + ":443", {server(host("01", 9) + ":443", method)}));
    return all;
  }
  void publish(const Servers& servers = {}) { director.publish(services(servers), policy); }

  std::string host(const std::string& net, int number) const {
    const std::string last = std::to_string(number);
    if (is_ipv6) return "[fd" + net + "::" + last + "]";
    return (net == "01" ? "10.1.0." : net == "09" ? "10.9.0." : "172.16.0.") + last;
  }
  Packet packet(int client, int port, int to = 80) const {
    return Packet(protocol, endpoint(host("16", client) + ":" + std::to_string(1000 + port)),
                  endpoint(host("09", 1) + ":" + std::to_string(to)));
  }
  // The server that a new connection of the client gets.
  int open(int client, int port, int to = 80) {
    const Packet first = packet(client, port, to);
    return server_of(director.from_client(protocol == kProtocolTcp ? packet(client, port, to).syn() : first));
  }
  // A connection that is confirmed: answered where answers are seen, and heard again.
  int connect(int client, int port, int to = 80) {
    const int chosen = open(client, port, to);
    if (method == ForwardingMethod::kNat) {
      Packet reply(protocol, endpoint(host("01", chosen) + ":" + std::to_string(to)),
                   endpoint(host("16", client) + ":" + std::to_string(1000 + port)));
      const Seen seen = director.from_server(protocol == kProtocolTcp ? reply.syn().ack() : reply);
      CHECK(seen.verdict == Verdict::kForward);
      CHECK(seen.packet.source == address(is_ipv6 ? "fd09::1" : "10.9.0.1"));
      CHECK(seen.packet.source_port == to);
    }
    CHECK(server_of(director.from_client(protocol == kProtocolTcp ? packet(client, port, to).ack() : packet(client, port, to))) == chosen);
    return chosen;
  }
  // TCP: RST; UDP has no end but time.
  void end(int client, int port) {
    if (protocol == kProtocolTcp) director.from_client(packet(client, port).rst().ack());
  }
  std::vector<ConnectionView> templates() {
    std::vector<ConnectionView> found = director.connections();
    std::erase_if(found, [](const ConnectionView& view) { return !view.is_template; });
    return found;
  }
  uint32_t persistent() {
    uint32_t sum = 0;
    const Service& published = *director->tables().newest().services[0];
    for (const Destination& one : published.destinations) sum += director->tables().destination_counters(one.slot).persistent;
    return sum;
  }

  ForwardingMethod method;
  bool is_ipv6;
  uint8_t protocol;
  uint8_t prefix = 0;
  bool is_every_port = false, has_other_service = false, is_one_packet = false;
  Policy policy;
  TestDirector director;
};

template <typename Body>
void for_all(Body body) {
  for (const ForwardingMethod method : {ForwardingMethod::kNat, ForwardingMethod::kDirectRoute}) {
    for (const bool is_ipv6 : {false, true}) {
      for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp}) {
        CAPTURE(method);
        CAPTURE(is_ipv6);
        CAPTURE(protocol);
        body(method, is_ipv6, protocol);
      }
    }
  }
}

}  // namespace

TEST_CASE("a client's connections all have its first one's server; another client has its own") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    for (int port = 0; port < 4; port++) {
      CHECK(world.open(1, port) == 1);
      CHECK(world.open(2, port) == 2);
      CHECK(world.open(3, port) == 3);
    }
    CHECK(world.persistent() == 3);
    CHECK(world.templates().size() == 3);
    CHECK(world.director->connection_count() == 15);
  });
}

TEST_CASE("a template is listed as the kernel lists it: port 0, the service's port, NONE until it is assured") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    world.open(1, 0);
    ConnectionView view = world.templates().at(0);
    CHECK(view.protocol == protocol);
    CHECK(view.client == address(is_ipv6 ? "fd16::1" : "172.16.0.1"));
    CHECK(view.client_port == 0);
    CHECK(view.virtual_port == 80);
    CHECK(view.destination_port == 80);
    CHECK(view.state == 0);
    CHECK(!view.is_assured);
    CHECK(view.expires_ms / 1000 == kPersistence_s);
    world.connect(1, 1);
    // A datagram's answer is seen by NAT only.
    CHECK(world.templates().at(0).is_assured == (protocol == kProtocolTcp || method == ForwardingMethod::kNat));
  });
}

TEST_CASE("all of a network are one client") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    world.prefix = is_ipv6 ? 120 : 27;
    world.publish();
    for (int client = 1; client < 32; client++) CHECK(world.open(client, 0) == 1);
    if (!is_ipv6) CHECK(world.open(32, 0) == 2);
    const ConnectionView view = world.templates().front();
    CHECK(view.client == address(is_ipv6 ? "fd16::" : "172.16.0.0"));
    // The bits that count end within a byte.
    World odd(method, is_ipv6, protocol);
    odd.prefix = is_ipv6 ? 127 : 31;
    odd.publish();
    CHECK(odd.open(2, 0) == 1);
    CHECK(odd.open(3, 0) == 1);
    CHECK(odd.open(4, 0) == 2);
    CHECK(odd.open(1, 0) == 3);
  });
}

TEST_CASE("it lasts for the timeout after the last connection began, and while one lives, by a minute at a time") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    world.policy.udp_timeout_s = 20;
    world.publish();
    CHECK(world.connect(1, 0) == 1);
    world.end(1, 0);  // CLOSE: 10 s
    world.director.wait(21);
    CHECK(world.connect(1, 1) == 1);  // 30 s more
    world.end(1, 1);
    world.director.wait(29);
    CHECK(world.templates().size() == 1);
    world.director.wait(2);
    CHECK(world.templates().empty());
    CHECK(world.open(1, 2) == 2);
    CHECK(world.persistent() == 1);

    if (protocol != kProtocolTcp) return;
    World living(method, is_ipv6, protocol);
    CHECK(living.connect(5, 0) == 1);
    living.director.wait(31);
    CHECK(living.templates().size() == 1);  // its connection lives
    CHECK(living.templates().at(0).expires_ms / 1000 >= 58);
    living.end(5, 0);
    living.director.wait(58);
    CHECK(living.templates().size() == 1);
    living.director.wait(3);
    CHECK(living.templates().empty());
    CHECK(living.director->connection_count() == 0);
    CHECK(living.persistent() == 0);
  });
}

TEST_CASE("a new connection never shortens what is left") {
  World world(ForwardingMethod::kDirectRoute, false, kProtocolTcp);
  world.connect(1, 0);
  world.director.wait(31);
  const uint32_t left_ms = world.templates().at(0).expires_ms;
  CHECK(left_ms > 55'000);
  world.open(1, 1);
  CHECK(world.templates().at(0).expires_ms + 500 > left_ms);
}

TEST_CASE("a server that is gone or removed is left at once, and what bound to it is listed aside until it ends") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    for (const bool is_gone : {false, true}) {
      World world(method, is_ipv6, protocol);
      CHECK(world.open(1, 0) == 1);
      world.publish({.weight = 0, .is_removed = !is_gone, .has_first = !is_gone});
      const int other = world.open(1, 1);
      CHECK((other == 2 || other == 3));
      CHECK(world.open(1, 2) == other);
      REQUIRE(world.templates().size() == 2);
      int aside = 0;
      for (const ConnectionView& view : world.templates()) {
        if (view.virtual_port != 0xffff) continue;
        aside++;
        CHECK(view.destination_port == 0xffff);
      }
      CHECK(aside == 1);
      // It comes back, and the client stays where it went.
      world.publish();
      CHECK(world.open(1, 3) == other);
      for (int i = 0; i < 3; i++) world.director.wait(500);
      CHECK(world.director->connection_count() == 0);
      CHECK(world.persistent() == 0);
    }
  });
}

TEST_CASE("a quiesced server keeps its clients, unless expire_quiescent_template is on") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    CHECK(world.open(1, 0) == 1);
    world.publish({.weight = 0});
    CHECK(world.open(1, 1) == 1);
    CHECK(world.open(9, 1) != 1);
    world.policy.expire_quiescent_template = true;
    world.publish({.weight = 0});
    const int other = world.open(1, 2);
    CHECK((other == 2 || other == 3));
    CHECK(world.open(1, 3) == other);
  });
}

TEST_CASE("templates count for the thresholds, and an overloaded server keeps its clients") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    world.publish({.upper_threshold = 2});
    CHECK(world.open(1, 0) == 1);  // with its template two
    CHECK(world.director.counters(0, 0).is_overloaded);
    CHECK(world.open(2, 0) == 2);
    CHECK(world.open(3, 0) == 3);
    CHECK(server_of(world.director.from_client(protocol == kProtocolTcp ? world.packet(4, 0).syn() : world.packet(4, 0))) == 0);
    CHECK(world.open(1, 1) == 1);
  });
}

TEST_CASE("a service of every port takes those that are nobody else's, and a client's ports share one server") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    world.is_every_port = world.has_other_service = true;
    world.publish();
    CHECK(world.connect(1, 0, 80) == 1);
    CHECK(world.connect(1, 0, 8080) == 1);
    CHECK(world.connect(1, 7, 65535) == 1);
    CHECK(world.connect(2, 0, 8080) == 2);
    CHECK(world.connect(2, 0, 443) == 9);
    const auto views = world.templates();
    REQUIRE(views.size() == 2);
    CHECK(views[0].virtual_port == 0);
    CHECK(views[0].destination_port == 0);
    std::set<uint16_t> ports;
    for (const ConnectionView& view : world.director.connections()) {
      if (!view.is_template) ports.insert(view.destination_port);
    }
    CHECK(ports == std::set<uint16_t>{80, 8080, 65535, 443});
  });
}

TEST_CASE("a client at port 0 is not taken for a template") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol);
    CHECK(world.open(1, 0) == 1);
    CHECK(world.open(1, -1000) == 1);
    CHECK(world.director->connection_count() == 3);
  });
}

TEST_CASE("packets that are scheduled one by one follow their client's template") {
  for (const bool is_ipv6 : {false, true}) {
    World world(ForwardingMethod::kDirectRoute, is_ipv6, kProtocolUdp);
    world.is_one_packet = true;
    world.publish();
    for (int i = 0; i < 3; i++) CHECK(world.open(1, i) == 1);
    CHECK(world.open(2, 0) == 2);
    CHECK(world.director->connection_count() == 2);  // the templates
    world.director.wait(31);
    CHECK(world.director->connection_count() == 0);
  }
}

TEST_CASE("a flood of new clients costs no confirmed one its connection or its server, and no new one its place") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol, 64);
    std::vector<int> servers;
    for (int client = 0; client < 10; client++) servers.push_back(world.connect(client, 0));
    for (int i = 0; i < 400; i++) CHECK(world.open(100 + i % 100, 1 + i / 100) != 0);
    CHECK(world.director->connection_count() <= 64);
    for (int client = 0; client < 10; client++) {
      CHECK(world.open(client, 50) == servers[static_cast<size_t>(client)]);
      CHECK(server_of(world.director.from_client(
                protocol == kProtocolTcp ? world.packet(client, 0).ack() : world.packet(client, 0))) ==
            servers[static_cast<size_t>(client)]);
    }
    CHECK(world.director.verdicts(Verdict::kDrop) == 0);
    world.director.wait(2000);
    world.director.wait(2000);
    CHECK(world.director->connection_count() == 0);
    CHECK(world.persistent() == 0);
  });
}

TEST_CASE("when all are confirmed a new client is refused, and leaves nothing behind; idle templates give way") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol, 20);
    for (int client = 0; client < 10; client++) world.connect(client, 0);
    const Seen refused = world.director.from_client(
        protocol == kProtocolTcp ? world.packet(50, 0).syn() : world.packet(50, 0));
    CHECK(refused.reason == DropReason::kConnectionTableFull);
    CHECK(world.director->connection_count() == 20);
    CHECK(world.persistent() == 10);
    // With a template, but without room for the connection, the template stays alone.
    for (int client = 0; client < 10; client++) world.end(client, 0);
    if (protocol == kProtocolUdp) return;
    world.director.wait(11);
    CHECK(world.director->connection_count() == 10);  // templates without connections
    for (int client = 60; client < 80; client++) CHECK(world.open(client, 0) != 0);
    CHECK(world.director->connection_count() <= 20);
  });
}

TEST_CASE("a director that takes connections up binds their clients as before, in whatever order they come") {
  for_all([](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    for (const bool is_reverse : {false, true}) {
      World before(method, is_ipv6, protocol), after(method, is_ipv6, protocol);
      for (const int client : {1, 2, 3}) before.connect(client, 0);
      before.end(3, 0);
      before.director.wait(11);
      std::vector<ConnectionView> arrived;
      for (const ConnectionView& view : before.director.connections()) {
        std::array<uint8_t, kSnapshotRowSize> row;
        encode_row(view, row);
        REQUIRE(decode_row(row, 0, arrived.emplace_back()));
      }
      if (is_reverse) std::ranges::reverse(arrived);
      const AdoptCounts counts = after.director->adopt_connections(arrived, after.director.now);
      CHECK(counts[static_cast<size_t>(AdoptOutcome::kAdopted)] == arrived.size());
      CHECK(after.director->connection_count() == before.director->connection_count());
      CHECK(after.persistent() == 3);
      const bool is_assured = protocol == kProtocolTcp || method == ForwardingMethod::kNat;
      for (const ConnectionView& view : after.templates()) {
        CHECK(view.is_assured == is_assured);
        CHECK(view.expires_ms < 20'000);
      }
      for (const int client : {3, 1, 2}) CHECK(after.open(client, 7) == client);
      after.director.wait(2000);
      after.director.wait(2000);
      CHECK(after.director->connection_count() == 0);
      CHECK(after.persistent() == 0);
    }
  });
}

TEST_CASE("without persistence there is no service of every port") {
  TestDirector director;
  ServiceSpec spec = tcp_service("10.9.0.1:0", {dr("10.1.0.1:0")});
  CHECK(director->tables().publish({.services = {spec}, .policy = {}}).error == PublishError::kEveryPort);
  spec.persistence_timeout_s = 1;
  CHECK(director->tables().publish({.services = {spec}, .policy = {}}).ok());
}

TEST_CASE("a sum of all: whatever clients, servers and time do, templates hold exactly while connections do") {
  uint64_t random = 11;
  const auto below = [&](uint64_t bound) {
    random = random * 6364136223846793005 + 1442695040888963407;
    return static_cast<int>((random >> 33) % bound);
  };
  for_all([&](ForwardingMethod method, bool is_ipv6, uint8_t protocol) {
    World world(method, is_ipv6, protocol, 40);
    for (int step = 0; step < 2000; step++) {
      switch (below(8)) {
        case 0:
          world.publish({.weight = static_cast<uint32_t>(below(2)), .is_removed = below(4) == 0, .has_first = below(3) != 0});
          break;
        case 1:
          world.director.wait(below(40));
          break;
        case 2:
          world.end(below(12), below(4));
          break;
        case 3:
          world.policy.expire_quiescent_template = below(2) == 0;
          world.policy.expire_nodest_conn = static_cast<NodestRule>(below(3));
          world.prefix = static_cast<uint8_t>((is_ipv6 ? 120 : 24) + below(9));
          break;
        default:
          world.open(below(12), below(4));
      }
      uint32_t templates = 0;
      for (const ConnectionView& view : world.templates()) templates += view.is_template;
      CHECK(world.director->connection_count() <= 40);
      CHECK(templates >= world.persistent());  // those of a server that is gone are in no row
    }
    world.publish();
    for (int i = 0; i < 4; i++) world.director.wait(2000);
    CHECK(world.director->connection_count() == 0);
    CHECK(world.persistent() == 0);
  });
}

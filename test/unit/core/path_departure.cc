// Connections whose server goes: quiesced, removed from the configuration, or gone from the table. Who stays, who is served
// elsewhere, from which packet on; in both families, by NAT and by DR.
#include <doctest/doctest.h>

#include "core/flow/tcp_state.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

// One service with servers 1 and 2; the client's connection is with 1, which then leaves.
struct World {
  enum Leaving { kQuiesced, kRemoved, kGone };

  World(ForwardingMethod method, bool is_ipv6 = false, Policy policy = {}) : method(method), is_ipv6(is_ipv6), policy(policy) {
    publish(1, false);
    request(udp());
    request(tcp(100).syn());
  }

  void publish(uint32_t weight, bool is_removed, bool has_first = true) {
    std::vector<ServiceSpec> services;
    for (const std::string port : {":80", ":53"}) {
      DestinationSpec first = server((is_ipv6 ? "[fd01::1]" : "10.1.0.1") + port, method, weight);
      first.is_removed = is_removed;
      std::vector<DestinationSpec> servers = {server((is_ipv6 ? "[fd01::2]" : "10.1.0.2") + port, method)};
      if (has_first) servers.insert(servers.begin(), first);
      services.push_back((port == ":80" ? tcp_service : udp_service)(vip() + port, servers, scheduler_named("rr")));
    }
    director.publish(services, policy);
  }
  void leave(Leaving how) { publish(0, how == kRemoved, how != kGone); }
  void comes_back() { publish(1, false); }

  std::string vip() const { return is_ipv6 ? "[fd09::1]" : "10.9.0.1"; }
  std::string client() const { return is_ipv6 ? "[fd16::1]:1000" : "172.16.0.1:1000"; }
  Packet udp() const { return Packet(kProtocolUdp, endpoint(client()), endpoint(vip() + ":53")); }
  Packet tcp(uint32_t sequence) const {
    return Packet(kProtocolTcp, endpoint(client()), endpoint(vip() + ":80")).sequence(sequence);
  }
  Packet from_first(uint8_t protocol) const {
    const std::string port = protocol == kProtocolTcp ? ":80" : ":53";
    return Packet(protocol, endpoint((is_ipv6 ? "[fd01::1]" : "10.1.0.1") + port), endpoint(client()));
  }
  // The server that gets the packet.
  int request(const Packet& packet) { return server_of(director.from_client(packet)); }
  bool is_nat() const { return method == ForwardingMethod::kNat; }

  ForwardingMethod method;
  bool is_ipv6;
  Policy policy;
  TestDirector director;
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

TEST_CASE("a SYN to a server that is gone opens a connection elsewhere, in any state; other packets wait for it") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    for (const bool is_established : {false, true}) {
      World world(method, is_ipv6);
      if (is_established) world.request(world.tcp(101).ack());
      world.leave(World::kGone);
      CHECK(world.director.from_client(world.tcp(101).ack()).reason == DropReason::kDestinationRemoved);
      CHECK(world.request(world.tcp(100).syn()) == 2);
      CHECK(world.request(world.tcp(101).ack()) == 2);
      CHECK(world.director->connection_count() == 2);
    }
    World world(method, is_ipv6);
    world.request(world.tcp(101).ack());
    world.leave(World::kGone);
    world.request(world.tcp(102).ack());
    world.comes_back();
    CHECK(world.request(world.tcp(103).ack()) == 1);
  });
}

TEST_CASE("a datagram to a server that is gone goes elsewhere at once") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6);
    world.leave(World::kGone);
    CHECK(world.request(world.udp()) == 2);
    world.comes_back();
    CHECK(world.request(world.udp()) == 2);
  });
}

TEST_CASE("a quiesced server keeps what is established; a SYN leaves it when the old connection closes, or never opened") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    for (const World::Leaving how : {World::kQuiesced, World::kRemoved}) {
      CAPTURE(how);
      World half_open(method, is_ipv6);
      half_open.leave(how);
      CHECK(half_open.request(half_open.tcp(100).syn()) == 1);  // sent again
      CHECK(half_open.request(half_open.tcp(7777).syn()) == 2);

      World established(method, is_ipv6);
      established.request(established.tcp(101).ack());
      established.leave(how);
      CHECK(established.request(established.tcp(7777).syn()) == 1);  // spoofed, perhaps
      CHECK(established.request(established.tcp(102).ack()) == 1);

      World closing(method, is_ipv6);
      closing.request(closing.tcp(101).ack());
      closing.leave(how);
      CHECK(closing.request(closing.tcp(102).fin().ack()) == 1);  // CLOSE_WAIT or FIN_WAIT
      CHECK(closing.request(closing.tcp(103).ack()) == 1);
      CHECK(closing.request(closing.tcp(7777).syn()) == 2);
    }
  });
}

TEST_CASE("a quiesced server keeps its datagrams") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6);
    world.leave(World::kQuiesced);
    for (int i = 0; i < 100; i++) {
      world.director.wait(10);
      CHECK(world.request(world.udp()) == 1);
    }
  });
}

TEST_CASE("datagrams leave a removed server: NAT after 5 s without an answer, DR at the latest one timeout after the removal") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World world(method, is_ipv6, {.udp_timeout_s = 30});
    if (world.is_nat()) world.director.from_server(world.from_first(kProtocolUdp));
    world.leave(World::kRemoved);
    double moved_after = 0;
    CHECK(world.request(world.udp()) == 1);
    for (; moved_after < 60 && world.request(world.udp()) == 1; moved_after += 0.5) world.director.wait(0.5);
    CHECK(moved_after >= (world.is_nat() ? 5 : 29));
    CHECK(moved_after <= (world.is_nat() ? 6 : 31));
  });
}

TEST_CASE("a removed server that answers keeps its datagrams; one that no longer does loses them") {
  World world(ForwardingMethod::kNat, false, {.udp_timeout_s = 30});
  world.leave(World::kRemoved);
  for (int i = 0; i < 20; i++) {
    CHECK(world.request(world.udp()) == 1);
    CHECK(world.director.from_server(world.from_first(kProtocolUdp)).verdict == Verdict::kForward);
    world.director.wait(20);  // seldom, but always answered
  }
  CHECK(world.request(world.udp()) == 1);
  world.director.wait(5.1);
  CHECK(world.request(world.udp()) == 2);
}

TEST_CASE("a client that comes again from one port leaves a removed server that says nothing") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    for (const bool is_established : {false, true}) {
      CAPTURE(is_established);
      World world(method, is_ipv6);
      if (is_established) world.request(world.tcp(101).ack());
      world.leave(World::kRemoved);
      world.director.wait(100 * is_established);
      const uint32_t sequence = is_established ? 7777 : 100;
      CHECK(world.request(world.tcp(sequence).syn()) == 1);
      world.director.wait(1);
      CHECK(world.request(world.tcp(sequence).syn()) == 2);
    }
    // A sign of life of either side: the connection is still one.
    World world(method, is_ipv6);
    world.request(world.tcp(101).ack());
    world.leave(World::kRemoved);
    for (int i = 0; i < 5; i++) {
      CHECK(world.request(world.tcp(7777).syn()) == 1);
      if (world.is_nat()) {
        world.director.from_server(world.from_first(kProtocolTcp).ack());
      } else {
        world.request(world.tcp(102).ack());
      }
      world.director.wait(1);
    }
  });
}

TEST_CASE("a SYN renews nothing with a removed server") {
  World world(ForwardingMethod::kDirectRoute, false, {.tcp_timeout_s = 30, .udp_timeout_s = 5});
  world.request(world.tcp(101).ack());
  world.leave(World::kRemoved);
  world.director.wait(20);
  CHECK(world.request(world.tcp(7777).syn()) == 1);
  world.director.wait(9);
  CHECK(world.director->connection_count() == 1);
  world.director.wait(2);
  CHECK(world.director->connection_count() == 0);
}

TEST_CASE("expire_nodest_conn 0 and 1: the kernel's rules") {
  for_all([](ForwardingMethod method, bool is_ipv6) {
    World keep(method, is_ipv6, {.udp_timeout_s = 30, .expire_nodest_conn = NodestRule::kKeep});
    keep.request(keep.tcp(101).ack());
    keep.leave(World::kGone);
    CHECK(keep.director.from_client(keep.tcp(7777).syn()).reason == DropReason::kDestinationRemoved);
    CHECK(keep.director.from_client(keep.udp()).reason == DropReason::kDestinationRemoved);
    keep.director.wait(29);
    CHECK(keep.request(keep.udp()) == 0);
    keep.director.wait(2);
    CHECK(keep.request(keep.udp()) == 2);

    World expire(method, is_ipv6, {.expire_nodest_conn = NodestRule::kExpire});
    expire.request(expire.tcp(101).ack());
    expire.leave(World::kRemoved);
    CHECK(expire.request(expire.tcp(102).ack()) == 1);
    CHECK(expire.request(expire.udp()) == 2);
    CHECK(expire.request(expire.tcp(7777).syn()) == 2);
  });
}

TEST_CASE("a removed service's datagrams run out, though the client never stops") {
  World world(ForwardingMethod::kDirectRoute, false, {.udp_timeout_s = 30});
  DestinationSpec first = dr("10.1.0.1:53");
  first.is_removed = true;
  ServiceSpec spec = udp_service("10.9.0.1:53", {first});
  spec.is_draining = true;
  world.director.publish({spec}, world.policy);
  for (int i = 0; i < 29; i++) {
    CHECK(world.request(world.udp()) == 1);
    world.director.wait(1);
  }
  world.director.wait(2);
  CHECK(world.director.from_client(world.udp()).verdict == Verdict::kToHost);
}

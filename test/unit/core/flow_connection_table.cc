// The table of connections by itself: finding in both directions, ending in time under odd clocks, being full.
// What any sequence of operations does is the property test's business.
#include <doctest/doctest.h>

#include <vector>

#include "core/flow/connection_table.h"
#include "packet_builder.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr uvs_hash_key kKey = {11, 12};

template <Family F>
struct World {
  explicit World(uint32_t capacity, Micros start = 0) : table(capacity, kKey), now(start) {}

  ConnectionIndex open(const std::string& client, uint32_t timeout_s, bool is_nat = true) {
    const Endpoint from = endpoint(client), to = endpoint(kVirtual), at = endpoint(kServer);
    Connection<F> record{};
    record.client = PackedAddress<F>::of(from.address);
    record.client_port = from.port;
    record.virtual_address = PackedAddress<F>::of(to.address);
    record.virtual_port = to.port;
    record.destination = PackedAddress<F>::of(at.address);
    record.destination_port = at.port;
    record.protocol = kProtocolTcp;
    record.flags.is_nat = is_nat;
    return table.insert(record, table.hash(from.address, from.port, kProtocolTcp), tick_after(now, timeout_s),
                        tick_of(now));
  }
  ConnectionIndex request(const std::string& client) const {
    const Endpoint from = endpoint(client), to = endpoint(kVirtual);
    return table.find_request(table.hash(from.address, from.port, kProtocolTcp), from.address, from.port, to.address,
                              to.port, kProtocolTcp);
  }
  ConnectionIndex reply(const std::string& client) const {
    const Endpoint to = endpoint(client), from = endpoint(kServer);
    return table.find_reply(table.hash(to.address, to.port, kProtocolTcp), to.address, to.port, from.address, from.port,
                            kProtocolTcp);
  }
  // How many ended by then.
  size_t turn(uint32_t budget = UINT32_MAX) {
    size_t ended = 0;
    has_more = table.expire(tick_of(now), budget, [&](ConnectionIndex index) {
      table.erase(index);
      ended++;
    });
    return ended;
  }
  void wait(double seconds) { now += static_cast<Micros>(seconds * 1e6); }

  static constexpr const char* kVirtual = F == Family::kIpv4 ? "10.9.0.1:80" : "[fd09::1]:80";
  static constexpr const char* kServer = F == Family::kIpv4 ? "10.1.0.1:8080" : "[fd01::1]:8080";
  ConnectionTable<F> table;
  Micros now;
  bool has_more = false;
};
using World4 = World<Family::kIpv4>;

}  // namespace

TEST_CASE("a connection is found from both sides, and only by all of its ends") {
  World4 world(16);
  const ConnectionIndex index = world.open("172.16.0.1:1000", 60);
  CHECK(world.request("172.16.0.1:1000") == index);
  CHECK(world.reply("172.16.0.1:1000") == index);
  CHECK(world.request("172.16.0.1:1001") == kNoConnection);
  CHECK(world.request("172.16.0.2:1000") == kNoConnection);
  world.table.erase(index);
  CHECK(world.request("172.16.0.1:1000") == kNoConnection);
  CHECK(world.table.count() == 0);
}

TEST_CASE("only a NAT connection has replies") {
  World4 world(16);
  world.open("172.16.0.1:1000", 60, false);
  CHECK(world.request("172.16.0.1:1000") != kNoConnection);
  CHECK(world.reply("172.16.0.1:1000") == kNoConnection);
}

TEST_CASE("IPv6 connections compare all of their addresses") {
  World<Family::kIpv6> world(16);
  const ConnectionIndex index = world.open("[fd16::1]:1000", 60);
  CHECK(world.request("[fd16::1]:1000") == index);
  CHECK(world.reply("[fd16::1]:1000") == index);
  CHECK(world.request("[fd16:0:0:1::1]:1000") == kNoConnection);
}

TEST_CASE("a full table takes no more, and takes again once one has gone") {
  World4 world(2);
  const ConnectionIndex first = world.open("172.16.0.1:1", 60);
  CHECK(world.open("172.16.0.1:2", 60) != kNoConnection);
  CHECK(world.open("172.16.0.1:3", 60) == kNoConnection);
  CHECK(world.table.count() == 2);
  world.table.erase(first);
  CHECK(world.open("172.16.0.1:3", 60) == first);
}

TEST_CASE("a connection ends in time: never early, and less than a second late") {
  for (const uint32_t timeout_s : {1u, 2u, 10u, 60u, 900u, 1073u, 1074u, 5000u, 100'000u}) {
    CAPTURE(timeout_s);
    World4 world(4, 123'456'789);
    world.turn();
    world.open("172.16.0.1:1", timeout_s);
    // In steps of a second up to the last one, so that the wheel turns as it does in a worker.
    for (uint32_t s = 0; s + 1 < timeout_s; s++) {
      world.wait(1);
      REQUIRE(world.turn() == 0);
    }
    world.wait(0.99);
    CHECK(world.turn() == 0);
    world.wait(1.0);
    CHECK(world.turn() == 1);
  }
}

TEST_CASE("an end can be put off and brought nearer") {
  World4 world(4);
  world.turn();
  const ConnectionIndex index = world.open("172.16.0.1:1", 10);
  for (int i = 0; i < 20; i++) {
    world.wait(9);
    world.table.renew(index, tick_after(world.now, 10));
    CHECK(world.turn() == 0);
  }
  world.table.renew(index, tick_after(world.now, 900));
  world.table.renew(index, tick_after(world.now, 2));
  world.wait(1.9);
  CHECK(world.turn() == 0);
  world.wait(1);
  CHECK(world.turn() == 1);
}

TEST_CASE("one turn looks at no more connections than it may") {
  World4 world(100);
  world.turn();
  for (int i = 0; i < 100; i++) world.open("172.16.0.1:" + std::to_string(1000 + i), 5);
  world.wait(6);
  CHECK(world.turn(30) == 30);
  CHECK(world.has_more);
  CHECK(world.turn(30) == 30);
  CHECK(world.turn(40) == 40);
  CHECK(world.turn(40) == 0);
  CHECK_FALSE(world.has_more);
}

TEST_CASE("odd clocks end nobody early and nobody never") {
  SUBCASE("a jump over several rounds of the wheel") {
    World4 world(4);
    world.turn();
    world.open("172.16.0.1:1", 10);
    const ConnectionIndex late = world.open("172.16.0.1:2", 10'000'000);
    world.wait(5'000'000);
    CHECK(world.turn() == 1);
    CHECK(world.request("172.16.0.1:2") == late);
    world.wait(5'000'001);
    CHECK(world.turn() == 1);
  }
  SUBCASE("a clock that goes back") {
    World4 world(4, 1'000'000'000'000);
    world.turn();
    world.open("172.16.0.1:1", 10);
    world.now -= 500'000'000;
    CHECK(world.turn() == 0);
    world.open("172.16.0.1:2", 10);  // due before the wheel's place: ends as soon as the wheel moves
    world.now += 500'000'000;
    CHECK(world.turn() <= 1);
    world.wait(12);
    world.turn();
    CHECK(world.table.count() == 0);
  }
  SUBCASE("across the wrap of ticks") {
    World4 world(4, (Micros{1} << (32 + kTickShift)) - 5'000'000);
    world.turn();
    world.open("172.16.0.1:1", 10);
    for (int i = 0; i < 9; i++) {
      world.wait(1);
      CHECK(world.turn() == 0);
    }
    world.wait(2);
    CHECK(world.turn() == 1);
  }
  SUBCASE("across the wrap of 64-bit microseconds") {
    World4 world(4, UINT64_MAX - 5'000'000);
    world.turn();
    world.open("172.16.0.1:1", 10);
    world.wait(9);
    CHECK(world.turn() == 0);
    world.wait(2);
    CHECK(world.turn() == 1);
  }
}

TEST_CASE("a timeout beyond what ticks can hold is cut, not wrapped") {
  World4 world(4);
  world.turn();
  world.open("172.16.0.1:1", UINT32_MAX);
  world.wait(1'000'000);
  CHECK(world.turn() == 0);
}

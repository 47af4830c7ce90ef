// What happens while a next hop is unknown, when it answers, fails or keeps silent, and when the routes change.
// And the listing, which must hold while connections come and go.
#include <doctest/doctest.h>

#include <map>

#include "core/path/hold_queue.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kVip = "10.9.0.1:80";
Packet syn(int port) { return tcp4("172.16.0.1:" + std::to_string(port), kVip).syn(); }

struct Waiting : TestDirector {
  Waiting() {
    answers_neighbours = false;
    publish({tcp_service(kVip, {nat("10.1.0.1:80")})});
  }
  Seen send_one(const Packet& packet) { return send(packet, kClientLink)[0]; }
  std::vector<Seen> released() {
    std::vector<Seen> seen;
    release(seen);
    return seen;
  }
};

}  // namespace

TEST_CASE("a packet waits for its next hop and then goes, in order") {
  Waiting director;
  CHECK(director.send_one(syn(1)).verdict == Verdict::kHeld);
  CHECK(director.send_one(syn(2)).verdict == Verdict::kHeld);
  CHECK(director.released().empty());
  director.resolve(NeighbourState::kResolved);
  const std::vector<Seen> seen = director.released();
  REQUIRE(seen.size() == 2);
  for (int i = 0; i < 2; i++) {
    CHECK(server_of(seen[static_cast<size_t>(i)]) == 1);
    CHECK(seen[static_cast<size_t>(i)].packet.source_port == i + 1);
    CHECK(seen[static_cast<size_t>(i)].packet.destination == address("10.1.0.1"));
  }
  CHECK(director.released().empty());
  CHECK(director.verdicts(Verdict::kHeld) == 2);
  CHECK(director.verdicts(Verdict::kForward) == 2);
  CHECK(director.counters(0, 0).traffic.in_packets == 2);
}

TEST_CASE("a next hop that fails: host unreachable, quoting the packet as the client sent it") {
  Waiting director;
  director.send_one(syn(1));
  director.resolve(NeighbourState::kFailed);
  const std::vector<Seen> seen = director.released();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].verdict == Verdict::kAnswer);
  CHECK(seen[0].bytes[34] == 3);
  CHECK(seen[0].bytes[35] == 1);
  CHECK(seen[0].packet.quoted.destination == address("10.9.0.1"));
  CHECK(director.send_one(syn(1)).verdict == Verdict::kAnswer);
}

TEST_CASE("a next hop that keeps silent counts as failed after three seconds") {
  Waiting director;
  director.send_one(syn(1));
  director.wait(2.9);
  CHECK(director.released().empty());
  director.wait(0.2);
  const std::vector<Seen> seen = director.released();
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].verdict == Verdict::kAnswer);
}

TEST_CASE("only a few wait for one next hop, and the oldest gives way; said once") {
  Waiting director;
  constexpr int kMost = kHopHold.frames_per_group;
  for (int i = 0; i < kMost; i++) CHECK(director.send_one(syn(i + 1)).verdict == Verdict::kHeld);
  CHECK(director.drops(DropReason::kHoldQueueFull) == 0);
  CHECK(director.send_one(syn(kMost + 1)).verdict == Verdict::kHeld);
  CHECK(director.drops(DropReason::kHoldQueueFull) == 1);
  CHECK(director->take_reached_limits() == 1u << static_cast<unsigned>(Limit::kHoldQueue));
  director.resolve(NeighbourState::kResolved);
  const std::vector<Seen> seen = director.released();
  CHECK(seen.size() == kMost);
  CHECK(seen.front().packet.source_port == 2);
}

TEST_CASE("a flood of replies to clients on the link that are not there keeps no client from being found") {
  Waiting director;
  const auto client_hop = [](const std::string& at) {
    return NeighbourKey{TestDirector::kClientLink, endpoint(at).family, endpoint(at).address};
  };
  const auto route = [](const std::string& prefix, uint8_t length) {
    Route result;
    result.family = endpoint(prefix).family;
    result.prefix = address(prefix);
    result.prefix_length = length;
    result.next_hops = {{.ifindex = TestDirector::kClientLink, .gateway = {}}};
    return result;
  };
  director.more_routes = {route("10.20.0.0", 16), route("fd20::", 64)};
  director.publish_view();
  director.publish({udp_service(kVip, {nat("10.1.0.1:80")}), udp_service("[fd09::1]:80", {nat("[fd01::1]:80")})});
  struct Row {
    std::string vip, server, flood, client;
  };
  for (const Row& row : {Row{kVip, "10.1.0.1:80", "10.20.", "10.20.255.1"},
                         Row{"[fd09::1]:80", "[fd01::1]:80", "fd20::", "fd20::ffff:1"}}) {
    const bool is_ipv4 = row.client.find(':') == std::string::npos;
    const auto exchange = [&](const std::string& from) {
      const std::string end = (is_ipv4 ? from : "[" + from + "]") + ":4000";
      director.send(is_ipv4 ? udp4(end, row.vip) : udp6(end, row.vip), TestDirector::kClientLink);
      director.neighbours.update({TestDirector::kServerLink, endpoint(row.server).family, endpoint(row.server).address},
                                 NeighbourState::kResolved, {{2, 9, 9, 9, 9, 1}});
      director.released();
      return director.send(is_ipv4 ? udp4(row.server, end) : udp6(row.server, end), TestDirector::kServerLink).at(0).verdict;
    };
    for (int i = 1; i <= 2 * static_cast<int>(kHopHold.frames); i++) {
      const std::string from = is_ipv4 ? row.flood + std::to_string(i / 250) + "." + std::to_string(1 + i % 250)
                                       : row.flood + std::to_string(i);
      CHECK(exchange(from) == Verdict::kHeld);
    }
    CHECK(exchange(row.client) == Verdict::kHeld);
    director.neighbours.update(client_hop(row.client), NeighbourState::kResolved, {{2, 8, 8, 8, 8, 8}});
    const std::vector<Seen> seen = director.released();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].verdict == Verdict::kForward);
    CHECK(seen[0].packet.destination == address(row.client));
  }
}

TEST_CASE("large frames wait, too: as many bytes as may for one next hop and in all") {
  Waiting director;
  director.server_mtu = director.client_mtu = 65'535;
  director.publish_view();
  const auto datagram = [](int port, size_t size) {
    return udp4("172.16.0.1:" + std::to_string(port), kVip).payload(size);
  };
  constexpr size_t kLargest = 65'535 - 28, kFrame = kLargest + 42;
  constexpr int kMost = kHopHold.bytes_per_group / kFrame, kHops = kHopHold.bytes / (kMost * kFrame);
  int port = 0;
  const auto is_held = [&](size_t size) { return director.send_one(datagram(++port, size)).verdict == Verdict::kHeld; };
  for (int round = 0; round < 2; round++) {
    CAPTURE(round);
    const auto to_server = [&](int number) {
      const std::string at = "10.1." + std::to_string(round) + "." + std::to_string(number) + ":80";
      director.publish({udp_service(kVip, {nat(at)})});
    };
    const uint64_t before = director.drops(DropReason::kHoldQueueFull);
    const auto gone = [&] { return director.drops(DropReason::kHoldQueueFull) - before; };
    for (int hop = 1; hop <= kHops; hop++) {
      to_server(hop);
      for (int i = 0; i < kMost; i++) CHECK(is_held(kLargest));
      CHECK(is_held(100));  // there is room for it
      CHECK(gone() == static_cast<uint64_t>(2 * (hop - 1)));
      CHECK(is_held(kLargest));  // for it the oldest goes
      CHECK(is_held(kLargest));
      CHECK(gone() == static_cast<uint64_t>(2 * hop));
    }
    // In all: those of the first next hop go for those of another.
    to_server(kHops + 1);
    for (int i = 0; i < kMost; i++) CHECK(is_held(kLargest));
    director.resolve(NeighbourState::kResolved);
    size_t bytes = 0, whole = 0;
    for (const Seen& seen : director.released()) {
      bytes += seen.bytes.size();
      whole += seen.bytes.size() == kFrame ? 1 : 0;
    }
    CHECK(bytes <= kHopHold.bytes);
    CHECK(bytes + kFrame > kHopHold.bytes);
    CHECK(whole >= static_cast<size_t>(kHops * kMost));
  }
}

TEST_CASE("what is released keeps its memory until the next release, and places are used again") {
  Waiting director;
  for (int round = 0; round < 150; round++) {
    director.publish({tcp_service(kVip, {nat("10.1.0." + std::to_string(round + 1) + ":80")})});
    for (int i = 0; i < 5; i++) CHECK(director.send_one(syn(1 + round * 10 + i)).verdict == Verdict::kHeld);
    director.resolve(NeighbourState::kResolved);
    CHECK(director.released().size() == 5);
  }
  CHECK(director->take_reached_limits() == 0);
}

TEST_CASE("a route's own MTU counts, where it is smaller than the device's, for its destinations alone") {
  TestDirector director;
  Route narrow;
  narrow.prefix = address("10.1.0.1");
  narrow.prefix_length = 32;
  narrow.mtu = 1280;
  narrow.next_hops = {{.ifindex = TestDirector::kServerLink, .is_on_link = true, .gateway = {}}};
  Route wide = narrow;
  wide.prefix = address("10.1.0.3");
  wide.mtu = 9000;
  director.more_routes = {narrow, wide};
  director.publish_view();
  for (int round = 0; round < 3; round++) {
    CAPTURE(round);
    for (const int server : {1, 2, 3}) {
      CAPTURE(server);
      director.publish({tcp_service(kVip, {nat("10.1.0." + std::to_string(server) + ":80")})});
      const std::string client = "172.16.0.1:" + std::to_string(server + 10 * round);
      const auto segment = [&](size_t size) { return tcp4(client, kVip).ack().payload(size).dont_fragment(); };
      CHECK(server_of(director.from_client(tcp4(client, kVip).syn())) == server);
      const size_t most = server == 1 ? 1240 : 1460;
      CHECK(server_of(director.from_client(segment(most))) == server);
      const Seen refused = director.from_client(segment(most + 1));
      CHECK(refused.verdict == Verdict::kAnswer);
      CHECK(refused.bytes[40] * 256 + refused.bytes[41] == static_cast<int>(most) + 40);
    }
    director.publish_view();
  }
}

TEST_CASE("connections find their way again when routes change") {
  TestDirector director;
  director.publish({tcp_service(kVip, {dr("10.1.0.1:80")})});
  CHECK(director.from_client(syn(1)).ifindex == TestDirector::kServerLink);
  auto view = std::make_unique<HostView>();
  view->generation = 100;
  view->links = {{5, 1500, {{2, 0, 0, 0, 5, 0}}, true}};
  Route route;
  route.prefix = address("10.1.0.0");
  route.prefix_length = 16;
  route.next_hops = {{.ifindex = 5, .is_on_link = false, .gateway = address("192.168.0.9")}};
  view->routes = RouteTable(std::vector{route});
  director->publish_host_view(std::move(view));
  director->adopt(director.now);
  const Seen seen = director.from_client(tcp4("172.16.0.1:1", kVip).ack());
  CHECK(seen.ifindex == 5);
  CHECK(seen.bytes[5] == 9);
  CHECK(seen.bytes[10] == 5);  // our MAC on that device
}

TEST_CASE("before there is a view of the machine nothing leaves") {
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  std::vector<uvs_flow_bucket> buckets(8);
  DirectorOptions options;
  options.connections = 8;
  options.reply_buckets = buckets;
  auto director = Director::create(options, neighbours);
  REQUIRE(director != nullptr);
  REQUIRE(director->tables().publish({.services = {tcp_service(kVip, {dr("10.1.0.1:80")})}, .policy = {}}).ok());
  director->adopt(1);
  OwnedFrame frame = syn(1).frame();
  Batch batch;
  batch.count = 1;
  batch.frames[0] = frame;
  director->process(batch, 1);
  CHECK(batch.frames[0].drop_reason == DropReason::kNoRoute);
}

TEST_CASE("options that make no sense make no director") {
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  std::vector<uvs_flow_bucket> buckets(8);
  const auto create = [&](uint32_t connections, size_t count) {
    DirectorOptions options;
    options.connections = connections;
    options.reply_buckets = std::span(buckets).first(count);
    return Director::create(options, neighbours) != nullptr;
  };
  CHECK(create(8, 8));
  CHECK_FALSE(create(0, 8));
  CHECK_FALSE(create(kMaxConnections + 1, 8));
  CHECK_FALSE(create(8, 0));
  CHECK_FALSE(create(8, 7));
}

TEST_CASE("a walk over all connections gives each that lives through it once, whatever comes and goes") {
  TestDirector director(3000, 4096);
  director.publish({udp_service("10.9.0.1:53", {dr("10.1.0.1:53")}), udp_service("[fd09::1]:53", {dr("[fd01::1]:53")}),
                    tcp_service(kVip, {dr("10.1.0.1:80")})});
  for (int i = 0; i < 700; i++) director.from_client(udp4("172.16.0.1:" + std::to_string(1000 + i), "10.9.0.1:53"));
  for (int i = 0; i < 300; i++) director.from_client(udp6("[fd16::1]:" + std::to_string(1000 + i), "[fd09::1]:53"));
  for (int i = 0; i < 500; i++) director.from_client(syn(3000 + i));
  director.wait(55);

  std::map<std::pair<int, int>, int> seen;  // family and client port
  std::vector<ConnectionView> rows(37);
  ConnectionCursor cursor = 0;
  size_t pages = 0;
  do {
    size_t count = 0;
    cursor = director->copy_connections(cursor, rows, count, director.now);
    for (size_t i = 0; i < count; i++) {
      if (rows[i].protocol == kProtocolUdp) seen[{static_cast<int>(rows[i].family), rows[i].client_port}]++;
    }
    pages++;
    if (pages == 5) director.wait(7);  // the TCP ones end
    if (pages % 2 == 0) director.from_client(syn(5000 + static_cast<int>(pages)));
  } while (cursor != 0);
  CHECK(seen.size() == 1000);
  for (const auto& [key, times] : seen) CHECK(times == 1);
}

TEST_CASE("a listed connection says what it is and how long it has") {
  TestDirector director;
  director.publish({udp_service("[fd09::1]:53", {dr("[fd01::1]:53")}), tcp_service(kVip, {nat("10.1.0.1:8080")})});
  director.from_client(syn(77));
  director.from_client(udp6("[fd16::1]:1000", "[fd09::1]:53"));
  director.wait(10);
  const std::vector<ConnectionView> all = director.connections(1);
  REQUIRE(all.size() == 2);
  CHECK(all[0].protocol == kProtocolTcp);
  CHECK(all[0].state == 3);
  CHECK(all[0].client == address("172.16.0.1"));
  CHECK(all[0].client_port == 77);
  CHECK(all[0].virtual_port == 80);
  CHECK(all[0].destination == address("10.1.0.1"));
  CHECK(all[0].destination_port == 8080);
  CHECK(all[0].expires_ms / 1000 == 50);
  CHECK(all[1].family == Family::kIpv6);
  CHECK(all[1].virtual_address == address("fd09::1"));
  CHECK(all[1].expires_ms / 1000 == 290);
}

TEST_CASE("a device without a link layer is itself the next hop, and one of another kind is none") {
  Waiting director;
  director.server_layer = LinkLayer::kNone;
  director.publish_view();
  CHECK(director.send_one(syn(1)).verdict == Verdict::kForward);
  director.server_layer = LinkLayer::kOther;
  director.publish_view();
  const Seen refused = director.send_one(syn(1));
  CHECK(refused.verdict == Verdict::kDrop);
  CHECK(refused.reason == DropReason::kNoRoute);
}

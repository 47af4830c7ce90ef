// Who may open a connection: the answers of a live kernel (6.1, IPVS behind its input routing) to one datagram from each
// source, and where ours are stricter.
#include <doctest/doctest.h>

#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kVip = "10.9.0.1", kVip6 = "fd09::1";
constexpr DropReason kTaken = DropReason::kNone;

Route route(const std::string& prefix, uint8_t length, RouteKind kind, uint32_t ifindex = 0) {
  Route result;
  result.family = endpoint(prefix).family;
  result.prefix = address(prefix);
  result.prefix_length = length;
  result.kind = kind;
  if (kind == RouteKind::kUnicast) result.next_hops = {{.ifindex = ifindex, .gateway = {}}};
  return result;
}

struct Door {
  Door() {
    // As on the machine that was asked: a default route and networks behind either device, their broadcast addresses,
    // a blackhole, and a whole network of local addresses.
    director.more_routes = {route("0.0.0.0", 0, RouteKind::kUnicast, TestDirector::kClientLink),
                            route("10.5.0.0", 24, RouteKind::kUnicast, TestDirector::kServerLink),
                            route("172.16.255.255", 32, RouteKind::kBroadcast),
                            route("10.8.0.0", 16, RouteKind::kUnreachable),
                            route("10.99.0.0", 16, RouteKind::kLocal),
                            route("::", 0, RouteKind::kUnicast, TestDirector::kClientLink),
                            route("fd99::", 64, RouteKind::kLocal)};
    director.publish_view();
    director.publish({udp_service(kVip + ":7", {nat("10.1.0.1:7")}), udp_service("[" + kVip6 + "]:7", {nat("[fd01::1]:7")}),
                      tcp_service("192.0.2.80:80", {dr("10.1.0.1:80")}), tcp_service("[2001:db8::80]:80", {dr("[fd01::1]:80")})});
  }
  void set(const Ipv4SourceRules& rules) {
    director.client_rules = rules;
    director.publish_view();
  }
  // What became of a datagram from there, each with a port of its own.
  DropReason ask(const std::string& source, const std::string& destination = "") {
    const bool is_ipv4 = endpoint(source).family == Family::kIpv4;
    const auto end = [](const std::string& text, int port) {
      return (text.find(':') == std::string::npos ? text : "[" + text + "]") + ":" + std::to_string(port);
    };
    const std::string from = end(source, port++), to = end(!destination.empty() ? destination : is_ipv4 ? kVip : kVip6, 7);
    const uint32_t connections = director->connection_count();
    const Seen seen = director.from_client(is_ipv4 ? udp4(from, to) : udp6(from, to));
    CHECK(director->connection_count() == connections + (seen.verdict == Verdict::kForward ? 1 : 0));
    CHECK((seen.verdict == Verdict::kForward || seen.verdict == Verdict::kDrop));
    return seen.reason;
  }
  TestDirector director;
  int port = 1000;
};

}  // namespace

TEST_CASE("IPv4 sources are let in as the kernel lets them in") {
  struct Row {
    const char* source;
    DropReason open, strict, loose;  // rp_filter 0, 1, 2
  };
  constexpr DropReason kMartian = DropReason::kMartian, kOwn = DropReason::kOwnSource, kPath = DropReason::kReversePath;
  const Row rows[] = {
      {"172.16.0.9", kTaken, kTaken, kTaken},
      {"127.0.0.1", kMartian, kMartian, kMartian},
      {"224.0.0.1", kMartian, kMartian, kMartian},
      {"239.1.1.1", kMartian, kMartian, kMartian},
      {"255.255.255.255", kMartian, kMartian, kMartian},
      {"0.0.0.0", kMartian, kMartian, kMartian},
      {"0.1.2.3", kTaken, kTaken, kTaken},      // Linux 5.3 and later
      {"240.0.0.1", kTaken, kTaken, kTaken},    // class E
      {"172.16.255.1", kOwn, kOwn, kOwn},       // on the client's device
      {"10.9.0.1", kOwn, kOwn, kOwn},           // the service's own
      {"10.99.3.4", kOwn, kOwn, kOwn},          // a local route (AnyIP)
      {"172.16.255.255", kMartian, kMartian, kMartian},
      {"10.5.0.7", kTaken, kPath, kTaken},      // the way back is by the other device
      {"10.8.0.1", kTaken, kPath, kPath},       // blackhole
      {"8.8.8.8", kTaken, kTaken, kTaken},
      {"192.0.2.80", kOwn, kOwn, kOwn},         // a virtual address that the host has on no device
  };
  Door door;
  for (const Row& row : rows) {
    CAPTURE(row.source);
    door.set({.rp_filter = 0});
    CHECK(door.ask(row.source) == row.open);
    door.set({.rp_filter = 1});
    CHECK(door.ask(row.source) == row.strict);
    door.set({.rp_filter = 2});
    CHECK(door.ask(row.source) == row.loose);
  }
  CHECK(door.director.drops(kMartian) == 18);
  CHECK(door.director.drops(kOwn) == 12);
  CHECK(door.director.drops(kPath) == 3);
}

TEST_CASE("accept_local lets our own addresses in, route_localnet with it 127.0.0.0/8") {
  Door door;
  door.set({.accept_local = true});
  for (const char* own : {"172.16.255.1", "10.9.0.1", "10.99.3.4", "192.0.2.80"}) CHECK(door.ask(own) == kTaken);
  CHECK(door.ask("127.0.0.1") == DropReason::kMartian);
  door.set({.route_localnet = true});
  door.director.more_routes.push_back(route("127.0.0.0", 8, RouteKind::kLocal));
  door.director.publish_view();
  CHECK(door.ask("127.0.0.1") == DropReason::kOwnSource);
  door.set({.accept_local = true, .route_localnet = true});
  CHECK(door.ask("127.0.0.1") == kTaken);
}

TEST_CASE("a loopback destination comes over no network") {
  Door door;
  door.director.publish({udp_service("127.0.0.1:7", {nat("10.1.0.1:7")}), udp_service("[::1]:7", {nat("[fd01::1]:7")})});
  CHECK(door.ask("172.16.0.9", "127.0.0.1") == DropReason::kMartian);
  CHECK(door.ask("fd16::9", "::1") == DropReason::kMartian);
  door.set({.route_localnet = true});
  CHECK(door.ask("172.16.0.9", "127.0.0.1") == kTaken);
}

TEST_CASE("rp_filter: a device without addresses expects only what is routed by it, and policy rules end the question") {
  Door door;
  door.director.local_addresses = {"10.9.0.1", "fd09::1"};
  door.set({.rp_filter = 2});
  CHECK(door.ask("10.5.0.7") == DropReason::kReversePath);
  CHECK(door.ask("8.8.8.8") == kTaken);
  door.director.has_policy_rules = true;
  door.set({.rp_filter = 1});
  CHECK(door.ask("10.5.0.7") == kTaken);
  CHECK(door.ask("127.0.0.1") == DropReason::kMartian);
}

TEST_CASE("IPv6 sources: loopback, unspecified, multicast and our own open nothing") {
  Door door;
  for (const char* martian : {"::1", "::", "ff02::1", "ff0e::1"}) {
    CAPTURE(martian);
    CHECK(door.ask(martian) == DropReason::kMartian);
  }
  for (const char* own : {"fd09::1", "fd16::ffff", "fd99::7", "2001:db8::80"}) {
    CAPTURE(own);
    CHECK(door.ask(own) == DropReason::kOwnSource);
  }
  for (const char* good : {"fd16::9", "2001:db8::9", "fe80::1", "::ffff:172.16.0.9"}) {
    CAPTURE(good);
    CHECK(door.ask(good) == kTaken);
  }
}

TEST_CASE("a source that may open nothing ends no connection, and gets no answer") {
  TestDirector director;
  director.publish({tcp_service("10.9.0.1:80", {nat("10.1.0.1:80")}), udp_service("10.9.0.1:53", {})});
  const std::string client = "172.16.0.1:1000";
  director.from_client(tcp4(client, "10.9.0.1:80").syn());
  director.from_server(tcp4("10.1.0.1:80", client).rst());
  REQUIRE(director->connection_count() == 1);
  director.client_rules = {.rp_filter = 1};
  director.publish_view();
  // A SYN on a closed connection opens a new one in its place, but not from the wrong side.
  const auto seen = director.send(tcp4(client, "10.9.0.1:80").syn(), TestDirector::kServerLink);
  CHECK(seen.at(0).verdict == Verdict::kForward);  // no rp_filter there
  director.client_rules = {};
  director.more_routes = {route("172.16.0.1", 32, RouteKind::kLocal)};
  director.publish_view();
  director.from_server(tcp4("10.1.0.1:80", client).rst());
  CHECK(director.from_client(tcp4(client, "10.9.0.1:80").syn()).reason == DropReason::kOwnSource);
  CHECK(director->connection_count() == 1);
  // No server: not even "port unreachable".
  CHECK(director.from_client(udp4("127.0.0.1:9", "10.9.0.1:53")).verdict == Verdict::kDrop);
}

TEST_CASE("an ICMP error from a source that can't be is about no connection") {
  TestDirector director;
  const std::string client = "172.16.0.1:1000";
  director.publish({tcp_service("10.9.0.1:80", {nat("10.1.0.1:80")})});
  director.from_client(tcp4(client, "10.9.0.1:80").syn());
  const Packet quoted = tcp4("10.9.0.1:80", client).ack();
  const auto error = [&](const std::string& from) {
    return director.from_client(icmp4(from, "10.9.0.1").icmp(3, 4, 600).quote(quoted));
  };
  CHECK(error("127.0.0.1").reason == DropReason::kMartian);
  CHECK(error("10.9.0.1").reason == DropReason::kOwnSource);
  CHECK(error("172.16.0.77").verdict == Verdict::kForward);
}

// Routes and the host's view, by hand: longest prefix, metrics, kinds, ECMP, and the addresses that
// answers come from.
#include <doctest/doctest.h>

#include <map>

#include "core/forward/host_view.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

Route route(const std::string& prefix, uint8_t length, uint32_t ifindex,
            const std::string& gateway = "", uint32_t metric = 0) {
  Route result;
  const Endpoint parsed = endpoint(prefix);
  result.family = parsed.family;
  result.prefix = parsed.address;
  result.prefix_length = length;
  result.metric = metric;
  NextHop hop;
  hop.ifindex = ifindex;
  if (!gateway.empty()) {
    hop.is_on_link = false;
    hop.gateway = endpoint(gateway).address;
    hop.gateway_family = endpoint(gateway).family;
  }
  result.next_hops = {hop};
  return result;
}
Route kind(Route route, RouteKind kind) {
  route.kind = kind;
  route.next_hops.clear();
  return route;
}

RouteLookup look(const RouteTable& table, const std::string& destination, uint64_t hash = 0) {
  return table.lookup(endpoint(destination).family, address(destination), hash);
}

}  // namespace

TEST_CASE("routes: an empty table leads nowhere") {
  const RouteTable none, empty{std::span<const Route>{}};
  for (const RouteTable* table : {&none, &empty}) {
    CHECK(look(*table, "10.0.0.1").kind == RouteKind::kUnreachable);
    CHECK(look(*table, "2001:db8::1").kind == RouteKind::kUnreachable);
    CHECK(table->size() == 0);
  }
}

TEST_CASE("routes: the longest prefix wins, to the last address") {
  const std::vector<Route> routes = {route("0.0.0.0", 0, 1, "192.0.2.1"),
                                     route("10.0.0.0", 8, 2),
                                     route("10.1.0.0", 16, 3),
                                     route("10.1.2.3", 32, 4),
                                     route("10.255.0.0", 16, 5),
                                     route("255.255.255.255", 32, 6),
                                     route("2001:db8::", 32, 7),
                                     route("2001:db8:0:0:8000::", 65, 8),
                                     route("2001:db8::1", 128, 9),
                                     route("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128, 10)};
  const RouteTable table(routes);
  CHECK(table.size() == 10);
  const std::map<std::string, uint32_t> expected = {
      {"0.0.0.0", 1},
      {"9.255.255.255", 1},
      {"10.0.0.0", 2},
      {"10.0.255.255", 2},
      {"10.1.0.0", 3},
      {"10.1.2.2", 3},
      {"10.1.2.3", 4},
      {"10.1.2.4", 3},
      {"10.1.255.255", 3},
      {"10.2.0.0", 2},
      {"10.254.255.255", 2},
      {"10.255.0.0", 5},
      {"11.0.0.0", 1},
      {"255.255.255.254", 1},
      {"255.255.255.255", 6},
      {"2001:db8::", 7},
      {"2001:db8::1", 9},
      {"2001:db8::2", 7},
      {"2001:db8:0:0:7fff:ffff:ffff:ffff", 7},
      {"2001:db8:0:0:8000::", 8},
      {"2001:db8:0:0:ffff:ffff:ffff:ffff", 8},
      {"2001:db8:0:1::", 7},
      {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 7},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 10}};
  for (const auto& expectation : expected) {
    const std::string destination = expectation.first;
    const uint32_t ifindex = expectation.second;
    CAPTURE(destination);
    CHECK(look(table, destination).kind == RouteKind::kUnicast);
    CHECK(look(table, destination).ifindex == ifindex);
  }
  for (const char* nowhere : {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "::"}) {
    CHECK(look(table, nowhere).kind == RouteKind::kUnreachable);
  }
  CHECK(look(table, "8.8.8.8").next_hop == address("192.0.2.1"));
  CHECK(look(table, "10.7.7.7").next_hop == address("10.7.7.7"));
}

TEST_CASE("routes: among equal prefixes the lowest metric, then the first") {
  const std::vector<Route> routes = {
      route("10.0.0.0", 8, 1, "", 100), route("10.0.0.0", 8, 2, "", 20),
      route("10.9.9.9", 8, 3, "", 20), route("10.0.0.0", 8, 4, "", 300)};
  const RouteTable table(routes);
  CHECK(look(table, "10.1.1.1").ifindex == 2);
  CHECK(table.size() == 1);
}

TEST_CASE("routes: kinds, and a longer prefix that leads nowhere") {
  const std::vector<Route> routes = {route("10.0.0.0", 8, 1),
                                     kind(route("10.1.0.0", 16, 0), RouteKind::kUnreachable),
                                     kind(route("10.1.1.1", 32, 0), RouteKind::kLocal),
                                     kind(route("10.2.0.0", 16, 0), RouteKind::kUnicast)};
  const RouteTable table(routes);
  CHECK(look(table, "10.0.0.1").kind == RouteKind::kUnicast);
  CHECK(look(table, "10.1.0.1").kind == RouteKind::kUnreachable);
  CHECK(look(table, "10.1.1.1").kind == RouteKind::kLocal);
  CHECK(look(table, "10.1.1.2").kind == RouteKind::kUnreachable);
}

TEST_CASE("routes: one whose next hops are dead is passed over: the next metric counts, then a shorter prefix") {
  const std::vector<Route> routes = {route("10.0.0.0", 8, 1), kind(route("10.2.0.0", 16, 0), RouteKind::kUnicast),
                                     kind(route("10.3.0.0", 16, 0), RouteKind::kUnicast),
                                     route("10.3.0.0", 16, 3, "", 50)};
  const RouteTable table(routes);
  CHECK(look(table, "10.2.0.1").ifindex == 1);
  CHECK(look(table, "10.3.0.1").ifindex == 3);
  CHECK(table.size() == 2);
}

TEST_CASE("routes: the local table and the main one, as one or one after the other; throw ends the search in its table") {
  const auto local = [](Route route) {
    route.is_in_local_table = true;
    return route;
  };
  for (const unsigned length : {8u, 14u}) {  // wide and narrow
    CAPTURE(length);
    RouteSet set;
    set.assign({local(kind(route("10.0.0.0", static_cast<uint8_t>(length), 0), RouteKind::kLocal)), route("10.1.0.0", 16, 1),
                route("10.2.0.0", 16, 2), route("10.0.0.0", 9, 3), local(kind(route("10.2.2.0", 24, 0), RouteKind::kThrow)),
                kind(route("10.2.2.128", 25, 0), RouteKind::kThrow), route("10.3.0.0", 16, 4, "", 7),
                local(route("10.3.0.0", 16, 5, "", 9))});
    // One: the longest prefix of both; of equal ones that of the local table.
    CHECK(look(set.table(), "10.0.0.1").kind == (length == 8 ? RouteKind::kUnicast : RouteKind::kLocal));
    CHECK(look(set.table(), "10.1.0.1").ifindex == 1);
    CHECK(look(set.table(), "10.2.0.1").ifindex == 2);
    CHECK(look(set.table(), "10.2.2.1").kind == RouteKind::kUnreachable);
    CHECK(look(set.table(), "10.3.0.1").ifindex == 5);
    set.ask_local_table_first(Family::kIpv4, true);
    CHECK(look(set.table(), "10.0.0.1").kind == RouteKind::kLocal);
    CHECK(look(set.table(), "10.1.0.1").kind == RouteKind::kLocal);
    CHECK(look(set.table(), "10.2.0.1").kind == RouteKind::kLocal);
    CHECK(look(set.table(), "10.2.2.1").ifindex == 2);
    CHECK(look(set.table(), "10.2.2.129").kind == RouteKind::kUnreachable);
    CHECK(look(set.table(), "10.2.3.1").kind == RouteKind::kLocal);
    CHECK(look(set.table(), "10.3.0.1").ifindex == 5);
    CHECK(look(set.table(), "10.64.0.1").kind == (length == 8 ? RouteKind::kLocal : RouteKind::kUnicast));
  }
}

TEST_CASE("routes: an IPv4 route by an IPv6 gateway (RFC 8950)") {
  const std::vector<Route> routes = {route("10.0.0.0", 8, 1, "fe80::1")};
  const RouteLookup result = look(RouteTable(routes), "10.0.0.1");
  CHECK(result.next_hop_family == Family::kIpv6);
  CHECK(result.next_hop == address("fe80::1"));
}

TEST_CASE("routes: nonsense is ignored") {
  const std::vector<Route> routes = {route("10.0.0.0", 33, 1), route("2001:db8::", 129, 1)};
  CHECK(RouteTable(routes).size() == 0);
}

TEST_CASE(
    "routes: ECMP by weight, the same hop for the same hash, also when only some bits of the hash "
    "differ") {
  Route several = route("10.0.0.0", 8, 1, "192.0.2.1");
  several.next_hops.push_back(several.next_hops[0]);
  several.next_hops.push_back(several.next_hops[0]);
  several.next_hops[1].ifindex = 2;
  several.next_hops[1].weight = 3;
  several.next_hops[2].ifindex = 3;
  several.next_hops[2].weight = 0;  // counts as 1
  const RouteTable table(std::vector<Route>{several});
  for (const unsigned shift : {0u, 17u, 32u, 44u}) {
    std::map<uint32_t, int> count;
    for (uint64_t hash = 0; hash < 10'000; hash++) {
      const uint32_t chosen = look(table, "10.0.0.1", hash << shift).ifindex;
      CHECK(chosen == look(table, "10.200.0.1", hash << shift).ifindex);
      count[chosen]++;
    }
    CAPTURE(shift);
    CHECK(count[1] > 1700);
    CHECK(count[1] < 2300);
    CHECK(count[2] > 5500);
    CHECK(count[2] < 6500);
    CHECK(count[3] > 1700);
  }
}

TEST_CASE("host view: links and own addresses") {
  HostView view;
  view.links = {{2, 1500, {}, true}, {5, 9000, {}, true}, {9, 1280, {}, false}};
  const auto own = [](const std::string& text, uint32_t ifindex) {
    return LocalAddress{endpoint(text).family, endpoint(text).address, ifindex};
  };
  view.local_addresses = {own("10.0.0.1", 2),    own("10.9.0.1", 5), own("127.0.0.1", 1),
                          own("169.254.0.7", 7), own("::1", 1),      own("2001:db8::1", 5),
                          own("fe80::2", 2),     own("fe80::5", 5)};
  CHECK(view.find_link(5)->mtu == 9000);
  CHECK(view.find_link(9)->mtu == 1280);
  CHECK(view.find_link(1) == nullptr);
  CHECK(view.find_link(3) == nullptr);
  CHECK(view.find_link(10) == nullptr);

  for (const LocalAddress& local : view.local_addresses)
    CHECK(view.is_local(local.family, local.address));
  CHECK_FALSE(view.is_local(Family::kIpv4, address("10.0.0.2")));
  CHECK_FALSE(view.is_local(Family::kIpv6, address("10.0.0.1")));
  CHECK_FALSE(view.is_local(Family::kIpv6, address("ffff::")));

  CHECK(view.source_address(Family::kIpv4, 2) == address("10.0.0.1"));
  CHECK(view.source_address(Family::kIpv4, 5) == address("10.9.0.1"));
  CHECK(view.source_address(Family::kIpv4, 9) == address("10.0.0.1"));
  // A link-local source is no good beyond the link: the machine's global one first.
  CHECK(view.source_address(Family::kIpv4, 7) == address("10.0.0.1"));
  CHECK(view.source_address(Family::kIpv6, 5) == address("2001:db8::1"));
  CHECK(view.source_address(Family::kIpv6, 2) == address("2001:db8::1"));

  view.local_addresses = {own("127.0.0.1", 1), own("fe80::2", 2)};
  CHECK(view.source_address(Family::kIpv4, 2) == IpAddress{});
  CHECK(view.source_address(Family::kIpv6, 2) == address("fe80::2"));
  CHECK(view.source_address(Family::kIpv6, 3) == IpAddress{});
}

}  // namespace uvs::test

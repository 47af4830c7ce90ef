// Routes as they change in a real kernel: taken up from their events where those tell enough, and equal to a dump in
// any case.
#include "host/route_mirror.h"

#include <arpa/inet.h>
#include <linux/nexthop.h>
#include <net/if.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "watched_machine.h"

namespace uvs::test {
namespace {

constexpr unsigned kGroups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};

NetlinkSocket open_socket(std::span<const unsigned> groups = {}) {
  auto socket = NetlinkSocket::open(groups);
  REQUIRE(socket.ok());
  return std::move(socket.value());
}

struct Followed {
  Followed() { dump(); }

  void dump() {
    bool is_whole = false;
    REQUIRE(mirror.dump(requests, is_whole).ok());
    REQUIRE(is_whole);
    (void)read();
  }
  // True: the events told all.
  bool read() {
    bool is_told = true;
    REQUIRE(events.drain([&](const NetlinkMessage& message) { is_told &= mirror.apply(message); }) == 0);
    mirror.settle();
    return is_told;
  }
  bool follows(const std::string& command) {
    run(command);
    return read();
  }

  NetlinkSocket events = open_socket(kGroups), requests = open_socket();
  RouteMirror mirror{open_socket()};
};

std::vector<std::string> destinations() {
  std::vector<std::string> list = {"192.0.2.1", "10.5.0.1", "10.5.0.9", "10.5.0.255", "10.5.1.9", "2001:db8:5::1",
                                   "2001:db8:5::9", "2001:db8:99::1"};
  for (int i = 0; i < 6; i++) {
    list.push_back("10.6." + std::to_string(i) + ".9");
    list.push_back("2001:db8:6" + std::to_string(i) + "::9");
  }
  return list;
}

void check_equals_kernel(Followed& followed) {
  const auto state_of = [](Followed& one) {
    return ways_in(one.mirror.table(), destinations()) + std::to_string(one.mirror.table().size());
  };
  // The kernel adds routes of its own (link-local ones) when it comes to them, between two readings too.
  std::string ours, kernels;
  const bool is_equal = eventually([&] {
    Followed fresh;
    ours = state_of(followed);
    kernels = state_of(fresh);
    if (ours != kernels) (void)followed.read();
    return ours == kernels;
  });
  CHECK_MESSAGE(is_equal, ours, " is not ", kernels);
}

struct Routes {
  Routes() {
    // Without duplicate detection no address comes up, and no route with it, at a time of its own.
    run("sysctl -qw net.ipv6.conf.uvsio-near.accept_dad=0 net.ipv6.conf.all.disable_ipv6=0 "
        "net.ipv6.conf.uvsio-near.disable_ipv6=0");
    run("ip addr add 10.5.0.1/24 dev uvsio-near && ip addr add 2001:db8:5::1/64 dev uvsio-near nodad");
  }
  ScratchNetwork network;
};

TEST_CASE("what events tell is taken up without a dump: a new device, routes that come, change and go") {
  UVS_REQUIRES("root");
  Routes routes;
  Followed followed;
  for (const char* command : {
           "ip link add uvsio-new type veth peer name uvsio-peer && ip link set uvsio-peer up && ip link set uvsio-new up && ip addr add 10.5.1.1/24 dev uvsio-new",
           "ip addr add 2001:db8:99::2/64 dev uvsio-near nodad",
           "ip route add default via 10.5.0.2",
           "ip route add 10.6.0.0/24 via 10.5.0.2",
           "ip route replace 10.6.0.0/24 via 10.5.0.3",
           "ip route append 10.6.0.0/24 via 10.5.0.4",
           "ip route prepend 10.6.0.0/24 via 10.5.0.5",
           "ip route replace 10.6.0.0/24 via 10.5.0.6",  // the first of three
           "ip route del 10.6.0.0/24 via 10.5.0.3 2>/dev/null || ip route del 10.6.0.0/24 via 10.5.0.6",
           "ip route add 10.6.1.0/24 nexthop via 10.5.0.2 weight 3 nexthop via 10.5.0.3",
           "ip route replace 10.6.1.0/24 nexthop via 10.5.0.2 nexthop via 10.5.0.4",
           "ip route add 10.6.2.0/24 via 10.5.0.2 metric 10 && ip route add 10.6.2.0/24 via 10.5.0.3 metric 5",
           "ip route del 10.6.2.0/24 metric 5",
           "ip route add throw 10.6.3.0/24 && ip route add blackhole 10.6.4.0/24 && ip route del 10.6.4.0/24",
           "ip -6 route add 2001:db8:60::/64 via 2001:db8:5::2",
           "ip -6 route replace 2001:db8:60::/64 via 2001:db8:5::3",
           "ip -6 route add 2001:db8:61::/64 nexthop via 2001:db8:5::2 nexthop via 2001:db8:5::3",
           "ip -6 route del 2001:db8:60::/64",
       }) {
    CAPTURE(command);
    CHECK(followed.follows(command));
    check_equals_kernel(followed);
  }
}

TEST_CASE("what events don't tell asks for a dump") {
  UVS_REQUIRES("root");
  Routes routes;
  Followed followed;
  run("ip -6 route add 2001:db8:60::/64 via 2001:db8:5::2");
  REQUIRE(followed.read());
  // A leg of a multipath route, from here on.
  CHECK_FALSE(followed.follows("ip -6 route append 2001:db8:60::/64 via 2001:db8:5::3"));
  followed.dump();
  check_equals_kernel(followed);
}

TEST_CASE("events of before a dump that come after it do no harm") {
  UVS_REQUIRES("root");
  Routes routes;
  std::mt19937 random(3);
  for (int round = 0; round < 30; round++) {
    CAPTURE(round);
    Followed followed;
    FILE* batch = popen("ip -force -batch - >/dev/null 2>&1", "w");
    REQUIRE(batch != nullptr);
    for (int i = 0; i < 40; i++) {
      const char* verbs[] = {"add", "replace", "append", "prepend", "del"};
      std::fprintf(batch, "route %s 10.6.%u.0/24 via 10.5.0.%u\n", verbs[random() % 5], unsigned(random() % 3),
                   unsigned(2 + random() % 3));
      std::fprintf(batch, "route %s 2001:db8:6%u::/64 via 2001:db8:5::%u\n", verbs[random() % 5],
                   unsigned(random() % 3), unsigned(2 + random() % 3));
    }
    pclose(batch);
    bool is_whole = false;
    REQUIRE(followed.mirror.dump(followed.requests, is_whole).ok());
    if (!followed.read()) followed.dump();
    check_equals_kernel(followed);
    // And one after the other, without.
    for (int i = 0; i < 5; i++) {
      (void)!std::system(("ip route append 10.6.0.0/24 via 10.5.0." + std::to_string(2 + random() % 5) +
                          " 2>/dev/null; ip route del 10.6.1.0/24 2>/dev/null").c_str());
      if (!followed.read()) followed.dump();
      check_equals_kernel(followed);
    }
  }
}

TEST_CASE("throw ends the search, and a route's MTU and all 16 bits of a weight reach the table") {
  UVS_REQUIRES("root");
  Routes routes;
  run("ip route add default via 10.5.0.2 && ip route add throw 10.6.3.0/24");
  run("ip route add 10.6.0.0/24 via 10.5.0.2 mtu 1400 && ip -6 route add 2001:db8:60::/64 via 2001:db8:5::2 mtu 1300");
  run("ip nexthop add id 1 via 10.5.0.2 dev uvsio-near && ip nexthop add id 2 via 10.5.0.3 dev uvsio-near");
  nhmsg body{};
  body.nh_family = AF_UNSPEC;
  NetlinkRequest request(RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, body);
  request.value(NHA_ID, uint32_t{10});
  // {id, weight - 1, its upper half, reserved}: 768 and 256.
  struct {
    uint32_t id;
    uint8_t weight, weight_high;
    uint16_t reserved;
  } const members[2] = {{1, 0xff, 2, 0}, {2, 0xff, 0, 0}};
  request.bytes(NHA_GROUP, members, sizeof(members));
  NetlinkSocket netlink = open_socket();
  const bool has_wide_weights = netlink.request(request) == 0;
  if (has_wide_weights) run("ip route add 10.6.1.0/24 nhid 10");

  Followed followed;
  const RouteTable& table = followed.mirror.table();
  const auto lookup = [&](const char* to, uint64_t hash = 0) {
    return table.lookup(endpoint(to).family, address(to), hash);
  };
  CHECK(lookup("10.6.2.1").next_hop == address("10.5.0.2"));
  CHECK(lookup("10.6.3.1").kind == RouteKind::kUnreachable);
  CHECK(lookup("10.6.2.1").mtu == 0);
  CHECK(lookup("10.6.0.1").mtu == 1400);
  CHECK(lookup("2001:db8:60::1").mtu == 1300);
  if (!has_wide_weights) return;  // a kernel before 6.12
  int first = 0;
  for (uint64_t hash = 0; hash < 4000; hash++)
    first += lookup("10.6.1.1", hash * 0x9e3779b97f4a7c15ULL).next_hop == address("10.5.0.2") ? 1 : 0;
  CHECK(first > 2800);
  CHECK(first < 3200);
}

// As words: what `ip route get` says, and what the table does.
std::string way_in_kernel(const std::string& to) {
  FILE* output = popen(("ip -o route get " + to + " 2>&1").c_str(), "r");
  REQUIRE(output != nullptr);
  char line[512] = "";
  (void)std::fgets(line, sizeof(line), output);
  pclose(output);
  std::istringstream words(line);
  std::string word, gateway, device;
  bool is_local = false, is_first = true;
  while (words >> word) {
    if (is_first && word == "RTNETLINK") return "unreachable";
    if (is_first && word == "local") is_local = true;
    if (word == "via") words >> gateway;
    if (word == "dev") words >> device;
    is_first = false;
  }
  return is_local ? "local" : device + " " + gateway;
}

std::string way_in_table(const RouteTable& table, const std::string& to) {
  const Endpoint end = endpoint(to);
  const RouteLookup way = table.lookup(end.family, end.address, 0);
  if (way.kind == RouteKind::kLocal) return "local";
  if (way.kind != RouteKind::kUnicast) return "unreachable";
  char name[IF_NAMESIZE] = "", text[INET6_ADDRSTRLEN] = "";
  if_indextoname(way.ifindex, name);
  if (way.next_hop == end.address) return std::string(name) + " ";
  inet_ntop(way.next_hop_family == Family::kIpv4 ? AF_INET : AF_INET6, way.next_hop.bytes.data(), text, sizeof(text));
  return std::string(name) + " " + text;
}

void check_is_kernels(const RouteTable& table, const std::vector<std::string>& to) {
  for (const std::string& address : to) {
    CAPTURE(address);
    CHECK(way_in_table(table, address) == way_in_kernel(address));
  }
}

TEST_CASE("local and main table: one for IPv4 until there is a policy rule, two from then on and for IPv6") {
  UVS_REQUIRES("root");
  Routes routes;
  run("ip link set lo up && ip route add local 10.6.0.0/16 dev lo && ip -6 route add local 2001:db8:60::/44 dev lo");
  run("ip route add 10.6.1.0/24 via 10.5.0.2 && ip -6 route add 2001:db8:61::/48 via 2001:db8:5::2");
  run("ip route add 10.6.2.0/24 via 10.5.0.2 && ip -6 route add 2001:db8:62::/48 via 2001:db8:5::2");
  run("ip route add throw 10.6.2.0/25 table local && ip -6 route add throw 2001:db8:62::/64 table local");
  run("ip route add throw 10.6.2.8/32 && ip -6 route add throw 2001:db8:62::8/128");
  const std::vector<std::string> to = {"10.6.0.9",        "10.6.1.9",        "10.6.2.9",        "10.6.2.8",
                                       "10.6.2.200",      "2001:db8:60::9",  "2001:db8:61::9",  "2001:db8:62::9",
                                       "2001:db8:62::8",  "2001:db8:62:1::", "10.5.0.1",        "2001:db8:5::1"};
  WatchedMachine machine;
  const auto check = [&] {
    const std::lock_guard lock(machine.events.mutex);
    check_is_kernels(machine.events.view->routes, to);
  };
  CHECK(machine.events.lookup("10.6.1.9").kind == RouteKind::kUnicast);
  check();
  run("ip rule add from 192.0.2.77 table 77");
  CHECK(eventually([&] { return machine.events.lookup("10.6.1.9").kind == RouteKind::kLocal; }));
  check();
  run("ip rule del from 192.0.2.77 table 77");
  CHECK(eventually([&] {
    const std::lock_guard lock(machine.events.mutex);
    return !machine.events.view->has_policy_rules;
  }));
  check();
}

TEST_CASE("ignore_routes_with_linkdown: what has no carrier is passed over, as soon as the setting says so") {
  UVS_REQUIRES("root");
  Routes routes;
  run("ip link add uvsio-new type veth peer name uvsio-peer && ip link set uvsio-peer up && ip link set uvsio-new up");
  run("ip addr add 10.5.1.1/24 dev uvsio-new && ip addr add 2001:db8:51::1/64 dev uvsio-new nodad");
  for (const char* command : {
           "ip route add 10.6.0.0/16 via 10.5.0.2 && ip -6 route add 2001:db8:60::/44 via 2001:db8:5::2",
           "ip route add 10.6.1.0/24 via 10.5.1.2 && ip -6 route add 2001:db8:61::/48 via 2001:db8:51::2",
           "ip route add 10.6.2.0/24 via 10.5.1.2 metric 5 && ip route add 10.6.2.0/24 via 10.5.0.3 metric 9",
           "ip -6 route add 2001:db8:62::/48 via 2001:db8:51::2 metric 5",
           "ip -6 route add 2001:db8:62::/48 via 2001:db8:5::3 metric 9",
       }) {
    run(command);
  }
  const std::vector<std::string> to = {"10.6.0.9", "10.6.1.9", "10.6.2.9", "10.5.1.9", "2001:db8:60::9",
                                       "2001:db8:61::9", "2001:db8:62::9", "2001:db8:51::9"};
  WatchedMachine machine;
  const auto is_kernels = [&] {
    const std::lock_guard lock(machine.events.mutex);
    return std::ranges::all_of(to, [&](const std::string& address) {
      return way_in_table(machine.events.view->routes, address) == way_in_kernel(address);
    });
  };
  const auto check = [&] {
    if (eventually(is_kernels)) return;
    const std::lock_guard lock(machine.events.mutex);
    check_is_kernels(machine.events.view->routes, to);
  };
  for (const char* command : {"ip link set uvsio-peer down", "sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=1",
                              "sysctl -qw net.ipv6.conf.uvsio-new.ignore_routes_with_linkdown=1", "ip link set uvsio-peer up",
                              "ip link set uvsio-peer down", "sysctl -qw net.ipv4.conf.all.ignore_routes_with_linkdown=0"}) {
    CAPTURE(command);
    run(command);
    check();
  }
}

}  // namespace
}  // namespace uvs::test

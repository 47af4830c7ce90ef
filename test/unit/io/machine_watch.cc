// Housekeeping against a real kernel, in a namespace of its own: what changes on the machine
// reaches the view, the devices, the neighbours. Every wait is for a state.
#include "host/machine_watch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "host/addresses.h"
#include "host/neighbours.h"
#include "host/virtual_mac.h"
#include "watched_machine.h"

namespace uvs::test {
namespace {

TEST_CASE("devices are followed as they come, change and go") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  WatchedMachine machine;
  CHECK(machine.follower.mac(network.near()) == mac_of(ScratchNetwork::kNear));
  CHECK(machine.follower.count() == 2);  // not lo

  run("ip link add uvsio-new type veth peer name uvsio-peer");
  const uint32_t added = if_nametoindex("uvsio-new");
  CHECK_FALSE(machine.follower.mac(added));  // still down
  run("ip link set uvsio-new up");
  CHECK(eventually([&] { return machine.follower.mac(added).has_value(); }));
  run("ip link set uvsio-new address 02:00:00:00:00:42");
  CHECK(eventually([&] {
    return machine.follower.mac(added) == MacAddress{{2, 0, 0, 0, 0, 0x42}};
  }));
  run("ip link set uvsio-new down");
  CHECK(eventually([&] { return !machine.follower.mac(added); }));
  CHECK(machine.events.has("detached uvsio-new: it is down"));
  run("ip link set uvsio-new up");
  CHECK(eventually([&] { return machine.follower.mac(added).has_value(); }));
  run("ip link add uvsio-br type bridge && ip link set uvsio-new master uvsio-br && ip link set "
      "uvsio-br up");
  CHECK(eventually([&] {
    return !machine.follower.mac(added) && machine.follower.mac(if_nametoindex("uvsio-br"));
  }));
  run("ip link del uvsio-br");
  CHECK(eventually([&] { return machine.follower.mac(added).has_value(); }));
  run("ip link del uvsio-new");
  CHECK(eventually([&] { return machine.events.has("detached uvsio-new: it was removed"); }));
  CHECK_FALSE(machine.follower.mac(added));
}

TEST_CASE("named devices alone are attached to, by name wherever it is") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  WatchedMachine machine(std::vector<std::string>{ScratchNetwork::kNear});
  CHECK(machine.follower.count() == 1);
  const uint32_t near = network.near();
  run("ip link set uvsio-near down && ip link set uvsio-near name uvsio-else && ip link set "
      "uvsio-else up");
  CHECK(eventually([&] { return !machine.follower.mac(near); }));
  CHECK(eventually([&] {
    for (const DeviceState& state : machine.watch->devices()) {
      if (state.name == "uvsio-near") return state.reason == "there is no such device";
    }
    return false;
  }));
  run("ip link set uvsio-else down && ip link set uvsio-else name uvsio-near && ip link set "
      "uvsio-near up");
  CHECK(eventually([&] { return machine.follower.mac(near).has_value(); }));
}

TEST_CASE("a named device brings its virtual MACs along, and no other child") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  constexpr MacAddress kVirtualMac{{0, 0, 0x5e, 0, 1, 51}};
  REQUIRE(add_virtual_mac("uvsio-vrrp1", ScratchNetwork::kNear, kVirtualMac).ok());
  WatchedMachine machine(std::vector<std::string>{ScratchNetwork::kNear});
  CHECK(machine.follower.mac(if_nametoindex("uvsio-vrrp1")) == kVirtualMac);
  CHECK(machine.follower.count() == 2);

  run("ip link add uvsio-mv link uvsio-near type macvlan && ip link set uvsio-mv up");
  REQUIRE(add_virtual_mac("uvsio-vrrp2", ScratchNetwork::kNear, {{0, 0, 0x5e, 0, 1, 52}}).ok());
  REQUIRE(add_virtual_mac("uvsio-vrrp3", ScratchNetwork::kFar, {{0, 0, 0x5e, 0, 1, 53}}).ok());
  const uint32_t second = if_nametoindex("uvsio-vrrp2");
  CHECK(eventually([&] { return machine.follower.mac(second).has_value(); }));
  CHECK(eventually([&] {
    const auto states = machine.watch->devices();
    return std::any_of(states.begin(), states.end(), [](const DeviceState& state) {
      return state.name == "uvsio-vrrp3" && !state.reason.empty();
    });
  }));
  CHECK(machine.follower.count() == 3);
  REQUIRE(remove_virtual_mac("uvsio-vrrp2").ok());
  CHECK(eventually([&] { return !machine.follower.mac(second); }));
}

TEST_CASE("a named device that is not there stops a start") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  RecordingFollower follower;
  RecordingEvents events;
  const auto started =
      MachineWatch::start({std::vector<std::string>{"uvsio-none"}}, neighbours, follower, events);
  REQUIRE_FALSE(started.ok());
  CHECK(started.status().code == ErrorCode::kDeviceMissing);
  CHECK(started.status().message.find("uvsio-none") != std::string::npos);
}

TEST_CASE("which sources a device takes reaches the view, whoever changes it and wherever") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.uvsio-near.rp_filter=0");
  run("ip addr add 10.5.0.1/24 brd 10.5.0.255 dev uvsio-near");
  WatchedMachine machine;
  const auto rules = [&] {
    const std::lock_guard lock(machine.events.mutex);
    return machine.events.view->find_link(network.near())->ipv4_source;
  };
  const auto becomes = [&](const Ipv4SourceRules& wanted) {
    return eventually([&] { return rules() == wanted; });
  };
  CHECK(rules() == Ipv4SourceRules{});
  CHECK(machine.events.lookup("10.5.0.255").kind == RouteKind::kBroadcast);
  run("sysctl -qw net.ipv4.conf.all.rp_filter=2");
  CHECK(becomes({.rp_filter = 2}));
  run("sysctl -qw net.ipv4.conf.uvsio-near.rp_filter=1");  // the greater counts
  CHECK(becomes({.rp_filter = 2}));
  run("sysctl -qw net.ipv4.conf.all.rp_filter=0");
  CHECK(becomes({.rp_filter = 1}));
  // No event tells of these.
  run("sysctl -qw net.ipv4.conf.uvsio-near.accept_local=1 net.ipv4.conf.all.route_localnet=1");
  CHECK(becomes({.rp_filter = 1, .accept_local = true, .route_localnet = true}));

  const auto has_policy_rules = [&] {
    const std::lock_guard lock(machine.events.mutex);
    return machine.events.view->has_policy_rules;
  };
  CHECK_FALSE(has_policy_rules());
  run("ip rule add from 10.5.0.0/24 table 77");
  CHECK(eventually(has_policy_rules));
  run("ip rule del from 10.5.0.0/24 table 77");
  CHECK(eventually([&] { return !has_policy_rules(); }));
}

TEST_CASE("routes and addresses reach the view") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  WatchedMachine machine;
  const uint32_t near = network.near(), far = network.far();
  const RecordingEvents& events = machine.events;
  CHECK(events.lookup("10.5.0.1").kind == RouteKind::kUnreachable);

  run("ip addr add 10.5.0.1/24 dev uvsio-near");
  REQUIRE(eventually([&] { return events.lookup("10.5.0.9").kind == RouteKind::kUnicast; }));
  CHECK(events.lookup("10.5.0.9").ifindex == near);
  CHECK(events.lookup("10.5.0.9").next_hop == address("10.5.0.9"));
  CHECK(events.lookup("10.5.0.1").kind == RouteKind::kLocal);
  CHECK(events.is_local("10.5.0.1"));
  CHECK(events.has("addresses"));

  run("ip route add default via 10.5.0.254");
  run("ip route add 10.6.0.0/16 nexthop via 10.5.0.2 dev uvsio-near weight 1 nexthop via 10.5.0.3 "
      "dev uvsio-near weight 3");
  run("ip route add blackhole 10.7.0.0/16");
  run("ip route add unreachable 10.8.0.0/16");
  run("ip route add prohibit 10.9.0.0/16");
  run("sysctl -qw net.ipv6.conf.uvsio-far.disable_ipv6=0");
  run("ip route add 10.10.0.0/16 via inet6 fe80::1 dev uvsio-far");
  run("ip route add local 10.11.0.0/16 dev lo");
  run("ip nexthop add id 7 via 10.5.0.7 dev uvsio-near && ip route add 10.12.0.0/16 nhid 7");
  run("ip route add 10.13.0.0/16 via 10.5.0.1 table 77 2>/dev/null || ip route add 10.13.0.0/16 "
      "dev uvsio-near table 77");
  run("ip route add 10.14.0.0/16 dev uvsio-near metric 50 && ip route add 10.14.0.0/16 dev "
      "uvsio-far metric 10");
  REQUIRE(eventually([&] { return events.lookup("10.14.0.1").ifindex == far; }));
  CHECK(events.lookup("192.0.2.1").next_hop == address("10.5.0.254"));
  for (const char* to : {"10.7.0.1", "10.8.0.1", "10.9.0.1"}) {
    CAPTURE(to);
    CHECK(events.lookup(to).kind == RouteKind::kUnreachable);
  }
  CHECK(events.lookup("10.10.0.1").next_hop_family == Family::kIpv6);
  CHECK(events.lookup("10.10.0.1").next_hop == address("fe80::1"));
  CHECK(events.lookup("10.10.0.1").ifindex == far);
  CHECK(events.lookup("10.11.5.5").kind == RouteKind::kLocal);
  CHECK(events.lookup("10.12.0.1").next_hop == address("10.5.0.7"));
  CHECK(events.lookup("10.13.0.1").next_hop == address("10.5.0.254"));  // other tables don't count
  std::map<std::string, int> shares;
  for (uint64_t hash = 0; hash < 4000; hash++) {
    shares[events.lookup("10.6.0.1", hash * 0x9e3779b97f4a7c15ULL).next_hop == address("10.5.0.2")
               ? "one"
               : "three"]++;
  }
  CHECK(shares["one"] > 700);
  CHECK(shares["one"] < 1300);

  run("ip link set uvsio-far down");
  CHECK(eventually([&] { return events.lookup("10.14.0.1").ifindex == near; }));
  run("ip addr del 10.5.0.1/24 dev uvsio-near");
  CHECK(eventually([&] { return !events.is_local("10.5.0.1"); }));
  CHECK(eventually([&] { return events.lookup("10.5.0.9").kind == RouteKind::kUnreachable; }));
  CHECK(machine.watch->local_addresses().size() == 1);  // 127.0.0.1
}

TEST_CASE("IPv6 routes reach the view, and nothing new means no new view") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0 "
      "net.ipv6.conf.lo.disable_ipv6=0");
  WatchedMachine machine;
  const RecordingEvents& events = machine.events;
  run("ip addr add 2001:db8:5::1/64 dev uvsio-near nodad");
  run("ip -6 route add default via 2001:db8:5::fe");
  run("ip -6 route add 2001:db8:6::/48 nexthop via 2001:db8:5::2 nexthop via 2001:db8:5::3");
  run("ip -6 route add blackhole 2001:db8:7::/48");
  REQUIRE(eventually([&] {
    return events.lookup("2001:db8:7::1").kind == RouteKind::kUnreachable &&
           events.lookup("2001:db8:99::1").kind == RouteKind::kUnicast;
  }));
  CHECK(events.lookup("2001:db8:99::1").next_hop == address("2001:db8:5::fe"));
  CHECK(events.lookup("2001:db8:5::9").next_hop == address("2001:db8:5::9"));
  CHECK(events.is_local("2001:db8:5::1"));
  std::set<std::string> hops;
  for (uint64_t hash = 0; hash < 64; hash++) {
    const RouteLookup found = events.lookup("2001:db8:6::1", hash * 0x9e3779b97f4a7c15ULL);
    hops.insert(std::string(found.next_hop.bytes.begin(), found.next_hop.bytes.end()));
  }
  CHECK(hops.size() == 2);

  const uint32_t before = events.generation();
  run("ip link set uvsio-near txqueuelen 500 && ip link set uvsio-near txqueuelen 1000");
  usleep(60'000);  // several times what changes are gathered for
  CHECK(events.generation() == before);
}

TEST_CASE("policy rules that can't be honoured are told, once") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  WatchedMachine machine;
  CHECK_FALSE(machine.events.has("warning"));
  run("ip rule add from 10.0.0.0/8 table 77 pref 100");
  CHECK(eventually([&] { return machine.events.has("warning policy rule 100 (IPv4)"); }));
}

// A next hop on the far side: the kernel itself answers ARP there, in its own name.
struct Neighbourhood {
  Neighbourhood() {
    run("ip netns add uvsio-hop");
    run("ip link set uvsio-far netns uvsio-hop");
    run("ip -n uvsio-hop link set uvsio-far address 02:00:00:00:00:77 up");
    run("ip -n uvsio-hop addr add 10.5.0.2/24 dev uvsio-far");
    run("ip addr add 10.5.0.1/24 dev uvsio-near");
  }
  ~Neighbourhood() { (void)!std::system("ip netns del uvsio-hop"); }
};

TEST_CASE("next hops are resolved, fail, come back and change") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Neighbourhood hood;
  WatchedMachine machine;
  NeighbourTable& table = machine.neighbours;
  const auto ask = [&](const char* text) {
    const NeighbourIndex index =
        table.find_or_request({network.near(), Family::kIpv4, address(text)});
    table.touch(index, monotonic_now());
    (void)!write(machine.watch->wake_descriptor(), "\1\0\0\0\0\0\0\0", 8);
    return index;
  };
  const NeighbourIndex there = ask("10.5.0.2"), absent = ask("10.5.0.3");
  CHECK(eventually([&] { return table.answer(there).state == NeighbourState::kResolved; },
                   kMicrosPerSecond));
  CHECK(table.answer(there).mac == MacAddress{{2, 0, 0, 0, 0, 0x77}});
  CHECK(table.answer(absent).state == NeighbourState::kRequested);
  CHECK(eventually([&] { return table.answer(absent).state == NeighbourState::kFailed; }));

  // While packets want it, it is asked for again.
  run("ip -n uvsio-hop addr add 10.5.0.3/24 dev uvsio-far");
  CHECK(eventually([&] {
    table.touch(absent, monotonic_now());
    return table.answer(absent).state == NeighbourState::kResolved;
  }));

  // Permanent entries, and what is known before it is asked for.
  run("ip neigh add 10.5.0.4 lladdr 02:00:00:00:00:44 dev uvsio-near nud permanent");
  const NeighbourIndex fixed = ask("10.5.0.4");
  CHECK(eventually([&] { return table.answer(fixed).mac == MacAddress{{2, 0, 0, 0, 0, 0x44}}; }));
  run("ip neigh change 10.5.0.4 lladdr 02:00:00:00:00:45 dev uvsio-near nud permanent");
  CHECK(eventually([&] { return table.answer(fixed).mac == MacAddress{{2, 0, 0, 0, 0, 0x45}}; }));

  // A server that was replaced without a word: found because the entry in use is refreshed when it
  // is stale.
  run("sysctl -qw net.ipv4.neigh.uvsio-near.base_reachable_time_ms=200 "
      "net.ipv4.neigh.uvsio-near.delay_first_probe_time=1 "
      "net.ipv4.neigh.uvsio-near.gc_stale_time=1");
  run("ip -n uvsio-hop link set uvsio-far down");
  run("ip -n uvsio-hop link set uvsio-far address 02:00:00:00:00:78 up");
  CHECK(eventually(
      [&] {
        table.touch(there, monotonic_now());
        return table.answer(there).mac == MacAddress{{2, 0, 0, 0, 0, 0x78}};
      },
      15 * kMicrosPerSecond));
}

std::string neighbour_in_kernel(const std::string& at) {
  FILE* output = popen(("ip neigh show " + at + " dev uvsio-near").c_str(), "r");
  REQUIRE(output != nullptr);
  char line[256] = "";
  (void)std::fgets(line, sizeof(line), output);
  pclose(output);
  return line;
}

// The kernel knows a thousand neighbours, no more. Whoever makes up sources on the link must not fill that with questions
// that are asked for ever.
TEST_CASE("a next hop that failed is asked for again when somebody wants it, and not before") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("ip addr add 10.5.0.1/24 dev uvsio-near");
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  NeighbourResolver resolver(table);
  auto questions = NetlinkSocket::open(), requests = NetlinkSocket::open();
  REQUIRE(questions.ok());
  REQUIRE(requests.ok());
  const auto is_asked = [] { return neighbour_in_kernel("10.5.0.77").find("FAILED") == std::string::npos; };
  Micros now = kMicrosPerSecond;
  const NeighbourIndex index = table.find_or_request({network.near(), Family::kIpv4, address("10.5.0.77")});
  table.touch(index, now);
  (void)resolver.sweep(questions.value(), now);
  CHECK(neighbour_in_kernel("10.5.0.77").find("INCOMPLETE") != std::string::npos);
  run("ip neigh replace 10.5.0.77 dev uvsio-near nud failed");
  bool has_answered = false;
  REQUIRE(resolver.dump(requests.value(), now, has_answered).ok());
  CHECK(table.answer(index).state == NeighbourState::kFailed);
  for (int second = 0; second < 4; second++) {
    now += kMicrosPerSecond;
    (void)resolver.sweep(questions.value(), now);
    CHECK_FALSE(is_asked());
  }
  table.touch(index, now);
  (void)resolver.sweep(questions.value(), now);
  CHECK(is_asked());
}

TEST_CASE("addresses of ours come, go, and are found again") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  HostAddress vip;
  vip.address = address("10.5.0.100");
  vip.device = ScratchNetwork::kNear;
  vip.label = "uvsio-near:1";
  vip.scope = HostAddress::Scope::kLink;
  vip.broadcast = address("10.5.0.255");
  vip.prefix_length = 24;
  REQUIRE(add_address(vip).ok());
  REQUIRE(add_address(vip).ok());
  run("ip -o addr show dev uvsio-near | grep '10.5.0.100/24 brd 10.5.0.255 scope link' | grep -q "
      "uvsio-near:1");
  REQUIRE(remove_address(vip).ok());
  REQUIRE(remove_address(vip).ok());
  run("! ip -o addr show dev uvsio-near | grep -q 10.5.0.100");

  run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0");
  HostAddress six;
  six.family = Family::kIpv6;
  six.address = address("2001:db8:5::100");
  six.prefix_length = 128;
  six.device = ScratchNetwork::kNear;
  REQUIRE(add_address(six).ok());
  run("ip -o -6 addr show dev uvsio-near | grep 2001:db8:5::100/128 | grep -q nodad");
  REQUIRE(add_address(vip).ok());
  run("ip addr add 10.6.0.7/24 dev uvsio-near");
  REQUIRE(remove_leftover_addresses({{Family::kIpv4, vip.address, 0}}).ok());
  run("ip -o addr show dev uvsio-near | grep -q 10.5.0.100");
  run("ip -o addr show dev uvsio-near | grep -q 10.6.0.7");
  run("! ip -o addr show dev uvsio-near | grep -q 2001:db8:5::100");
  REQUIRE(remove_address(six).ok());

  run("ip link set uvsio-near down && ip link set uvsio-near name uvsio-new");
  REQUIRE(remove_address(vip).ok());
  run("! ip -o addr show | grep -q 10.5.0.100");
  run("ip -o addr show dev uvsio-new | grep -q 10.6.0.7");
  run("ip link set uvsio-new name uvsio-near");

  vip.device = "uvsio-none";
  CHECK(add_address(vip).code == ErrorCode::kDeviceMissing);
  CHECK(remove_address(vip).ok());
}

TEST_CASE("what is ours is looked after as soon as a filter or its qdisc goes") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  std::atomic<int> looks = 0;
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  RecordingFollower follower;
  RecordingEvents events;
  auto started = MachineWatch::start(
      {.look_after_ours = [&looks] { looks++; }, .look_interval = 3600 * kMicrosPerSecond}, neighbours, follower, events);
  REQUIRE(started.ok());
  run("tc qdisc add dev uvsio-near clsact && tc filter add dev uvsio-near ingress protocol ip prio 9 bpf bytecode '1,6 0 0 0'");
  for (const char* removal : {"filter del dev uvsio-near ingress", "qdisc del dev uvsio-near clsact"}) {
    CAPTURE(removal);
    const int before = looks;
    run(std::string("tc ") + removal);
    CHECK(eventually([&] { return looks > before; }));
  }
}

}  // namespace
}  // namespace uvs::test

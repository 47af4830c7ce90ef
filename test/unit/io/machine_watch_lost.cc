// Events that the kernel threw away: what is known of the machine equals the kernel all the same, for every kind of
// object. Seeded changes, far more at once than the buffer for events holds.
#include <linux/neighbour.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <sstream>

#include "watched_machine.h"

namespace uvs::test {
namespace {

constexpr int kSmallest_bytes = 1;  // the kernel makes of it what a message or two need
constexpr int kNeighbours = 12;

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  char digits[3];
  for (const uint8_t byte : bytes) {
    std::snprintf(digits, sizeof(digits), "%02x", byte);
    text += digits;
  }
  return text;
}

// The destinations of all routes that the changes make.
std::vector<std::string> destinations() {
  std::vector<std::string> list = {"192.0.2.1", "2001:db8:ffff::1"};
  for (int i = 0; i < 6; i++) {
    const std::string n = std::to_string(i);
    for (const char* net : {"10.5.", "10.6.", "10.7."}) list.push_back(net + n + ".9");
    for (const char* net : {"2001:db8:5", "2001:db8:6"}) list.push_back(net + n + "::9");
    list.push_back("10.5." + n + ".1");
    list.push_back("10.5." + n + ".255");
  }
  return list;
}

// Everything but neighbours, in words.
std::string told_by(const WatchedMachine& machine) {
  std::ostringstream text;
  for (const DeviceState& device : machine.watch->devices()) {
    text << device.name << ' ' << device.ifindex << ' ' << hex(device.mac.bytes) << ' ' << device.mtu << ' '
         << device.is_attached << ' ' << device.reason << '\n';
  }
  const std::lock_guard lock(machine.events.mutex);
  const HostView& view = *machine.events.view;
  for (const Link& link : view.links)
    text << "link " << link.ifindex << ' ' << link.mtu << ' ' << hex(link.mac.bytes) << ' ' << link.is_up << '\n';
  for (const LocalAddress& at : view.local_addresses)
    text << "address " << hex(at.address.bytes) << '/' << int{at.prefix_length} << ' ' << at.ifindex << '\n';
  text << "rules " << view.has_policy_rules << "\nroutes " << view.routes.size() << '\n';
  text << ways_in(view.routes, destinations());
  return text.str();
}

std::string neighbour(int i) { return "10.5.0." + std::to_string(10 + i); }

struct KernelNeighbour {
  uint16_t state = 0;
  MacAddress mac;
};

std::map<std::array<uint8_t, 16>, KernelNeighbour> kernel_neighbours() {
  auto netlink = NetlinkSocket::open();
  REQUIRE(netlink.ok());
  std::map<std::array<uint8_t, 16>, KernelNeighbour> known;
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{});
  REQUIRE(netlink.value().request(request, [&](const NetlinkMessage& message) {
    const auto attributes = message.attributes<ndmsg>();
    const auto to = attributes.find(NDA_DST);
    if (message.body<ndmsg>()->ndm_family != AF_INET || !to || (*to)[0] != 10 || (*to)[3] < 10) return;
    std::array<uint8_t, 16> key{};
    std::copy(to->begin(), to->end(), key.begin());
    known[key] = {message.body<ndmsg>()->ndm_state, attributes.value<MacAddress>(NDA_LLADDR).value_or(MacAddress{})};
  }) == 0);
  return known;
}

// What differs; empty: nothing.
std::string difference(NeighbourTable& table, const std::vector<NeighbourIndex>& slots) {
  const auto known = kernel_neighbours();
  std::string text;
  for (int i = 0; i < kNeighbours; i++) {
    const auto found = known.find(address(neighbour(i)).bytes);
    if (found == known.end()) continue;  // what was known is as good as it was
    const NeighbourAnswer answer = table.answer(slots[static_cast<size_t>(i)]);
    const bool is_resolved = answer.state == NeighbourState::kResolved;
    const bool is_valid = (found->second.state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)) != 0;
    if (is_valid && is_resolved && answer.mac == found->second.mac) continue;
    if ((found->second.state & NUD_FAILED) != 0 && !is_resolved) continue;
    if ((found->second.state & (NUD_FAILED | NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)) == 0) continue;
    text += neighbour(i) + ' ' + std::to_string(found->second.state) + ' ' + hex(found->second.mac.bytes) +
            " is told as " + std::to_string(static_cast<int>(answer.state)) + ' ' + hex(answer.mac.bytes) + '\n';
  }
  return text;
}

class Changes {
 public:
  explicit Changes(unsigned seed) : random_(seed) {}

  // Many refuse, since what they change is there or is not.
  void make(int count) {
    FILE* batch = popen("ip -force -batch - >/dev/null 2>&1", "w");
    REQUIRE(batch != nullptr);
    for (int i = 0; i < count; i++) std::fprintf(batch, "%s\n", one().c_str());
    pclose(batch);
  }

 private:
  std::string pick(std::initializer_list<const char*> of) { return of.begin()[random_() % of.size()]; }
  std::string number(unsigned below) { return std::to_string(random_() % below); }
  std::string mac() { return "02:00:00:00:0" + number(8) + ":" + std::to_string(10 + random_() % 90); }
  std::string device() { return pick({"uvsio-near", "uvsio-far"}); }
  std::string gateway() { return "via 10.5.0." + std::to_string(2 + random_() % 5) + " dev uvsio-near"; }

  std::string one() {
    const std::string n = number(6);
    switch (random_() % 14) {
      case 0:
        return "link set " + device() + " mtu " + std::to_string(1300 + random_() % 200);
      case 1:
        return "link set uvsio-far address " + mac();
      case 2:
        return random_() % 2 == 0 ? "link add uvsio-d" + n + " type veth peer name uvsio-p" + n : "link del uvsio-d" + n;
      case 3:
        return "link set uvsio-d" + n + pick({" up", " down"});
      case 4:
        return pick({"addr add", "addr del"}) + " 10.5." + n + ".1/24 brd + dev " + device();
      case 5:
        return pick({"addr add", "addr del"}) + " 2001:db8:5" + n + "::1/64 dev uvsio-near" + pick({"", " nodad"});
      case 6:
        return pick({"route replace", "route append", "route prepend"}) + " 10.6." + n + ".0/24 " + gateway();
      case 7:
        return "route replace 10.6." + n + ".0/24 nexthop " + gateway() + " weight " +
               std::to_string(1 + random_() % 9) + " nexthop " + gateway();
      case 8:
        return "route del 10.6." + n + ".0/24";
      case 9:
        return pick({"route replace", "route append", "route del"}) + " 2001:db8:6" + n + "::/64 via 2001:db8:50::" +
               std::to_string(2 + random_() % 4);
      case 10:
        return pick({"nexthop replace", "nexthop replace", "nexthop del"}) + " id " + std::to_string(1 + random_() % 3) +
               ' ' + gateway();
      case 11:
        return pick({"route replace", "route replace", "route del"}) + " 10.7." + n + ".0/24 nhid " +
               std::to_string(1 + random_() % 3);
      case 12:
        return pick({"rule add", "rule del"}) + " from 10.9.0.0/16 table 77 pref 100";
      default:
        return change_neighbour();
    }
  }
  std::string change_neighbour() {
    const std::string at = neighbour(static_cast<int>(random_() % kNeighbours)) + " dev uvsio-near";
    if (random_() % 8 == 0) return "neigh del " + at;
    if (random_() % 4 == 0) return "neigh replace " + at + " nud failed";
    return "neigh replace " + at + " lladdr " + mac() + " nud " + pick({"permanent", "permanent", "noarp", "reachable"});
  }

  std::mt19937 random_;
};

// By all sockets of this namespace.
uint64_t thrown_away() {
  std::ifstream sockets("/proc/thread-self/net/netlink");
  uint64_t sum = 0;
  std::string line;
  std::getline(sockets, line);
  while (std::getline(sockets, line)) {
    std::istringstream columns(line);
    std::string column;
    for (int i = 0; i < 9; i++) columns >> column;  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops
    sum += std::stoull(column);
  }
  return sum;
}

TEST_CASE("what is left when events are lost is read to its end at once: until then more is lost and not told") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("ip addr add 10.5.0.2/24 dev uvsio-near");
  constexpr unsigned kGroups[] = {RTNLGRP_NEIGH};
  auto events = NetlinkSocket::open(kGroups, kSmallest_bytes);
  REQUIRE(events.ok());
  for (int i = 0; i < kNeighbours; i++)
    run("ip neigh add " + neighbour(i) + " dev uvsio-near lladdr 02:00:00:00:00:01 nud permanent");
  int read = 0;
  const auto count = [&](const NetlinkMessage&) { read++; };
  CHECK(events.value().drain(count) == ENOBUFS);
  CHECK(read > 0);
  CHECK(read < kNeighbours);
  read = 0;
  CHECK(events.value().drain(count) == 0);
  CHECK(read == 0);
  run("ip neigh del " + neighbour(0) + " dev uvsio-near");
  CHECK(events.value().drain(count) == 0);
  CHECK(read > 0);
}

TEST_CASE("what is known of the machine equals the kernel however many events are lost") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0");
  run("ip addr add 10.5.0.2/24 dev uvsio-near && ip addr add 2001:db8:50::1/64 dev uvsio-near nodad");
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
    CAPTURE(seed);
    for (int i = 0; i < kNeighbours; i++)
      (void)!std::system(("ip neigh del " + neighbour(i) + " dev uvsio-near 2>/dev/null").c_str());
    WatchedMachine machine(std::nullopt, kSmallest_bytes);
    std::vector<NeighbourIndex> slots;
    for (int i = 0; i < kNeighbours; i++)
      slots.push_back(machine.neighbours.find_or_request({network.near(), Family::kIpv4, address(neighbour(i))}));
    (void)!write(machine.watch->wake_descriptor(), "\1\0\0\0\0\0\0\0", 8);
    // All are asked for before anything of them is lost.
    REQUIRE(eventually([&] { return kernel_neighbours().size() == kNeighbours; }));

    Changes(seed).make(400);
    CHECK(thrown_away() > 0);
    std::string mine, fresh;
    CHECK_MESSAGE(eventually([&] {
                    const WatchedMachine another;
                    mine = told_by(machine);
                    fresh = told_by(another);
                    return mine == fresh;
                  }),
                  (mine + "but\n" + fresh));
    std::string differing;
    CHECK_MESSAGE(eventually([&] {
                    differing = difference(machine.neighbours, slots);
                    return differing.empty();
                  }),
                  differing);
  }
}

}  // namespace
}  // namespace uvs::test

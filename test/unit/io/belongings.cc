// What is ours on a machine against a real kernel: each kind of thing is taken away in each way that there is, is found by
// the next look, and is put back; and what nobody has touched is not.
#include "host/belongings.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "../../contract/io/scratch_network.h"
#include "host/virtual_mac.h"
#include "io/monotonic_clock.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

using State = CustodyOutcome::State;

constexpr MacAddress kVirtualMac{{0, 0, 0x5e, 0, 1, 51}};

std::string shown(const std::string& arguments) {
  FILE* pipe = popen(("ip -o " + arguments).c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) text.push_back(static_cast<char>(c));
  pclose(pipe);
  return text;
}

HostAddress host_address(const std::string& text, uint8_t length, const std::string& device) {
  const Endpoint end = endpoint(text);
  HostAddress made;
  made.family = end.family;
  made.address = end.address;
  made.prefix_length = length;
  made.device = device;
  return made;
}

VirtualRouteSpec route(const std::string& to, uint8_t length, const std::string& gateway, const std::string& source = "") {
  const Endpoint end = endpoint(to);
  VirtualRouteSpec made;
  made.family = end.family;
  made.destination = end.address;
  made.length = length;
  made.gateway = address(gateway);
  if (!source.empty()) made.source = address(source);
  made.device = ScratchNetwork::kNear;
  return made;
}

// A master's machine: two families, VIPs on a device and on a virtual MAC's, routes from a VIP and plain ones.
struct Estate : ScratchNetwork {
  Estate() {
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0");
    run("ip addr add 10.5.0.1/24 dev uvsio-near");
    run("ip addr add 2001:db8:5::1/64 dev uvsio-near nodad");
    belongings = {
        {route("10.6.0.0", 16, "10.5.0.2"), "the route 10.6.0.0/16"},
        {route("10.7.0.0", 16, "10.5.0.2", "10.5.0.100"), "the route 10.7.0.0/16"},
        {route("2001:db8:6::", 48, "2001:db8:5::2"), "the route 2001:db8:6::/48"},
        {route("2001:db8:7::", 48, "2001:db8:5::2", "2001:db8:5::100"), "the route 2001:db8:7::/48"},
        {host_address("10.5.0.100", 24, kNear), "10.5.0.100/24"},
        {host_address("2001:db8:5::100", 64, kNear), "2001:db8:5::100/64"},
        {host_address("10.5.0.101", 32, "uvsio-vmac"), "10.5.0.101/32"},
        {VirtualMacSpec{"uvsio-vmac", kNear, kVirtualMac}, "uvsio-vmac"},
    };
    for (Belonging& belonging : belongings) belonging.is_our_doing = true;
    for (const CustodyOutcome& outcome : look()) CHECK(outcome.state == State::kPutBack);
    for (Belonging& belonging : belongings) belonging.is_our_doing = false;
    CHECK(custody.report().put_back == 0);
  }
  ~Estate() { (void)remove_virtual_mac("uvsio-vmac"); }

  std::vector<CustodyOutcome> look() { return look_after(custody, belongings, monotonic_now()); }
  bool is_quiet() {
    return std::ranges::all_of(look(), [](const CustodyOutcome& outcome) { return outcome.state == State::kInPlace; });
  }
  // As `ip` shows it, but for what changes by itself.
  std::string everything() {
    return shown("addr show | grep -o 'uvsio-[a-z]* *inet.*' | sed 's/valid_lft.*//' | sort") +
           shown("route show proto 117 | sort") + shown("-6 route show proto 117 | sort");
  }

  Custody custody;
  std::vector<Belonging> belongings;
};

TEST_CASE("whatever is taken away is found by the next look, told, and as it was before") {
  UVS_REQUIRES("root");
  for (const std::string command : {
           "ip addr del 10.5.0.100/24 dev uvsio-near",
           "ip addr flush dev uvsio-near scope global",
           "ip addr del 2001:db8:5::100/64 dev uvsio-near",
           "ip route del 10.6.0.0/16",
           "ip route del 10.7.0.0/16",
           "ip -6 route del 2001:db8:6::/48",
           "ip -6 route del 2001:db8:7::/48",
           "ip addr del 10.5.0.101/32 dev uvsio-vmac",
           "ip link del uvsio-vmac",
           "ip link set uvsio-vmac down",
           "ip link set uvsio-vmac address 02:00:00:00:00:09",
           "sysctl -qw net.ipv4.conf.uvsio-vmac.arp_ignore=0",
           "sysctl -qw net.ipv4.conf.uvsio-near.arp_announce=0",
           "sysctl -qw net.ipv4.conf.all.rp_filter=1",
       }) {
    CAPTURE(command);
    Estate estate;
    REQUIRE(estate.is_quiet());
    const std::string before = estate.everything();
    run(command);
    // The machine's own addresses are not ours to put back.
    if (command.find("flush") != std::string::npos) {
      run("ip addr add 10.5.0.1/24 dev uvsio-near");
      run("ip addr add 2001:db8:5::1/64 dev uvsio-near nodad");
    }
    const auto outcomes = estate.look();
    const bool is_told = std::ranges::any_of(outcomes, [](const CustodyOutcome& outcome) {
      return outcome.state == State::kPutBack && outcome.is_new && outcome.text.find("put back") != std::string::npos;
    });
    CHECK(is_told);
    CHECK(estate.everything() == before);
    CHECK(estate.custody.report().put_back > 0);
    CHECK(estate.is_quiet());
  }
}

TEST_CASE("a route of somebody else's in the place of ours: said, and neither of them harmed") {
  UVS_REQUIRES("root");
  Estate estate;
  for (const std::string command : {"ip route replace 10.6.0.0/16 via 10.5.0.9", "ip -6 route replace 2001:db8:6::/48 via 2001:db8:5::9"}) {
    CAPTURE(command);
    run(command + " dev uvsio-near");
    const auto left = [&] {
      const auto outcomes = estate.look();
      return std::ranges::any_of(outcomes, [](const CustodyOutcome& outcome) {
        return outcome.state == State::kLeft && outcome.text.find("not ours") != std::string::npos;
      });
    };
    CHECK(left());
    CHECK(shown("route show").find("via 10.5.0.9") != std::string::npos);
    CHECK(shown("route show proto 117").find("10.6.0.0/16") == std::string::npos);
    CHECK_FALSE(estate.custody.report().deviations.empty());
  }
}

TEST_CASE("what the director before has left for a while is ours for good, whoever comes first") {
  UVS_REQUIRES("root");
  Estate estate;
  for (Belonging& belonging : estate.belongings) {
    const auto* address = std::get_if<HostAddress>(&belonging.thing);
    if (!address) continue;
    REQUIRE(leave_address(*address, 60).ok());
    belonging.is_our_doing = true;
  }
  CHECK(shown("addr").find("valid_lft 60sec") != std::string::npos);
  (void)estate.look();
  CHECK(shown("addr").find("sec preferred_lft") == std::string::npos);
}

TEST_CASE("a primary address that is deleted takes its secondary ones along: they are back with the next look") {
  UVS_REQUIRES("root");
  Estate estate;
  run("ip addr del 10.5.0.1/24 dev uvsio-near");
  const auto outcomes = estate.look();
  CHECK(std::ranges::count(outcomes, State::kPutBack, &CustodyOutcome::state) >= 2);
  CHECK(shown("addr show dev uvsio-near").find("10.5.0.100/24") != std::string::npos);
}

}  // namespace
}  // namespace uvs::test

// Virtual routes against a real kernel: added with our mark, replaced and removed by it, and nobody
// else's ever touched.
#include "host/virtual_routes.h"

#include <doctest/doctest.h>

#include <cstdio>

#include "../../contract/io/scratch_network.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

// What `ip` says, blanks at line ends dropped; lines end with a semicolon.
std::string shown(const std::string& arguments) {
  FILE* pipe = popen(("ip " + arguments).c_str(), "r");
  REQUIRE(pipe);
  std::string text;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) {
    if (c == '\n') {
      while (text.ends_with(' ')) text.pop_back();
      c = ';';
    }
    text.push_back(static_cast<char>(c));
  }
  pclose(pipe);
  return text;
}

// "10.6.0.0/16 via 10.5.0.2 dev uvsio-near": as `ip route` is told.
VirtualRouteSpec route(const std::string& destination, const std::string& gateway = "",
                       const std::string& device = "") {
  VirtualRouteSpec spec;
  const size_t slash = destination.find('/');
  const Endpoint end = endpoint(destination.substr(0, slash));
  spec.family = end.family;
  spec.destination = end.address;
  spec.length = static_cast<uint8_t>(std::atoi(destination.c_str() + slash + 1));
  if (!gateway.empty()) spec.gateway = address(gateway);
  spec.device = device;
  return spec;
}

void add(const VirtualRouteSpec& spec) {
  const Status status = add_route(spec);
  REQUIRE_MESSAGE(status.ok(), status.message);
}
void remove(const VirtualRouteSpec& spec) {
  const Status status = remove_route(spec);
  REQUIRE_MESSAGE(status.ok(), status.message);
}

struct Roads : ScratchNetwork {
  Roads() {
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0");
    run("ip addr add 10.5.0.1/24 dev uvsio-near");
    run("ip addr add 2001:db8:5::1/64 dev uvsio-near nodad");
  }
};

const std::string kOurs = "route show table all proto 117";
const std::string kOurs6 = "-6 route show table all proto 117";

TEST_CASE("routes that lead nowhere, scopes, and gateways beyond the device's networks") {
  UVS_REQUIRES("root");
  Roads roads;
  VirtualRouteSpec hole = route("10.6.0.0/16");
  hole.kind = VirtualRouteKind::kBlackhole;
  VirtualRouteSpec hole6 = route("2001:db8:6::/48");
  hole6.kind = VirtualRouteKind::kUnreachable;
  VirtualRouteSpec far = route("10.7.0.0/16", "192.0.2.1", "uvsio-near");
  far.is_on_link = true;
  VirtualRouteSpec host = route("10.8.0.1/32", "", "uvsio-near");
  host.scope = uint8_t{253};
  for (const VirtualRouteSpec& spec : {hole, hole6, far, host}) add(spec);
  CHECK(shown("-4 " + kOurs) ==
        "blackhole 10.6.0.0/16;10.7.0.0/16 via 192.0.2.1 dev uvsio-near onlink;"
        "10.8.0.1 dev uvsio-near scope link;");
  CHECK(shown(kOurs6).starts_with("unreachable 2001:db8:6::/48 dev lo metric 1024"));
  // Another kind with the same key takes its place.
  hole.kind = VirtualRouteKind::kProhibit;
  add(hole);
  CHECK(shown("-4 " + kOurs).starts_with("prohibit 10.6.0.0/16;"));
  for (const VirtualRouteSpec& spec : {hole, hole6, far, host}) remove(spec);
  CHECK(shown("-4 " + kOurs).empty());
  CHECK(shown(kOurs6).empty());
  add(hole);
  add(hole6);
  CHECK(remove_leftover_routes().ok());
  CHECK(shown("-4 " + kOurs).empty());
  CHECK(shown(kOurs6).empty());
}

TEST_CASE("routes come and go as asked") {
  UVS_REQUIRES("root");
  Roads roads;
  const VirtualRouteSpec by_gateway = route("10.6.0.0/16", "10.5.0.2");
  const VirtualRouteSpec on_link = route("10.7.0.9/24", "", "uvsio-near");  // host bits set
  VirtualRouteSpec whole = route("0.0.0.0/0", "10.5.0.3", "uvsio-near");
  whole.source = address("10.5.0.1");
  whole.metric = 50;
  whole.table = 1000;
  for (const VirtualRouteSpec& spec : {by_gateway, on_link, whole}) add(spec);
  CHECK(shown(kOurs) ==
        "default via 10.5.0.3 dev uvsio-near table 1000 src 10.5.0.1 metric 50;"
        "10.6.0.0/16 via 10.5.0.2 dev uvsio-near;"
        "10.7.0.0/24 dev uvsio-near scope link;");
  add(by_gateway);  // there already
  remove(on_link);
  remove(on_link);
  remove(whole);
  CHECK(shown(kOurs) == "10.6.0.0/16 via 10.5.0.2 dev uvsio-near;");
  add(route("10.6.0.0/16", "10.5.0.4"));
  CHECK(shown(kOurs) == "10.6.0.0/16 via 10.5.0.4 dev uvsio-near;");

  const VirtualRouteSpec six = route("2001:db8:6::/48", "2001:db8:5::2");
  VirtualRouteSpec other = route("2001:db8:6::/48", "2001:db8:5::3", "uvsio-near");
  other.metric = 5;
  add(six);
  add(six);
  add(other);
  add(route("2001:db8:6::/48", "2001:db8:5::4"));
  CHECK(shown(kOurs6) ==
        "2001:db8:6::/48 via 2001:db8:5::3 dev uvsio-near metric 5 pref medium;"
        "2001:db8:6::/48 via 2001:db8:5::4 dev uvsio-near metric 1024 pref medium;");
  remove(route("2001:db8:6::/48", "2001:db8:5::4"));
  CHECK(shown(kOurs6) ==
        "2001:db8:6::/48 via 2001:db8:5::3 dev uvsio-near metric 5 pref medium;");
}

TEST_CASE("a route of somebody else is in the way, and stays") {
  UVS_REQUIRES("root");
  Roads roads;
  run("ip route add 10.6.0.0/16 via 10.5.0.8");
  run("ip -6 route add 2001:db8:6::/48 via 2001:db8:5::8");
  const std::string before = shown("route"), before6 = shown("-6 route");
  for (const VirtualRouteSpec& spec :
       {route("10.6.0.0/16", "10.5.0.2"), route("2001:db8:6::/48", "2001:db8:5::2")}) {
    const Status status = add_route(spec);
    INFO(status.message);
    CHECK(status.code == ErrorCode::kIo);
    CHECK(status.message.find("not ours") != std::string::npos);
    CHECK(status.message.find("metric") != std::string::npos);
  }
  remove(route("10.6.0.0/16", "10.5.0.8"));  // not ours either, though the same in all else
  remove(route("2001:db8:6::/48", "2001:db8:5::8"));
  CHECK(shown("route") == before);
  CHECK(shown("-6 route") == before6);
}

TEST_CASE("a start removes what a dead director left, wherever it is") {
  UVS_REQUIRES("root");
  Roads roads;
  run("ip route add 10.9.0.0/16 via 10.5.0.2 && ip -6 route add 2001:db8:9::/48 via 2001:db8:5::2");
  const std::string all = "route show table all", all6 = "-6 route show table all";
  const std::string before = shown(all), before6 = shown(all6);
  add(route("10.6.0.0/16", "10.5.0.2"));
  VirtualRouteSpec elsewhere = route("10.6.0.0/16", "10.5.0.3");
  elsewhere.table = 100'000;
  add(elsewhere);
  elsewhere.metric = 7;
  add(elsewhere);
  add(route("10.8.0.0/16", "", "uvsio-far"));
  add(route("2001:db8:6::/48", "2001:db8:5::2"));
  add(route("::/0", "2001:db8:5::3"));
  REQUIRE(remove_leftover_routes().ok());
  CHECK(shown(all) == before);
  CHECK(shown(all6) == before6);
  REQUIRE(remove_leftover_routes().ok());
}

TEST_CASE("what can't be added is said, with the remedy") {
  UVS_REQUIRES("root");
  Roads roads;
  const auto fails = [](const VirtualRouteSpec& spec, ErrorCode code, const char* text) {
    const Status status = add_route(spec);
    INFO(status.message);
    CHECK(status.code == code);
    CHECK(status.message.find(text) != std::string::npos);
  };
  fails(route("10.6.0.0/16", "", "uvsio-none"), ErrorCode::kDeviceMissing, "uvsio-none");
  remove(route("10.6.0.0/16", "", "uvsio-none"));
  fails(route("10.6.0.0/16", "192.0.2.1"), ErrorCode::kIo, "10.6.0.0/16 via 192.0.2.1");
  fails(route("10.6.0.0/16", "192.0.2.1"), ErrorCode::kIo, "no device leads to the gateway");
  VirtualRouteSpec foreign = route("10.6.0.0/16", "10.5.0.2");
  foreign.source = address("10.5.0.77");
  fails(foreign, ErrorCode::kIo, "an address of this machine");
  run("ip link set uvsio-far down");
  fails(route("10.6.0.0/16", "", "uvsio-far"), ErrorCode::kIo, "bring it up");
}

}  // namespace
}  // namespace uvs::test

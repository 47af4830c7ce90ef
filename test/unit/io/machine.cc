// The assembled data plane as a plain C++ program uses it: no Node, no control plane, one table.
#include "dataplane/machine.h"

#include <doctest/doctest.h>

#include <mutex>
#include <string>

#include "../../contract/io/scratch_network.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "10.9.1.2";
constexpr const char* kVip = "10.9.0.1";
constexpr const char* kServer = "10.9.1.3";
constexpr const char* kServerMac = "02:00:00:00:00:33";

TableSpec one_service() {
  TableSpec table;
  ServiceSpec service;
  service.protocol = 6;
  service.address = IpAddress::ipv4(10, 9, 0, 1);
  service.port = 80;
  DestinationSpec server;
  server.address = IpAddress::ipv4(10, 9, 1, 3);
  server.port = 80;
  server.method = ForwardingMethod::kDirectRoute;
  service.destinations.push_back(server);
  table.services.push_back(service);
  return table;
}

TEST_CASE("a data plane forwards for a program without Node, and leaves nothing behind") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  const std::string near = ScratchNetwork::kNear;
  run("ip addr add 10.9.1.1/24 dev " + near);
  run(std::string("ip neigh add ") + kServer + " lladdr " + kServerMac + " dev " + near);
  {
    std::mutex mutex;
    std::vector<MachineEvent> events;
    const MachineOptions options = {
        .interfaces = std::vector{near}, .connections = 1000, .cpu = {}, .connection_file = {}};
    auto started = Machine::start(options, [&](MachineEvent event) {
      const std::lock_guard lock(mutex);
      events.push_back(std::move(event));
    });
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    Machine& machine = *started.value();
    const auto published = machine.port().publish(one_service());
    REQUIRE_MESSAGE(published.ok(), published.status().message);
    CHECK(machine.port().status().generation == published.value());

    Wire far(network.far());
    far.send(tcp4(std::string(kClient) + ":4000", std::string(kVip) + ":80")
                 .syn()
                 .macs(mac_of(ScratchNetwork::kNear), mac_of(ScratchNetwork::kFar))
                 .bytes());
    const MacAddress server{{2, 0, 0, 0, 0, 0x33}};
    const auto forwarded = far.receive();
    REQUIRE(forwarded);
    CHECK(std::equal(server.bytes.begin(), server.bytes.end(), forwarded->bytes.begin()));
    const auto page = machine.port().connections(10, 0);
    REQUIRE(page.ok());
    CHECK(page.value().connections.size() == 1);
    machine.stop();
    const std::lock_guard lock(mutex);
    REQUIRE_FALSE(events.empty());
    CHECK(events.front().kind == MachineEvent::Kind::kDeviceAttached);
  }
  CHECK(if_nametoindex("uvs0") == 0);
}

}  // namespace
}  // namespace uvs::test

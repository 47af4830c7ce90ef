// The assembled data plane as a plain C++ program uses it: no Node, no control plane, one table.
#include "dataplane/machine.h"

#include <bpf/bpf.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "../../contract/io/scratch_network.h"
#include "core/schedule/scheduler.h"
#include "io/monotonic_clock.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "10.9.1.2";
constexpr const char* kVip = "10.9.0.1";
constexpr const char* kServer = "10.9.1.3";
constexpr const char* kServerMac = "02:00:00:00:00:33";

ServiceSpec service_at(uint16_t port, ForwardingMethod method, const IpAddress& address, uint16_t server_port) {
  ServiceSpec service;
  service.protocol = 6;
  service.address = IpAddress::ipv4(10, 9, 0, 1);
  service.port = port;
  service.scheduler = scheduler_named("rr");
  DestinationSpec server;
  server.address = address;
  server.port = server_port;
  server.method = method;
  service.destinations.push_back(server);
  return service;
}

TableSpec two_services() {
  TableSpec table;
  table.services.push_back(service_at(80, ForwardingMethod::kDirectRoute, IpAddress::ipv4(10, 9, 1, 3), 80));
  table.services.push_back(service_at(81, ForwardingMethod::kNat, IpAddress::ipv4(10, 9, 1, 1), 8081));
  return table;
}

MachineOptions only(std::vector<std::string> interfaces) {
  return {.interfaces = std::move(interfaces), .connections = 1000, .cpu = {}, .connection_file = {}};
}

// A running data plane with one service behind DR and one whose server is this machine itself, and the rest of the link at
// the far end.
class Bench {
 public:
  Bench() {
    const std::string near = ScratchNetwork::kNear;
    run("ip addr add 10.9.1.1/24 dev " + near);
    run(std::string("ip neigh add ") + kServer + " lladdr " + kServerMac + " dev " + near);
    auto started = Machine::start(only({near}), [this](MachineEvent event) {
      if (event.kind == MachineEvent::Kind::kDeviceDetached && on_detached) on_detached();
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    });
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    machine = started.value();
    const auto published = machine->port().publish(two_services());
    REQUIRE_MESSAGE(published.ok(), published.status().message);
    CHECK(machine->port().status().generation == published.value());
    far_.emplace(network.far());
  }
  ~Bench() { machine->stop(); }

  // A client's SYN comes out again, for the server.
  bool forwards() {
    const MacAddress server{{2, 0, 0, 0, 0, 0x33}};
    far_->send(tcp4(std::string(kClient) + ":" + std::to_string(++port_), std::string(kVip) + ":80")
                   .syn()
                   .macs(mac_of(ScratchNetwork::kNear), mac_of(ScratchNetwork::kFar))
                   .bytes());
    while (const auto frame = far_->receive(100)) {
      if (std::equal(server.bytes.begin(), server.bytes.end(), frame->bytes.begin())) return true;
    }
    return false;
  }
  bool forwards_again() {
    for (int i = 0; i < 100; i++) {
      if (forwards()) return true;
    }
    return false;
  }
  bool has_told(MachineEvent::Kind kind, const std::string& part) {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(events_, [&](const MachineEvent& event) {
      return event.kind == kind && event.text.find(part) != std::string::npos;
    });
  }

  ScratchNetwork network;
  std::shared_ptr<Machine> machine;
  std::function<void()> on_detached;  // on the housekeeping thread

 private:
  std::mutex mutex_;
  std::vector<MachineEvent> events_;
  std::optional<Wire> far_;
  int port_ = 4000;
};

bool eventually(const std::function<bool()>& is_so) {
  const Micros until = monotonic_now() + 20 * kMicrosPerSecond;
  while (!is_so()) {
    if (monotonic_now() >= until) return false;
    usleep(2000);
  }
  return true;
}

bool has_thread(const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string found;
    std::getline(std::ifstream(task.path() / "comm"), found);
    if (found == name) return true;
  }
  return false;
}

// As `bpftool link detach` does.
void detach_links_of(uint32_t ifindex) {
  for (uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const FileDescriptor link(bpf_link_get_fd_by_id(id));
    struct {
      uint32_t type, id, program, zero, ifindex, attach_type;
      uint8_t rest[64];
    } info{};
    uint32_t size = sizeof(info);
    constexpr uint32_t kTcx = 11;
    if (link.is_open() && bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 && info.type == kTcx &&
        info.ifindex == ifindex)
      REQUIRE(bpf_link_detach(link.get()) == 0);
  }
}

TEST_CASE("a data plane forwards for a program without Node, and leaves nothing behind") {
  UVS_REQUIRES("root", "bpf");
  {
    Bench bench;
    CHECK(bench.forwards());
    const auto page = bench.machine->port().connections(10, 0);
    REQUIRE(page.ok());
    CHECK(page.value().connections.size() == 1);
    CHECK(bench.has_told(MachineEvent::Kind::kDeviceAttached, ""));
    bench.machine->stop();
    CHECK(if_nametoindex("uvs0") == 0);
  }
}

TEST_CASE("what somebody else does to what is ours in the kernel is put back, counted and told") {
  UVS_REQUIRES("root", "bpf");
  for (const bool is_clsact : {false, true}) {
    CAPTURE(is_clsact);
    if (is_clsact) setenv("UVS_STEERING", "clsact", 1);
    Bench bench;
    unsetenv("UVS_STEERING");
    REQUIRE(bench.forwards());
    uint64_t put_back = 0;
    const auto survives = [&](const std::string& command) {
      CAPTURE(command);
      run(command);
      CHECK(eventually([&] { return bench.machine->custody().put_back > put_back; }));
      CHECK(bench.forwards_again());
      CHECK(bench.machine->custody().deviations.empty());
      put_back = bench.machine->custody().put_back;
    };
    survives("ip link set uvs0 down");
    CHECK(bench.has_told(MachineEvent::Kind::kWarning, "uvs0 is down"));
    survives("ip link set uvs1 down");
    survives("ip link set uvs0 mtu 1500");
    survives("ip link set uvs0 arp on");
    survives("ip link set uvs1 address 02:00:00:00:00:77");
    survives("ip link set uvs0 name uvsio-odd");
    survives("ip link del uvs0");
    CHECK(bench.has_told(MachineEvent::Kind::kWarning, "the pair uvs0/uvs1 is gone"));
    run("ip netns add uvsio-else");
    survives("ip link set uvs1 netns uvsio-else");
    run("ip netns del uvsio-else");
    if (is_clsact) {
      survives(std::string("tc qdisc del dev ") + ScratchNetwork::kNear + " clsact");
      survives("tc qdisc del dev uvs0 clsact");
    } else {
      for (const char* device : {ScratchNetwork::kNear, "uvs0"}) {
        detach_links_of(if_nametoindex(device));
        survives("true");
      }
    }
    CHECK(bench.has_told(MachineEvent::Kind::kWarning, "the program at the egress of"));
  }
}

TEST_CASE("somebody who insists on removing the pair: what is ours is dropped then, and it is said") {
  UVS_REQUIRES("root", "bpf");
  Bench bench;
  REQUIRE(bench.forwards());
  const auto is_left = [&] {
    const std::vector<std::string> left = bench.machine->custody().deviations;
    return !left.empty() && left[0].find("find out who changes it") != std::string::npos;
  };
  // Each time when it is whole again: a pair that goes while it is being made is a failed try, which is no put-back.
  for (uint32_t removals = 0; removals <= Custody::kPutBacks && !is_left(); removals++) {
    const uint64_t before = bench.machine->custody().put_back;
    run("ip link del uvs0");
    CHECK(eventually([&] { return bench.machine->custody().put_back > before || is_left(); }));
  }
  CHECK(is_left());
  CHECK(bench.machine->custody().put_back <= Custody::kPutBacks);
  const auto held_back = [&] {
    const std::vector<DropCount> drops = bench.machine->drops();
    const auto late = std::ranges::find(drops, std::string_view("worker_late"), &DropCount::reason);
    return late != drops.end() && late->count > 0;
  };
  CHECK(eventually([&] { return !bench.forwards() && held_back(); }));
}

TEST_CASE("a device of the user's that is called as ours is left alone, and the start says so") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  run("ip link add uvs0 type veth peer name uvsio-peer");
  const auto started = Machine::start(only({}), [](MachineEvent) {});
  REQUIRE_FALSE(started.ok());
  CHECK(started.status().message.find("uvs0") != std::string::npos);
  CHECK(if_nametoindex("uvs0") != 0);
}

TEST_CASE("what housekeeping still tells while a data plane ends is told to somebody who is there") {
  UVS_REQUIRES("root", "bpf");
  Bench bench;
  std::atomic<bool> is_telling = false, may_go_on = false;
  bench.on_detached = [&] {
    is_telling = true;
    (void)eventually([&] { return may_go_on.load(); });
  };
  // One look finds both, the device first: the address is told once that has been.
  const std::string near = ScratchNetwork::kNear;
  run("printf 'addr add 10.9.7.7/32 dev " + near + "\nlink set " + near + " down\n' | ip -batch -");
  REQUIRE(eventually([&] { return is_telling.load(); }));
  std::thread stopping([&] { bench.machine->stop(); });
  CHECK(eventually([] { return !has_thread("uvs-worker"); }));
  may_go_on = true;
  stopping.join();
}

}  // namespace
}  // namespace uvs::test

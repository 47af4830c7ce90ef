// The worker's turn on memory_link with a clock handed in, and its thread: tasks, waking, failure,
// stop.
#include "worker/worker.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "../../contract/io/scratch_network.h"
#include "core/path/director.h"
#include "core/schedule/scheduler.h"
#include "io/af_packet.h"
#include "io/memory_link.h"
#include "io/steering.h"

namespace uvs::test {
namespace {

constexpr uint32_t kClientSide = 2, kServerSide = 3;
constexpr MacAddress kOurMac{{2, 0, 0, 0, 0, 1}}, kServerMac{{2, 0, 0, 0, 0, 0x51}};

// A director with one NAT service, two devices, and memory instead of a kernel.
struct Rig {
  Rig() : buckets(4096) {
    DirectorOptions options;
    options.connections = 1000;
    options.connection_key = {1, 2};
    options.reply_buckets = buckets;
    options.reply_key = {3, 4};
    director = Director::create(options, neighbours);
    REQUIRE(director);
    auto view = std::make_unique<HostView>();
    view->generation = 1;
    Route servers;
    servers.prefix = address("10.1.0.0");
    servers.prefix_length = 16;
    servers.next_hops.emplace_back().ifindex = kServerSide;
    view->routes = RouteTable(std::span(&servers, 1));
    view->links = {{kClientSide, 1500, kOurMac, true}, {kServerSide, 1500, kOurMac, true}};
    director->publish_host_view(std::move(view));
  }

  uint64_t publish() {
    ServiceSpec service;
    service.protocol = 6;
    service.address = address("10.9.0.1");
    service.port = 80;
    service.scheduler = scheduler_named("rr");
    service.destinations.push_back({.address = address("10.1.0.5"), .port = 8080});
    TableSpec table;
    table.services.push_back(service);
    const Published published = director->tables().publish(table);
    REQUIRE(published.ok());
    return published.generation;
  }
  void answer_neighbour() {
    neighbours.update({kServerSide, Family::kIpv4, address("10.1.0.5")}, NeighbourState::kResolved,
                      kServerMac);
  }

  std::vector<uvs_flow_bucket> buckets;
  NeighbourTable neighbours{{.k0 = 5, .k1 = 6}};
  std::unique_ptr<Director> director;
};

Octets syn(uint16_t port) {
  return tcp4("172.16.0.1:" + std::to_string(port), "10.9.0.1:80").syn().macs(kOurMac, {}).bytes();
}

TEST_CASE("a turn adopts, moves, holds, releases") {
  Rig rig;
  MemoryLink link;
  const int resolver = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Worker worker(*rig.director, link, {.resolver_descriptor = resolver});
  rig.publish();
  link.inject(kClientSide, syn(4000));
  CHECK(worker.run_once(1'000'000));
  CHECK(rig.director->tables().adopted() == 1);
  CHECK(link.take().empty());  // waits for its next hop, and whoever resolves has been woken
  eventfd_t woken = 0;
  CHECK(eventfd_read(resolver, &woken) == 0);
  CHECK(rig.neighbours.take_requests());

  rig.answer_neighbour();
  worker.run_once(1'010'000);
  const auto sent = link.take();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].verdict == Verdict::kForward);
  CHECK(sent[0].egress_ifindex == kServerSide);
  CHECK(load<MacAddress>(sent[0].bytes.data()) == kServerMac);
  CHECK(rig.director->connection_count() == 1);

  // What is no service of ours goes back to the host; a batch holds 64, a turn takes one.
  for (uint16_t i = 0; i < 70; i++) {
    link.inject(kClientSide, tcp4("172.16.0.1:5000", "10.9.0.1:81").macs(kOurMac, {}).bytes());
  }
  CHECK(worker.run_once(1'020'000));
  CHECK(link.take().size() == 64);
  CHECK(worker.run_once(1'030'000));
  CHECK(link.take().size() == 6);
  CHECK(link.counters().reinjected.get() == 70);

  // Long after: the connection has ended by the clock that was handed in.
  while (worker.run_once(1'000'000 + 2000 * kMicrosPerSecond)) {
  }
  CHECK(rig.director->connection_count() == 0);
  close(resolver);
}

TEST_CASE("tasks run between batches, in order, and none is forgotten at the end") {
  Rig rig;
  MemoryLink link;
  std::vector<int> order;
  {
    Worker worker(*rig.director, link, {});
    worker.post([&](Micros now) {
      CHECK(now == 5);
      order.push_back(1);
    });
    worker.post([&](Micros) { order.push_back(2); });
    CHECK(order.empty());
    worker.run_once(5);
    CHECK(order == std::vector<int>{1, 2});
    worker.post([&](Micros) { order.push_back(3); });
  }
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("the thread answers tasks and tables at once and stops in time") {
  Rig rig;
  MemoryLink link;
  Worker worker(*rig.director, link, {});
  REQUIRE(worker.start().ok());
  const uint64_t generation = rig.publish();
  worker.wake();
  const Micros limit = monotonic_now() + 50'000;  // half of what it would sleep
  while (rig.director->tables().adopted() < generation && monotonic_now() < limit) usleep(100);
  CHECK(rig.director->tables().adopted() == generation);

  std::mutex mutex;
  std::condition_variable ran;
  int runs = 0;
  for (int i = 0; i < 100; i++) {
    worker.post([&](Micros) {
      const std::lock_guard lock(mutex);
      runs++;
      ran.notify_all();
    });
  }
  {
    std::unique_lock lock(mutex);
    CHECK(ran.wait_for(lock, std::chrono::seconds(2), [&] { return runs == 100; }));
  }
  const Micros before = monotonic_now();
  worker.stop();
  worker.stop();
  CHECK(monotonic_now() - before < 200'000);
  REQUIRE(worker.start().ok());  // and again
  worker.stop();
}

TEST_CASE("a CPU that is not there is refused") {
  Rig rig;
  MemoryLink link;
  for (const unsigned cpu : {1023u, 100'000u}) {
    Worker worker(*rig.director, link, {.cpu = cpu});
    const Status status = worker.start();
    CHECK(status.code == ErrorCode::kDeviceMissing);
    CHECK(status.message.find(std::to_string(cpu)) != std::string::npos);
  }
  Worker worker(*rig.director, link, {.cpu = 0});
  CHECK(worker.start().ok());
}

TEST_CASE("while its pair is gone the worker goes on with tasks, and the kernel holds back what is ours") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  Rig rig;
  auto steering = Steering::start({.connections = 1000});
  REQUIRE_MESSAGE(steering.ok(), steering.status().message);
  REQUIRE(steering.value()->attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
  REQUIRE(
      steering.value()->cover({{service_key(Family::kIpv4, address("10.9.0.1"), 80, 6)}, {}}).ok());
  auto io = AfPacket::open(steering.value()->receive_ifindex());
  REQUIRE(io.ok());
  std::atomic<int> failures = 0;
  Worker worker(
      *rig.director, *io.value(),
      {.steering = steering.value().get(), .on_failure = [&](const std::string&) { failures++; }});
  REQUIRE(worker.start().ok());
  run("ip link del uvs0");
  steering.value()->check_reachable(true);
  // As in a stall: from a second after the last heartbeat the kernel drops what is ours.
  Wire far(network.far());
  const Octets syn =
      tcp4("172.16.0.1:4000", "10.9.0.1:80").syn().macs(mac_of(ScratchNetwork::kNear), {}).bytes();
  const auto dropped = [&] { return steering.value()->counters().values[UVS_STEER_LATE] > 0; };
  const Micros patience = monotonic_now() + 5 * kMicrosPerSecond;
  while (!dropped() && monotonic_now() < patience) {
    far.send(syn);
    usleep(10'000);
  }
  CHECK(dropped());
  CHECK(steering.value()->counters().values[UVS_STEER_STALE] == 0);
  const uint64_t generation = rig.publish();
  worker.wake();
  while (rig.director->tables().adopted() < generation && monotonic_now() < patience) usleep(1000);
  CHECK(rig.director->tables().adopted() == generation);
  worker.stop();
  CHECK(failures == 0);
}

TEST_CASE("packets pass the whole way from device to device") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  Rig rig;
  auto steering = Steering::start({.connections = 1000});
  REQUIRE_MESSAGE(steering.ok(), steering.status().message);
  const MacAddress near_mac = mac_of(ScratchNetwork::kNear);
  REQUIRE(steering.value()->attach(network.near(), near_mac, LinkLayer::kEthernet).ok());
  REQUIRE(
      steering.value()->cover({{service_key(Family::kIpv4, address("10.9.0.1"), 80, 6)}, {}}).ok());
  auto io = AfPacket::open(steering.value()->receive_ifindex());
  REQUIRE(io.ok());
  // The server's side is the near device too: what is forwarded comes out at the far one.
  auto view = std::make_unique<HostView>();
  view->generation = 2;
  Route servers;
  servers.prefix = address("10.1.0.0");
  servers.prefix_length = 16;
  servers.next_hops.emplace_back().ifindex = network.near();
  view->routes = RouteTable(std::span(&servers, 1));
  view->links = {{network.near(), 1500, near_mac, true}};
  rig.director->publish_host_view(std::move(view));
  rig.publish();
  Wire far(network.far()), near(network.near());
  {
    Worker worker(*rig.director, *io.value(), {.steering = steering.value().get()});
    REQUIRE(worker.start().ok());
    while (rig.director->tables().adopted() == 0) usleep(100);
    far.send(tcp4("172.16.0.1:4000", "10.9.0.1:80").syn().macs(near_mac, {}).bytes());
    while (!rig.neighbours.take_requests()) usleep(100);
    rig.neighbours.update({network.near(), Family::kIpv4, address("10.1.0.5")},
                          NeighbourState::kResolved, kServerMac);
    worker.wake();
    const auto forwarded = far.receive();
    REQUIRE(forwarded);
    CHECK(load<MacAddress>(forwarded->bytes.data()) == kServerMac);
    CHECK(load<Be32>(forwarded->bytes.data() + 30).host() == 0x0a010005);
    CHECK(load<Be16>(forwarded->bytes.data() + 36).host() == 8080);
  }
  // After stop the host gets everything.
  far.send(tcp4("172.16.0.1:4001", "10.9.0.1:80").syn().macs(near_mac, {}).bytes());
  const Micros limit = monotonic_now() + 2 * kMicrosPerSecond;
  while (steering.value()->counters().values[UVS_STEER_STALE] == 0 && monotonic_now() < limit)
    usleep(1000);
  CHECK(steering.value()->counters().values[UVS_STEER_STALE] == 1);
}

}  // namespace
}  // namespace uvs::test

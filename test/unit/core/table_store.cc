// Publishing by itself, the test playing the worker: slots that stay, come back and are freed, lists of changes, counters
// from zero, refusals that change nothing, tables that are freed when nobody can read them.
#include <doctest/doctest.h>

#include <string>

#include "core/schedule/scheduler.h"
#include "core/table/table_store.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

// Takes up everything published, the way a worker does as far as slots are concerned.
struct FakeWorker {
  explicit FakeWorker(TableStore& store) : store(store), table(&store.first()) {}
  void adopt() {
    while (const ForwardingTable* next = table->next.load()) {
      table = next;
      generations.push_back(next->generation);
      store.report_adopted(next->generation);
    }
  }
  TableStore& store;
  const ForwardingTable* table;
  std::vector<uint64_t> generations;
};

struct World {
  TableStore store{prepare_service};
  FakeWorker worker{store};

  Published publish(std::vector<ServiceSpec> services) { return store.publish({.services = std::move(services), .policy = {}}); }
  // Its generation; the table must be good.
  uint64_t take_up(std::vector<ServiceSpec> services) {
    const Published published = publish(std::move(services));
    CHECK(published.ok());
    worker.adopt();
    return published.generation;
  }
  const Service& service(size_t i) const { return *store.newest().services[i]; }
  DestinationSlot slot(size_t service_index, size_t i) const { return service(service_index).destinations[i].slot; }
};

const IpAddress kVip = address("10.9.0.1");

}  // namespace

TEST_CASE("a published service is found by protocol, address and port") {
  World world;
  CHECK(world.store.first().find(kProtocolTcp, Family::kIpv4, kVip, 80) == nullptr);
  std::vector<ServiceSpec> services;
  for (uint16_t port = 1; port <= 500; port++) services.push_back(tcp_service("10.9.0.1:" + std::to_string(port), {}));
  services.push_back(udp_service("10.9.0.1:80", {}));
  services.push_back(tcp_service("[a09:1::]:80", {}));  // the same first bytes as 10.9.0.1
  CHECK(world.take_up(services) == 1);
  const ForwardingTable& table = *world.worker.table;
  for (uint16_t port = 1; port <= 500; port++) {
    const Service* found = table.find(kProtocolTcp, Family::kIpv4, kVip, port);
    REQUIRE(found != nullptr);
    CHECK(found->key.port == port);
  }
  CHECK(table.find(kProtocolUdp, Family::kIpv4, kVip, 80) == table.services[500].get());
  CHECK(table.find(kProtocolUdp, Family::kIpv4, kVip, 81) == nullptr);
  CHECK(table.find(kProtocolTcp, Family::kIpv6, address("a09:1::"), 80) == table.services[501].get());
  CHECK(table.find(kProtocolTcp, Family::kIpv4, address("10.9.0.2"), 80) == nullptr);
}

TEST_CASE("what did not change is the same object and no change") {
  World world;
  const ServiceSpec first = tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")});
  const ServiceSpec second = tcp_service("10.9.0.1:81", {dr("10.1.0.1:81")});
  world.take_up({first, second});
  const Service* before = &world.service(0);
  ServiceSpec changed = second;
  changed.destinations[0].weight = 3;
  world.take_up({first, changed});
  CHECK(&world.service(0) == before);
  REQUIRE(world.store.newest().changes.size() == 1);
  CHECK(world.store.newest().changes[0].slot == world.service(1).slot);
  CHECK(world.store.newest().changes[0].has_new_destinations);
  changed.is_draining = true;
  world.take_up({first, changed});
  REQUIRE(world.store.newest().changes.size() == 1);
  CHECK_FALSE(world.store.newest().changes[0].has_new_destinations);
  changed.is_standby = true;
  world.take_up({first, changed});
  REQUIRE(world.store.newest().changes.size() == 1);
  CHECK_FALSE(world.store.newest().changes[0].has_new_destinations);
  world.take_up({changed, first});  // order alone
  CHECK(world.store.newest().changes.empty());
  CHECK(&world.service(1) == before);
}

TEST_CASE("slots stay over generations, and a removed destination's while its connections last") {
  World world;
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80"), dr("10.1.0.2:80")})});
  const DestinationSlot a = world.slot(0, 0), b = world.slot(0, 1);
  CHECK(a != b);
  world.store.destination_state(a).references.set(1);

  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80")})});
  CHECK(world.slot(0, 0) == b);
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.3:80"), dr("10.1.0.2:80")})});
  CHECK(world.slot(0, 0) != a);
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80"), dr("10.1.0.1:80")})});
  CHECK(world.slot(0, 1) == a);

  // Without connections the slot is somebody else's next.
  world.store.destination_state(a).references.set(0);
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80")})});
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80")})});
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80"), dr("10.1.0.8:80"), dr("10.1.0.9:80")})});
  CHECK((world.slot(0, 1) == a || world.slot(0, 2) == a));
}

TEST_CASE("a slot is not freed before the worker has seen it leave") {
  World world;
  world.take_up({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")})});
  const DestinationSlot a = world.slot(0, 0);
  (void)world.publish({tcp_service("10.9.0.1:80", {})});
  (void)world.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.2:80")})});
  CHECK(world.slot(0, 0) != a);
  (void)world.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")})});
  CHECK(world.slot(0, 0) == a);
}

TEST_CASE("a removed service keeps its slot while its destinations have connections") {
  World world;
  const ServiceSpec spec = tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")});
  world.take_up({spec});
  const ServiceSlot service = world.service(0).slot;
  const DestinationSlot a = world.slot(0, 0);
  world.store.destination_state(a).references.set(1);
  world.take_up({});
  world.take_up({tcp_service("10.9.0.9:80", {})});
  CHECK(world.service(0).slot != service);
  world.take_up({spec});
  CHECK(world.service(0).slot == service);
  CHECK(world.slot(0, 0) == a);
  // And frees both in the end.
  world.store.destination_state(a).references.set(0);
  world.take_up({});
  world.take_up({});
  world.take_up({tcp_service("10.9.0.7:80", {dr("10.1.0.7:80")})});
  CHECK(world.service(0).slot <= 1);
  CHECK(world.slot(0, 0) == a);
}

TEST_CASE("a refused table changes nothing") {
  World world;
  const ServiceSpec good = tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")});
  world.take_up({good});
  CHECK(world.publish({good, good}).error == PublishError::kDuplicateService);
  CHECK(world.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80"), nat("10.1.0.1:80", 2)})}).error ==
        PublishError::kDuplicateDestination);
  CHECK(world.publish({tcp_service("10.9.0.1:80", {dr("[fd01::1]:80")})}).error == PublishError::kMixedFamilies);
  CHECK(world.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80", 65536)})}).error == PublishError::kWeightTooLarge);
  CHECK(world.store.newest().generation == 1);
  CHECK(world.store.first().next.load() == nullptr);
  CHECK(std::string(text(PublishError::kDuplicateService)).find("same protocol") != std::string::npos);
}

TEST_CASE("what is over a limit is refused as a whole") {
  World world;
  std::vector<ServiceSpec> services(kMaxServices, tcp_service("10.9.0.1:1", {}));
  for (uint32_t i = 0; i < kMaxServices; i++) services[i].address = IpAddress::ipv4(10, 9, uint8_t(i >> 8), uint8_t(i));
  world.take_up(services);
  services.push_back(tcp_service("10.8.0.1:80", {}));
  CHECK(world.publish(services).error == PublishError::kTooManyServices);
  world.take_up({});

  ServiceSpec large = tcp_service("10.9.0.1:80", {});
  for (uint32_t i = 0; i <= kMaxDestinations; i++) {
    large.destinations.push_back(dr("10.1.0.1:80"));
    large.destinations.back().address = IpAddress::ipv4(11, uint8_t(i >> 16), uint8_t(i >> 8), uint8_t(i));
  }
  CHECK(world.publish({large}).error == PublishError::kTooManyDestinations);

  TableSpec table;
  table.clients.resize(kMaxClientPrefixes, {Family::kIpv4, kVip, 32, true});
  CHECK(world.store.publish(table).ok());
  table.clients.push_back(table.clients.front());
  CHECK(world.store.publish(table).error == PublishError::kTooManyClientPrefixes);
}

TEST_CASE("prefixes of clients that stay the same are shared by the generations") {
  World world;
  const auto publish = [&](std::vector<ClientPrefix> clients) {
    REQUIRE(world.store.publish({.services = {}, .clients = std::move(clients), .policy = {}}).ok());
    return world.store.newest().clients.get();
  };
  CHECK(publish({}) == nullptr);
  const ClientRules* denied = publish({{Family::kIpv4, kVip, 24, false}});
  REQUIRE(denied != nullptr);
  CHECK(publish({{Family::kIpv4, kVip, 24, false}}) == denied);
  const ClientRules* allowed = publish({{Family::kIpv4, kVip, 24, true}});
  CHECK(allowed != denied);
  CHECK(allowed->allows(Family::kIpv4, kVip));
  CHECK(publish({}) == nullptr);
}

TEST_CASE("the worker walks every generation in order, and tables go once it has") {
  World world;
  for (uint32_t weight = 1; weight <= 5; weight++) {
    (void)world.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80", weight)})});
  }
  world.worker.adopt();
  CHECK(world.worker.generations == std::vector<uint64_t>{1, 2, 3, 4, 5});
  world.store.reclaim();
  CHECK(&world.store.first() == world.worker.table);
  CHECK(world.store.adopted() == 5);
}

TEST_CASE("traffic counts from zero: after zero_traffic, for a new owner, for a service that comes back") {
  World world;
  const ServiceSpec spec = tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")});
  world.take_up({spec});
  const ServiceSlot service = world.service(0).slot;
  const DestinationSlot a = world.slot(0, 0);
  const auto pass = [&] {
    world.store.service_state(service).traffic.in_packets.add(3);
    world.store.destination_state(a).traffic.in_bytes.add(100);
  };
  pass();
  CHECK(world.store.service_traffic(service).in_packets == 3);
  CHECK(world.store.destination_counters(a).traffic.in_bytes == 100);
  world.store.zero_traffic();
  CHECK(world.store.service_traffic(service).in_packets == 0);
  CHECK(world.store.destination_counters(a).traffic.in_bytes == 0);
  pass();
  CHECK(world.store.service_traffic(service).in_packets == 3);

  world.store.destination_state(a).references.set(1);
  world.take_up({tcp_service("10.9.0.1:80", {})});
  world.take_up({spec});  // the destination kept its slot, and its counters
  CHECK(world.store.destination_counters(a).traffic.in_bytes == 100);
  world.take_up({});
  world.take_up({spec});  // the service is a new one
  CHECK(world.slot(0, 0) == a);
  CHECK(world.store.destination_counters(a).traffic.in_bytes == 0);
  CHECK(world.store.service_traffic(service).in_packets == 0);
}

TEST_CASE("thresholds: overloaded at the upper one, relieved below the lower or three quarters") {
  Destination destination;
  DestinationState state{};
  state.current = &destination;
  destination.spec.upper_threshold = 4;
  for (int i = 0; i < 3; i++) state.bind();
  CHECK_FALSE(state.is_overloaded.get());
  state.bind();
  CHECK(state.is_overloaded.get());
  SUBCASE("three quarters of 4 is 3: not at 3, but at 2") {
    state.unbind(false);
    CHECK(state.is_overloaded.get());
    state.unbind(false);
    CHECK_FALSE(state.is_overloaded.get());
  }
  SUBCASE("a lower threshold of 1: not before all have gone") {
    destination.spec.lower_threshold = 1;
    for (int i = 0; i < 3; i++) state.unbind(false);
    CHECK(state.is_overloaded.get());
    state.unbind(false);
    CHECK_FALSE(state.is_overloaded.get());
  }
  SUBCASE("active ones count as much as inactive ones") {
    state.activate();
    state.activate();
    CHECK(state.connections() == 4);
    CHECK(state.overhead() == 2 * 256 + 2);
    state.unbind(true);
    state.unbind(true);
    CHECK_FALSE(state.is_overloaded.get());
  }
  SUBCASE("no upper threshold any more: relieved with the next that ends") {
    destination.spec.upper_threshold = 0;
    state.unbind(false);
    CHECK_FALSE(state.is_overloaded.get());
  }
}

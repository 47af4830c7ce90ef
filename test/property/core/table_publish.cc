// Publishing beside a worker that forwards: random tables in a quick row, packets meanwhile, counters read at any moment.
// Nothing is lost: every connection's server keeps exactly the connections that the listing shows. Run under
// ThreadSanitizer too.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

TableSpec any_table(std::mt19937_64& random) {
  TableSpec spec;
  const auto below = [&](uint64_t bound) { return static_cast<uint32_t>(random() % bound); };
  for (uint32_t s = 0; s < 4; s++) {
    if (below(4) == 0) continue;
    ServiceSpec service = udp_service("10.9.0.1:" + std::to_string(53 + s), {}, schedulers()[below(schedulers().size())]);
    service.is_draining = below(8) == 0;
    service.is_standby = below(8) == 0;
    for (uint32_t d = 1; d <= 6; d++) {
      if (below(3) == 0) continue;
      service.destinations.push_back(dr("10.1.0." + std::to_string(d) + ":53", below(4)));
      service.destinations.back().upper_threshold = below(2) * 50;
    }
    std::shuffle(service.destinations.begin(), service.destinations.end(), random);
    spec.services.push_back(std::move(service));
  }
  return spec;
}

}  // namespace

TEST_CASE("tables come and go beside the packets, and every count adds up") {
  TestDirector director(2000);
  std::atomic<bool> is_done = false;
  std::thread control([&] {
    std::mt19937_64 random(5);
    for (int i = 0; i < 2000; i++) {
      if (!director->tables().publish(any_table(random)).ok()) std::abort();
      for (const auto& service : director->tables().newest().services) {
        (void)director->tables().service_traffic(service->slot);
        for (const Destination& destination : service->destinations) {
          (void)director->tables().destination_counters(destination.slot);
        }
      }
      if (i % 100 == 0) director->tables().zero_traffic();
      if (i % 200 == 0) {
        auto view = std::make_unique<HostView>();
        view->generation = 1000 + static_cast<uint32_t>(i);
        director->publish_host_view(std::move(view));
      }
      (void)director->counters();
      (void)director->take_reached_limits();
    }
    is_done = true;
  });
  std::mt19937_64 random(6);
  uint64_t last_generation = 0;
  while (!is_done) {
    director->adopt(director.now);
    CHECK(director->tables().adopted() >= last_generation);
    last_generation = director->tables().adopted();
    for (int i = 0; i < 10; i++) {
      const std::string client = "172.16.0." + std::to_string(random() % 200) + ":" + std::to_string(1 + random() % 50);
      director.send(udp4(client, "10.9.0.1:" + std::to_string(53 + random() % 4)), TestDirector::kClientLink);
    }
    director.wait(2);
  }
  control.join();

  // The last table brings every server back, so that each connection's is in it.
  std::vector<ServiceSpec> all;
  for (uint32_t s = 0; s < 4; s++) {
    all.push_back(udp_service("10.9.0.1:" + std::to_string(53 + s), {}));
    for (uint32_t d = 1; d <= 6; d++) all.back().destinations.push_back(dr("10.1.0." + std::to_string(d) + ":53"));
  }
  director.publish(all);
  CHECK(director->tables().adopted() == 2001);
  std::map<std::pair<int, int>, uint32_t> listed;
  for (const ConnectionView& row : director.connections()) listed[{row.virtual_port - 53, row.destination.bytes[3]}]++;
  uint32_t total = 0;
  for (int s = 0; s < 4; s++) {
    for (int d = 1; d <= 6; d++) {
      const DestinationCounters counters = director.counters(static_cast<size_t>(s), static_cast<size_t>(d - 1));
      CHECK(counters.inactive == listed[{s, d}]);
      CHECK(counters.active == 0);
      total += counters.inactive;
    }
  }
  CHECK(total == director->connection_count());
  CHECK(total > 0);
  director.wait(400);
  CHECK(director->connection_count() == 0);
  for (size_t s = 0; s < 4; s++) {
    for (size_t d = 0; d < 6; d++) CHECK(director.counters(s, d).inactive == 0);
  }
}

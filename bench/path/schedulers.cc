// What one choice costs under each scheduler, by the number of servers, all of them busy.
// Nanoseconds a choice, the best of several rounds. `bench_schedulers [ROUNDS]`; 1 round only proves that it runs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "../../test/unit/core/schedule_fixture.h"

namespace uvs::test {
namespace {

constexpr int kChoices = 20'000;

double choice_ns(const Scheduler* id, size_t servers, int rounds) {
  std::vector<Letter> list;
  for (size_t i = 0; i < servers; i++) list.push_back({static_cast<char>(i), static_cast<uint32_t>(1 + i % 7)});
  ScheduledService service(id, list);
  const ParsedPacket packet = packet_from("172.16.3.7:1000");
  double best = 1e18;
  for (int round = 0; round < rounds; round++) {
    const auto begin = std::chrono::steady_clock::now();
    // Each choice becomes a connection: the loads move on as they do in earnest.
    for (int i = 0; i < kChoices; i++) service.choose(1, true, packet);
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / kChoices);
  }
  return best;
}

}  // namespace
}  // namespace uvs::test

int main(int argc, char** argv) {
  using namespace uvs;
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 10;
  std::printf("%-6s %12s %12s %12s\n", "", "2 servers", "16 servers", "200 servers");
  for (const Scheduler* id : schedulers()) {
    std::printf("%-6s", id->name.data());
    for (const size_t servers : {2, 16, 200}) std::printf(" %9.1f ns", test::choice_ns(id, servers, rounds));
    std::printf("\n");
  }
  return 0;
}

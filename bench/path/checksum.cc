// What the packet primitives cost: sums, parse, NAT, route lookup, for small and large packets.
// Nanoseconds each, the best of several rounds. `bench_checksum [ROUNDS]`; 1 round only proves that
// it runs.
#include "core/net/checksum.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "core/forward/rewrite.h"
#include "core/forward/route_table.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

// Keeps the compiler from throwing `value` away, or from knowing what it was.
template <typename T>
void keep(T& value) {
  asm volatile("" : "+m"(value) : : "memory");
}

template <typename Work>
void measure(const char* name, int rounds, int repetitions, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best_ns = 1e18;
  for (int round = 0; round < rounds; round++) {
    const auto begin = Clock::now();
    for (int i = 0; i < repetitions; i++) work(i);
    const std::chrono::duration<double, std::nano> spent = Clock::now() - begin;
    best_ns = std::min(best_ns, spent.count() / repetitions);
  }
  std::printf("%-34s %9.1f ns\n", name, best_ns);
}

std::vector<Route> full_table(size_t count) {
  std::mt19937_64 random(1);
  std::vector<Route> routes(count);
  for (Route& route : routes) {
    const uint64_t bits = random();
    std::memcpy(route.prefix.bytes.data(), &bits, 4);
    route.prefix_length = static_cast<uint8_t>(16 + random() % 9);
    NextHop hop;
    hop.ifindex = static_cast<uint32_t>(1 + random() % 8);
    route.next_hops = {hop};
  }
  return routes;
}

void run(int rounds) {
  constexpr int kMany = 200'000, kFew = 2'000;
  for (const size_t size : {20, 64, 1460, 65'000}) {
    const Octets bytes(size, 0xa5);
    char name[64];
    std::snprintf(name, sizeof name, "ones_sum, %zu bytes", size);
    measure(name, rounds, size > 10'000 ? kFew : kMany, [&](int) {
      uint16_t sum = ones_sum(bytes);
      keep(sum);
    });
  }
  const Packet packet4 = tcp4("172.16.0.1:10000", "10.9.0.1:80").ack().payload(20);
  const Packet packet6 = tcp6("[2001:db8:1::1]:10000", "[2001:db8:9::1]:80").ack().payload(20);
  for (const Packet* packet : {&packet4, &packet6}) {
    const bool is_ipv4 = packet == &packet4;
    OwnedFrame frame = packet->frame();
    measure(is_ipv4 ? "parse, TCP over IPv4" : "parse, TCP over IPv6", rounds, kMany, [&](int) {
      ParsedPacket parsed = parse(frame);
      keep(parsed);
    });
    const ParsedPacket parsed = parse(frame);
    const IpAddress server = address(is_ipv4 ? "192.168.7.250" : "fd00::250");
    measure(is_ipv4 ? "nat_request, IPv4" : "nat_request, IPv6", rounds, kMany,
            [&](int i) { nat_request(frame, parsed, server, static_cast<uint16_t>(i)); });
  }

  const std::vector<Route> routes = full_table(100'000);
  measure("RouteTable, build 100,000 routes", rounds, 1, [&](int) {
    RouteTable table(routes);
    keep(table);
  });
  const RouteTable table(routes);
  IpAddress destination;
  measure("RouteTable, lookup in 100,000", rounds, kMany, [&](int i) {
    const uint32_t bits = static_cast<uint32_t>(i) * 2654435761u;
    std::memcpy(destination.bytes.data(), &bits, 4);
    RouteLookup found = table.lookup(Family::kIpv4, destination, 0);
    keep(found);
  });
}

}  // namespace
}  // namespace uvs::test

int main(int argc, char** argv) {
  uvs::test::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 10);
  return 0;
}

// What the whole path costs a packet, memory only: DR and NAT, both directions, at 1 thousand to 1 million connections in
// random order; what opening and ending a connection costs, and asking whether the client may; bytes a connection. Ratios are to parse + MAC rewrite of the
// same frames. `bench_director [ROUNDS]`; 1 round is a small one that only proves that it runs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>

#include "core/flow/connection.h"
#include "core/forward/rewrite.h"
#include "core/net/checksum.h"
#include "core/net/headers.h"
#include "test_director.h"

namespace uvs::test {
namespace {

using Clock = std::chrono::steady_clock;

double nanoseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

size_t resident_bytes() {
  long pages = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &pages, &resident) != 2) std::abort();
  std::fclose(file);
  return static_cast<size_t>(resident) * 4096;
}

// A batch whose frames are made anew from one packet, with the client's address and port put in.
class Traffic64 {
 public:
  Traffic64(const Packet& packet, bool is_reply) : template_(packet.bytes()), is_reply_(is_reply) {
    memory_.resize(kBatchSize * kMinFrameCapacity);
    for (size_t i = 0; i < kBatchSize; i++) {
      batch_.frames[i] = {.data = memory_.data() + i * kMinFrameCapacity,
                          .length = static_cast<uint32_t>(template_.size()),
                          .capacity = kMinFrameCapacity,
                          .ifindex = is_reply ? TestDirector::kServerLink : TestDirector::kClientLink,
                          .offload = {}};
    }
  }
  // Frames of the clients numbered in `clients`.
  Batch& fill(const uint32_t* clients) {
    batch_.count = kBatchSize;
    for (size_t i = 0; i < kBatchSize; i++) {
      uint8_t* data = batch_.frames[i].data;
      std::memcpy(data, template_.data(), template_.size());
      uint8_t* l3 = data + sizeof(EthernetHeader);
      uint8_t* address = l3 + (is_reply_ ? 16 : 12);
      // 172.16.x.y, 16 ports each.
      address[2] = static_cast<uint8_t>(clients[i] >> 12);
      address[3] = static_cast<uint8_t>(clients[i] >> 4);
      store(l3 + 20 + (is_reply_ ? 2 : 0), Be16(static_cast<uint16_t>(1024 + (clients[i] & 15))));
      store(l3 + 10, uint16_t{0});
      store(l3 + 10, static_cast<uint16_t>(~ones_sum({l3, 20})));
    }
    return batch_;
  }

 private:
  Octets template_;
  bool is_reply_;
  std::vector<uint8_t> memory_;
  Batch batch_;
};

// Nanoseconds a packet of `work(batch)`: the median over the batches of `order`, so that whoever else uses the machine
// counts little; the batches' making is left out.
template <typename Work>
double cost(Traffic64& traffic, const std::vector<uint32_t>& order, const Work& work) {
  std::vector<double> batches;
  batches.reserve(order.size() / kBatchSize);
  for (size_t at = 0; at + kBatchSize <= order.size(); at += kBatchSize) {
    Batch& batch = traffic.fill(&order[at]);
    const auto begin = Clock::now();
    work(batch);
    batches.push_back(nanoseconds_since(begin));
  }
  std::ranges::nth_element(batches, batches.begin() + static_cast<ptrdiff_t>(batches.size() / 2));
  return batches[batches.size() / 2] / kBatchSize;
}

template <typename Work>
double best_cost(int rounds, Traffic64& traffic, const std::vector<uint32_t>& order, const Work& work) {
  double best = 1e18;
  for (int i = 0; i < rounds; i++) best = std::min(best, cost(traffic, order, work));
  return best;
}

void baseline(Batch& batch) {
  for (size_t i = 0; i < batch.count; i++) {
    const ParsedPacket packet = parse(batch.frames[i]);
    if (packet.kind != ParsedKind::kTransport) std::abort();
    set_ethernet(batch.frames[i], TestDirector::kClientMac, TestDirector::kServerMac);
  }
}

void print(const char* name, double ns, double baseline_ns) {
  std::printf("  %-28s %7.1f ns  %6.2f M/s  %5.2f x baseline\n", name, ns, 1e3 / ns, ns / baseline_ns);
}

void run(ForwardingMethod method, uint32_t connections, int rounds) {
  const bool is_nat = method == ForwardingMethod::kNat;
  const size_t resident_before = resident_bytes();
  // Half as many again: connections of one packet each fill three quarters of a table at most.
  TestDirector director(connections + connections / 2, std::bit_ceil(connections));
  std::vector<DestinationSpec> servers;
  for (int i = 1; i <= 16; i++) servers.push_back(server("10.1.0." + std::to_string(i) + ":80", method));
  director.publish({tcp_service("10.9.0.1:80", servers)});
  // The next hops are known from here on.
  for (int i = 0; i < 16; i++) director.from_client(tcp4("172.16.254.1:" + std::to_string(i + 1), "10.9.0.1:80").syn());
  if (is_nat) director.from_server(tcp4("10.1.0.1:80", "172.16.254.1:1").syn().ack());
  director.wait(100);

  std::vector<uint32_t> order(connections / kBatchSize * kBatchSize);
  std::iota(order.begin(), order.end(), 0);
  Traffic64 opening(tcp4("172.16.0.1:1024", "10.9.0.1:80").syn(), false);
  Traffic64 requests(tcp4("172.16.0.1:1024", "10.9.0.1:80").ack().payload(6), false);
  Traffic64 replies(tcp4("10.1.0.1:80", "172.16.0.1:1024").ack().payload(6), true);
  const auto process = [&](Batch& batch) {
    director.now += 10;
    director->process(batch, director.now);
  };
  const double open_ns = cost(opening, order, process);
  if (director->connection_count() != order.size()) std::abort();
  const size_t resident = resident_bytes() - resident_before;

  std::vector<uint32_t> shuffled = order;
  while (shuffled.size() < 100'000) shuffled.insert(shuffled.end(), order.begin(), order.end());
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(1));
  const double baseline_ns = best_cost(rounds, requests, shuffled, baseline);
  const double request_ns = best_cost(rounds, requests, shuffled, process);
  std::printf("%s, %u connections (baseline %.1f ns)\n", is_nat ? "NAT" : "DR", connections, baseline_ns);
  print("open", open_ns, baseline_ns);
  print("request", request_ns, baseline_ns);
  if (is_nat) {
    // rr went round from the server after the last one: every 16th client is 10.1.0.1's.
    std::vector<uint32_t> of_first;
    for (const uint32_t client : shuffled) {
      if (client % 16 == 0) of_first.push_back(client);
    }
    of_first.resize(of_first.size() / kBatchSize * kBatchSize);
    print("reply", best_cost(rounds, replies, of_first, process), baseline_ns);
  }
  if (director.verdicts(Verdict::kDrop) + director.verdicts(Verdict::kToHost) != 0) std::abort();
  director.now += 2000 * kMicrosPerSecond;
  const auto begin = Clock::now();
  while (director->expire(director.now)) {
  }
  print("end", nanoseconds_since(begin) / static_cast<double>(order.size()), baseline_ns);
  if (connections >= 1'000'000) {
    std::printf("  %-28s %7zu bytes a connection, all of the director's memory included (record: %zu)\n", "memory",
                resident / order.size(), sizeof(Connection<Family::kIpv4>));
  }
}

// What opening costs when clients are asked for: without lists, with one network, and with as many as there may be, of
// which the clients' is the last.
void run_clients(int rounds) {
  constexpr uint32_t kConnections = 65'536;
  std::printf("DR, %u connections, networks of clients\n", kConnections);
  double without_ns = 0;
  for (const uint32_t networks : {0u, 1u, kMaxClientPrefixes}) {
    double best = 1e18;
    for (int i = 0; i < rounds; i++) {
      TestDirector director(kConnections + kConnections / 2, kConnections);
      for (uint32_t k = 1; k < networks; k++) {
        director.clients.push_back({Family::kIpv4, IpAddress::ipv4(11, static_cast<uint8_t>(k >> 8), static_cast<uint8_t>(k), 0), 25, true});
      }
      if (networks > 0) director.clients.push_back({Family::kIpv4, address("172.16.0.0"), 12, true});
      director.publish({tcp_service("10.9.0.1:80", {dr("10.1.0.1:80")})});
      director.from_client(tcp4("172.16.254.1:1", "10.9.0.1:80").syn());
      director.wait(100);
      std::vector<uint32_t> order(kConnections / kBatchSize * kBatchSize);
      std::iota(order.begin(), order.end(), 0);
      Traffic64 opening(tcp4("172.16.0.1:1024", "10.9.0.1:80").syn(), false);
      best = std::min(best, cost(opening, order, [&](Batch& batch) {
                        director.now += 10;
                        director->process(batch, director.now);
                      }));
      if (director->connection_count() < order.size()) std::abort();
    }
    if (networks == 0) without_ns = best;
    std::printf("  open, %5u networks         %7.1f ns  %+6.1f ns\n", networks, best, best - without_ns);
  }
}

}  // namespace
}  // namespace uvs::test

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  for (const auto method : {uvs::ForwardingMethod::kDirectRoute, uvs::ForwardingMethod::kNat}) {
    for (const uint32_t connections : {1'000u, 100'000u, 1'000'000u}) {
      if (rounds > 1 || connections < 1'000'000) uvs::test::run(method, connections, rounds);
    }
  }
  uvs::test::run_clients(rounds);
  return 0;
}

// What a restart costs beside the start itself: connections into the file, the file checked, and taken up page by page, as
// the data plane does it. `bench_snapshot [CONNECTIONS [FOLDER]]`; by default 1,000,000 in /run. The folder is the
// control socket's in real life.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/flow/connection.h"
#include "core/flow/tcp_state.h"
#include "dataplane/connection_file.h"
#include "io/monotonic_clock.h"
#include "test_director.h"

namespace uvs::test {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// Of this thread: what others of the machine take is no part of a turn.
double cpu_ms() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

// Established ones, half of them under NAT, spread over 16 servers.
std::vector<ConnectionView> connections_of(uint32_t count) {
  std::vector<ConnectionView> views(count);
  for (uint32_t i = 0; i < count; i++) {
    ConnectionView& view = views[i];
    view.protocol = kProtocolTcp;
    view.state = static_cast<uint8_t>(TcpState::kEstablished);
    view.client = IpAddress::ipv4(172, 16, static_cast<uint8_t>(i >> 20), static_cast<uint8_t>(i >> 12));
    view.client_port = static_cast<uint16_t>(1024 + (i & 4095));
    view.virtual_address = IpAddress::ipv4(10, 9, 0, 1);
    view.is_nat = i % 2 == 0;
    view.virtual_port = view.destination_port = view.is_nat ? 80 : 81;
    view.destination = IpAddress::ipv4(10, 1, 0, static_cast<uint8_t>(1 + i / 2 % 16));
    view.expires_ms = 800'000;
    view.is_answered = view.is_nat;
    view.standing = static_cast<uint8_t>(Standing::kConfirmed);
  }
  return views;
}

// The file's age is measured by the clock of the machine.
void publish(TestDirector& director) {
  director.now = monotonic_now();
  std::vector<DestinationSpec> with_nat, with_dr;
  for (int i = 1; i <= 16; i++) {
    const std::string host = "10.1.0." + std::to_string(i);
    with_nat.push_back(nat(host + ":80"));
    with_dr.push_back(dr(host + ":81"));
  }
  director.publish({tcp_service("10.9.0.1:80", with_nat), tcp_service("10.9.0.1:81", with_dr)});
}

void run(uint32_t count, const std::string& folder) {
  const std::string path = folder + "/uvs-bench-" + std::to_string(getpid()) + ".connections";
  const size_t buckets = std::bit_ceil(count);
  {
    TestDirector before(count + count / 8, buckets);
    publish(before);
    before->adopt_connections(connections_of(count), before.now);
    if (before->connection_count() != count) std::abort();
    const auto begin = Clock::now();
    const Status written = write_connections(path, *before);
    std::printf("  %-34s %8.1f ms\n", "written", ms_since(begin));
    if (!written.ok()) std::fprintf(stderr, "%s\n", written.message.c_str()), std::exit(1);
  }
  TestDirector after(count + count / 8, buckets);
  publish(after);
  auto begin = Clock::now();
  auto file = ConnectionFile::take(path);
  if (!file.ok() || !file.value()) std::abort();
  std::printf("  %-34s %8.1f ms\n", "checked", ms_since(begin));
  begin = Clock::now();
  double longest = 0;
  for (;;) {
    const std::vector<ConnectionView> page = file.value()->next(kConnectionsAtOnce);
    if (page.empty()) break;
    const double page_begin = cpu_ms();
    after->adopt_connections(page, after.now);
    longest = std::max(longest, cpu_ms() - page_begin);
  }
  std::printf("  %-34s %8.1f ms\n  %-34s %8.2f ms\n", "taken up", ms_since(begin), "longest of the worker's turns, CPU",
              longest);
  if (after->connection_count() != count) std::abort();
}

}  // namespace
}  // namespace uvs::test

int main(int count, char** words) {
  const int connections = count > 1 ? std::atoi(words[1]) : 1'000'000;
  if (connections < 1 || connections > 10'000'000) {
    std::fprintf(stderr, "usage: bench_snapshot [CONNECTIONS, at most 10000000 [FOLDER]]\n");
    return 2;
  }
  std::printf("%d connections\n", connections);
  uvs::test::run(static_cast<uint32_t>(connections), count > 2 ? words[2] : "/run");
  return 0;
}

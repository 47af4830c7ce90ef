// A snapshot of connections: whatever its bytes say, reading ends with a word or with connections that the table judges one
// by one. What is taken up is listed, counted as load of its server, written as it was, and ends in its time.
#include "core/path/connection_snapshot.h"
#include "fuzz_frame.h"
#include "test_director.h"

namespace uvs::test {
namespace {

using Row = std::array<uint8_t, kSnapshotRowSize>;

void check_header(FuzzInput& input) {
  constexpr SnapshotStamp kWritten{.at_ms = 1'000'000, .boot = {1, 2, 3}};
  std::array<uint8_t, kSnapshotHeaderSize> head{};
  encode_header({.rows = input.byte(), .checksum = input.word()}, kWritten, head);
  for (uint8_t edits = input.byte() % 8; edits > 0; edits--) {
    const uint8_t at = input.byte() % kSnapshotHeaderSize;
    head[at] = input.byte();
  }
  const uint64_t size = kSnapshotHeaderSize + input.word();
  SnapshotHeader header;
  const SnapshotFault fault =
      decode_header(head, size, {.at_ms = kWritten.at_ms + input.word(), .boot = kWritten.boot}, header);
  FUZZ_REQUIRE((fault == SnapshotFault::kNone) == std::string(text(fault)).empty());
  if (fault != SnapshotFault::kNone) return;
  FUZZ_REQUIRE(kSnapshotHeaderSize + uint64_t{header.rows} * kSnapshotRowSize == size);
  FUZZ_REQUIRE(header.age_ms <= kSnapshotMaxAge_ms);
}

// The row of a connection that the table below knows, with a list of edits.
Row any_row(FuzzInput& input) {
  const uint8_t choice = input.byte();
  const bool is_ipv6 = (choice & 1) != 0, is_udp = (choice & 2) != 0;
  ConnectionView view;
  view.family = is_ipv6 ? Family::kIpv6 : Family::kIpv4;
  view.protocol = is_udp ? kProtocolUdp : kProtocolTcp;
  view.state = is_udp ? 0 : (choice >> 2) % 11;
  view.client = address(is_ipv6 ? "fd16::1" : "172.16.0.1");
  view.client_port = input.byte();
  view.virtual_address = address(is_ipv6 ? "fd09::1" : "10.9.0.1");
  view.virtual_port = view.destination_port = is_udp ? 53 : 80;
  view.destination = address(is_ipv6 ? "fd01::1" : "10.1.0.1");
  view.destination.bytes[is_ipv6 ? 15 : 3] = static_cast<uint8_t>(1 + (choice >> 6));
  view.is_nat = !is_udp;
  const uint8_t more = input.byte();
  view.is_answered = (more & 1) != 0;
  view.standing = (more >> 1) % 4;
  view.expires_ms = input.word() * 64u;
  Row row;
  encode_row(view, row);
  for (uint8_t edits = input.byte() % 4; edits > 0; edits--) {
    const uint8_t at = input.byte() % kSnapshotRowSize;
    row[at] = input.byte();
  }
  return row;
}

std::vector<ServiceSpec> services() {
  std::vector<ServiceSpec> all;
  for (const bool is_ipv6 : {false, true}) {
    const std::string vip = is_ipv6 ? "[fd09::1]" : "10.9.0.1", host = is_ipv6 ? "[fd01::" : "10.1.0.";
    const std::string end = is_ipv6 ? "]:" : ":";
    all.push_back(tcp_service(vip + ":80", {nat(host + "1" + end + "80"), nat(host + "2" + end + "80")}));
    all.push_back(udp_service(vip + ":53", {dr(host + "1" + end + "53"), dr(host + "3" + end + "53")}));
  }
  return all;
}

// Both stand for everything else that there is: no connection without its server, no load without its connection.
void check_counts(TestDirector& director) {
  uint64_t load = 0;
  for (const auto& service : director->tables().newest().services) {
    for (const Destination& destination : service->destinations) {
      const DestinationCounters counters = director->tables().destination_counters(destination.slot);
      load += counters.active + counters.inactive;
    }
  }
  FUZZ_REQUIRE(load == director->connection_count());
  FUZZ_REQUIRE(director.connections(5).size() == director->connection_count());
}

uint64_t sum(const AdoptCounts& counts) {
  uint64_t all = 0;
  for (const uint64_t count : counts) all += count;
  return all;
}

void check(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  check_header(input);
  TestDirector director(24, 16);
  director.publish(services());
  const uint64_t age_ms = input.word();
  SnapshotChecksum whole;
  std::vector<ConnectionView> views;
  while (!input.is_empty()) {
    const Row row = any_row(input);
    whole.add(row);
    ConnectionView view;
    if (!decode_row(row, age_ms, view)) continue;
    Row again;
    encode_row(view, again);
    ConnectionView same;
    FUZZ_REQUIRE(decode_row(again, 0, same));
    FUZZ_REQUIRE(same.expires_ms == view.expires_ms && same.standing == view.standing);
    FUZZ_REQUIRE(same.client == view.client && same.destination == view.destination);
    views.push_back(view);
  }
  (void)whole.value();
  const AdoptCounts counts = director->adopt_connections(views, director.now);
  FUZZ_REQUIRE(sum(counts) == views.size());
  FUZZ_REQUIRE(director->connection_count() <= counts[static_cast<size_t>(AdoptOutcome::kAdopted)]);
  check_counts(director);
  for (const ConnectionView& view : director.connections()) {
    Row row;
    encode_row(view, row);
    ConnectionView same;
    FUZZ_REQUIRE(decode_row(row, 0, same));
  }
  // A row has room for 50 days.
  director.wait(50 * 24 * 3600.0);
  FUZZ_REQUIRE(director->connection_count() == 0);
  check_counts(director);
}

}  // namespace
}  // namespace uvs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uvs::test::check(data, size);
  return 0;
}

// Connections that one director has had and the next takes up: by way of bytes, judged by the table in force.
#include <doctest/doctest.h>

#include <cstring>

#include "core/path/connection_snapshot.h"
#include "test_director.h"

namespace uvs::test {
namespace {

constexpr SnapshotStamp kThen{.at_ms = 1'000'000, .boot = {1}};

std::vector<ServiceSpec> services() {
  return {tcp_service("10.9.0.1:80", {nat("10.1.0.5:8080"), nat("10.1.0.6:8080")}),
          udp_service("10.9.0.1:53", {dr("10.1.0.7:53")}),
          tcp_service("[fd09::1]:80", {nat("[fd01::5]:8080")}),
          tcp_service("10.9.0.1:81", {nat("172.16.255.1:8081")})};  // this machine itself
}

// As through the file, `age_ms` later.
std::vector<ConnectionView> carried(const std::vector<ConnectionView>& views, uint64_t age_ms = 0) {
  std::vector<ConnectionView> arrived;
  for (const ConnectionView& view : views) {
    std::array<uint8_t, kSnapshotRowSize> row;
    encode_row(view, row);
    REQUIRE(decode_row(row, age_ms, arrived.emplace_back()));
  }
  return arrived;
}

uint64_t count_of(const AdoptCounts& counts, AdoptOutcome outcome) { return counts[static_cast<size_t>(outcome)]; }

// An established NAT connection, one whose client has only sent a SYN, a DR datagram, an IPv6 connection, and one with this
// machine.
void open_some(TestDirector& director) {
  director.publish(services());
  director.send(tcp4("172.16.0.1:4000", "10.9.0.1:80").syn(), TestDirector::kClientLink);
  director.send(tcp4("10.1.0.5:8080", "172.16.0.1:4000").flags(0x12), TestDirector::kServerLink);
  director.send(tcp4("172.16.0.1:4000", "10.9.0.1:80").ack(), TestDirector::kClientLink);
  director.send(tcp4("172.16.0.1:4001", "10.9.0.1:80").syn(), TestDirector::kClientLink);
  director.send(udp4("172.16.0.1:4002", "10.9.0.1:53").payload(8), TestDirector::kClientLink);
  director.send(tcp6("[fd16::1]:4000", "[fd09::1]:80").syn(), TestDirector::kClientLink);
  director.send(tcp4("172.16.0.1:4003", "10.9.0.1:81").syn(), TestDirector::kClientLink);
}

TEST_CASE("connections go on with the director that takes them up") {
  TestDirector before;
  open_some(before);
  const auto views = before.connections();
  REQUIRE(views.size() == 5);

  TestDirector after;
  after.publish(services());
  const auto idle = after->adopt_connections(carried(views, 5000), after.now);
  CHECK(count_of(idle, AdoptOutcome::kAdopted) == 5);
  CHECK(after->connection_count() == 5);
  for (const ConnectionView& view : after.connections()) {
    const auto same = std::find_if(views.begin(), views.end(), [&](const ConnectionView& one) {
      return one.client_port == view.client_port && one.family == view.family;
    });
    REQUIRE(same != views.end());
    CHECK(view.state == same->state);
    CHECK(view.destination == same->destination);
    CHECK(view.is_nat == same->is_nat);
    CHECK(view.is_answered == same->is_answered);
    CHECK(view.standing == same->standing);
    CHECK(view.expires_ms <= same->expires_ms - 4800);
    CHECK(view.expires_ms + 5200 >= same->expires_ms);
  }
  // Data in the middle reaches the same server, its answer the client, and no RST is provoked.
  const auto to_server = after.send(tcp4("172.16.0.1:4000", "10.9.0.1:80").ack().payload(10), TestDirector::kClientLink);
  REQUIRE(!to_server.empty());
  CHECK(to_server.back().verdict == Verdict::kForward);
  CHECK(to_server.back().packet.destination == address("10.1.0.5"));
  const auto to_client = after.send(tcp4("10.1.0.5:8080", "172.16.0.1:4000").ack().payload(10), TestDirector::kServerLink);
  REQUIRE(!to_client.empty());
  CHECK(to_client.back().verdict == Verdict::kForward);
  CHECK(to_client.back().packet.source == address("10.9.0.1"));

  // Twice is once.
  const auto again = after->adopt_connections(carried(views), after.now);
  CHECK(count_of(again, AdoptOutcome::kKnown) == 5);
  CHECK(after->connection_count() == 5);
}

TEST_CASE("a taken-up connection is load of its server, and its end relieves it") {
  TestDirector before, after;
  open_some(before);
  after.publish(services());
  after->adopt_connections(carried(before.connections()), after.now);
  const auto counters = [](TestDirector& director, size_t service, size_t destination) {
    const auto& table = director->tables().newest();
    return director->tables().destination_counters(table.services[service]->destinations[destination].slot);
  };
  for (const size_t destination : {0u, 1u}) {
    CHECK(counters(after, 0, destination).active == counters(before, 0, destination).active);
    CHECK(counters(after, 0, destination).inactive == counters(before, 0, destination).inactive);
  }
  after.now += 2000 * kMicrosPerSecond;
  while (after->expire(after.now)) {
  }
  CHECK(after->connection_count() == 0);
  CHECK(counters(after, 0, 0).active + counters(after, 0, 0).inactive == 0);
}

TEST_CASE("what no longer fits the table is refused, each for its reason") {
  TestDirector before;
  open_some(before);
  const auto views = before.connections();
  const auto outcome = [&](std::vector<ServiceSpec> table, AdoptOutcome which, uint32_t connections = 1024,
                           uint64_t age_ms = 0) {
    TestDirector after(connections);
    after.publish(std::move(table));
    return count_of(after->adopt_connections(carried(views, age_ms), after.now), which);
  };
  CHECK(outcome({}, AdoptOutcome::kNoService) == 5);
  CHECK(outcome({tcp_service("10.9.0.1:80", {nat("10.1.0.5:8080")})}, AdoptOutcome::kNoServer) == 1);
  CHECK(outcome({tcp_service("10.9.0.1:80", {dr("10.1.0.5:8080"), dr("10.1.0.6:8080")})},
                AdoptOutcome::kOtherMethod) == 2);
  CHECK(outcome(services(), AdoptOutcome::kNoRoom, 1) == 4);
  CHECK(outcome(services(), AdoptOutcome::kExpired, 1024, 2'000'000) == 5);
}

TEST_CASE("bytes that are no snapshot are refused with a word") {
  std::array<uint8_t, kSnapshotHeaderSize> head;
  encode_header({.rows = 3, .checksum = 77}, kThen, head);
  constexpr uint64_t kSize = kSnapshotHeaderSize + 3 * kSnapshotRowSize;
  const auto decoded = [&](uint64_t size, uint64_t at_ms, uint8_t boot, SnapshotHeader& header) {
    return decode_header(head, size, {.at_ms = at_ms, .boot = {boot}}, header);
  };
  SnapshotHeader header;
  CHECK(decoded(kSize, 1'000'500, 1, header) == SnapshotFault::kNone);
  CHECK(header.rows == 3);
  CHECK(header.checksum == 77);
  CHECK(header.age_ms == 500);
  CHECK(decoded(kSize - 1, 1'000'500, 1, header) == SnapshotFault::kOtherLength);
  CHECK(decoded(kSize, 1'000'500, 2, header) == SnapshotFault::kOtherBoot);
  CHECK(decoded(kSize, 999'999, 1, header) == SnapshotFault::kOtherBoot);
  CHECK(decoded(kSize, 1'060'001, 1, header) == SnapshotFault::kTooOld);
  head[8]++;
  CHECK(decoded(kSize, 1'000'500, 1, header) == SnapshotFault::kOtherVersion);
  head[0]++;
  CHECK(decoded(kSize, 1'000'500, 1, header) == SnapshotFault::kNotASnapshot);
}

TEST_CASE("hostile rows are no connections, or connections that the table judges") {
  TestDirector director(256);
  director.publish(services());
  uint64_t random = 88172645463325252;
  size_t decoded = 0;
  for (int i = 0; i < 200'000; i++) {
    std::array<uint8_t, kSnapshotRowSize> row;
    for (size_t at = 0; at < row.size(); at += 8) {
      random ^= random << 13, random ^= random >> 7, random ^= random << 17;
      std::memcpy(row.data() + at, &random, 8);
    }
    // Near the border of what is valid, where mistakes are.
    row[0] = random & 1 ? 4 : 6, row[1] = random & 2 ? 6 : 17, row[2] %= 13, row[3] %= 17;
    ConnectionView view;
    if (!decode_row(row, random % 100'000, view)) continue;
    decoded++;
    if (i % 2 == 0) {
      const DestinationSpec at = nat("10.1.0.5:8080");
      view.family = Family::kIpv4, view.protocol = kProtocolTcp, view.is_nat = true;
      view.virtual_address = address("10.9.0.1"), view.virtual_port = 80;
      view.destination = at.address, view.destination_port = at.port;
    }
    director->adopt_connections(std::span(&view, 1), director.now);
  }
  CHECK(decoded > 10'000);
  CHECK(director->connection_count() > 128);
  CHECK(director->connection_count() <= 256);
  CHECK(director.connections().size() == director->connection_count());
}

TEST_CASE("the checksum sees a changed, moved and missing row") {
  std::vector<uint8_t> rows(4 * kSnapshotRowSize);
  for (size_t i = 0; i < rows.size(); i++) rows[i] = static_cast<uint8_t>(i * 7);
  const auto sum = [](std::span<const uint8_t> bytes) {
    SnapshotChecksum checksum;
    checksum.add(bytes);
    return checksum.value();
  };
  const uint32_t good = sum(rows);
  SnapshotChecksum pieces;
  pieces.add(std::span(rows).first(kSnapshotRowSize));
  pieces.add(std::span(rows).subspan(kSnapshotRowSize));
  CHECK(pieces.value() == good);
  CHECK(sum(std::span(rows).first(3 * kSnapshotRowSize)) != good);
  for (size_t i = 0; i < rows.size(); i++) {
    rows[i] ^= 1;
    CHECK(sum(rows) != good);
    rows[i] ^= 1;
  }
  std::swap_ranges(rows.begin(), rows.begin() + kSnapshotRowSize, rows.begin() + kSnapshotRowSize);
  CHECK(sum(rows) != good);
}

}  // namespace
}  // namespace uvs::test

// The bytes that cross between C++ and TypeScript, held against test/support/rows.txt:
// test/unit/dataplane/table-codec.test.ts holds the other side against the same bytes.
#include "dataplane/translate.h"

#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <string>

#include "core/flow/tcp_state.h"
#include "core/net/parse.h"
#include "core/schedule/scheduler.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

Octets row(const std::string& wanted) {
  std::ifstream file("test/support/rows.txt");
  for (std::string name, hex; file >> name >> hex;) {
    if (name != wanted) continue;
    Octets bytes;
    for (size_t i = 0; i + 1 < hex.size(); i += 2)
      bytes.push_back(static_cast<uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    return bytes;
  }
  return {};
}

}  // namespace

TEST_CASE("rows: what TypeScript writes for a table is read as it was meant") {
  const auto table = decode_table(row("table"));
  REQUIRE(table.has_value());
  const Policy policy{.tcp_timeout_s = 0x01020304,
                      .tcp_fin_timeout_s = 0x05060708,
                      .udp_timeout_s = 0x090a0b0c,
                      .conn_reuse_mode = 3,
                      .expire_nodest_conn = NodestRule::kMove,
                      .sloppy_tcp = true,
                      .expire_quiescent_template = true};
  CHECK(table->policy == policy);
  ServiceSpec first{.protocol = kProtocolTcp,
                    .family = Family::kIpv4,
                    .address = address("10.9.0.1"),
                    .port = 0x1234,
                    .scheduler = scheduler_named("sh"),
                    .scheduler_flags = static_cast<uint8_t>(SchedulerFlag::kFallback),
                    .persistence_timeout_s = 0x21222324,
                    .persistence_prefix = 24,
                    .is_draining = true,
                    .destinations = {}};
  first.destinations = {{.family = Family::kIpv4,
                         .address = address("10.1.0.2"),
                         .port = 0x2345,
                         .method = ForwardingMethod::kNat,
                         .weight = 0xabcd,
                         .upper_threshold = 0x0d0e0f10,
                         .lower_threshold = 0x11121314,
                         .is_removed = true},
                        {.family = Family::kIpv4,
                         .address = address("10.1.0.3"),
                         .port = 0x3456,
                         .method = ForwardingMethod::kDirectRoute,
                         .weight = 1,
                         .upper_threshold = 2,
                         .lower_threshold = 3}};
  const ServiceSpec second{.protocol = kProtocolUdp,
                           .family = Family::kIpv6,
                           .address = address("2001:db8:9::1"),
                           .port = 0x4567,
                           .scheduler = scheduler_named("mh"),
                           .scheduler_flags = static_cast<uint8_t>(SchedulerFlag::kPort),
                           .is_one_packet = true,
                           .is_standby = true,
                           .destinations = {}};
  REQUIRE(table->services.size() == 2);
  CHECK(table->services[0] == first);
  CHECK(table->services[1] == second);
  REQUIRE(table->closed.size() == 2);
  CHECK(table->closed[0].family == Family::kIpv4);
  CHECK(table->closed[0].address == address("10.9.0.7"));
  CHECK(table->closed[1].family == Family::kIpv6);
  CHECK(table->closed[1].address == address("2001:db8:9::8"));
  const std::vector<ClientPrefix> clients = {{Family::kIpv4, address("172.16.0.0"), 12, true},
                                             {Family::kIpv4, address("172.16.9.0"), 24, false},
                                             {Family::kIpv6, address("2001:db8:7::"), 48, false}};
  CHECK(table->clients == clients);
}

TEST_CASE("rows: a client's prefix that is longer than its family's addresses is refused") {
  Octets bytes = row("table");
  REQUIRE(decode_table(bytes).has_value());
  uint8_t& length = bytes[bytes.size() - 3 * 32 + 16];
  REQUIRE(length == 12);
  length = 33;
  CHECK(!decode_table(bytes).has_value());
}

TEST_CASE("rows: a service of a kind that is not served is refused, and one of every port has none") {
  const auto decoded = [](uint8_t kind, bool has_port, uint8_t prefix = 24) {
    Octets bytes = row("table");
    REQUIRE(bytes[32 + 22] == 0);
    bytes[32 + 22] = kind;
    bytes[32 + 23] = prefix;
    if (!has_port) bytes[32 + 16] = bytes[32 + 17] = 0;
    return decode_table(bytes).has_value();
  };
  CHECK(decoded(0, true));
  CHECK(decoded(1, false));
  CHECK(!decoded(0, false));
  CHECK(!decoded(1, true));
  for (const bool has_port : {false, true}) {
    CHECK(!decoded(2, has_port));
    CHECK(!decoded(255, has_port));
  }
  CHECK(decoded(0, true, 32));
  CHECK(!decoded(0, true, 33));
}

TEST_CASE("rows: connections are written as TypeScript reads them") {
  const std::array connections = {
      ConnectionView{.family = Family::kIpv4,
                     .protocol = kProtocolTcp,
                     .state = static_cast<uint8_t>(TcpState::kFinWait),
                     .client_port = 0x1122,
                     .virtual_port = 0x3344,
                     .destination_port = 0x5566,
                     .expires_ms = 0x778899aa,
                     .client = address("172.16.0.1"),
                     .virtual_address = address("10.9.0.1"),
                     .destination = address("10.1.0.2")},
      ConnectionView{.family = Family::kIpv6,
                     .protocol = kProtocolUdp,
                     .client_port = 1,
                     .virtual_port = 2,
                     .destination_port = 3,
                     .expires_ms = 4,
                     .client = address("2001:db8::5"),
                     .virtual_address = address("2001:db8:9::1"),
                     .destination = address("2001:db8:1::2")},
      ConnectionView{.family = Family::kIpv4,
                     .protocol = kProtocolUdp,
                     .virtual_port = 5,
                     .destination_port = 6,
                     .expires_ms = 7,
                     .is_template = true,
                     .is_assured = true,
                     .client = address("172.16.0.0"),
                     .virtual_address = address("10.9.0.1"),
                     .destination = address("10.1.0.2")}};
  std::vector<uint8_t> rows;
  encode_connections(connections, rows);
  CHECK(rows == row("connections"));
}

TEST_CASE("rows: counters are written as TypeScript reads them, as far as there is room") {
  const Octets expected = row("counters");
  REQUIRE(expected.size() == 23 * sizeof(uint64_t));
  for (const size_t room : {23u, 22u, 6u, 0u}) {
    std::vector<uint64_t> numbers(room);
    CounterWriter writer(numbers);
    writer.put(Traffic{0x0102030405060708, 2, 3, 4, 5});
    writer.put(DestinationCounters{.active = 6,
                                   .inactive = 7,
                                   .persistent = 8,
                                   .is_overloaded = true,
                                   .traffic = {9, 10, 11, 12, 13}});
    writer.put(DestinationCounters{.active = 14,
                                   .inactive = 15,
                                   .persistent = 16,
                                   .is_local = true,
                                   .traffic = {17, 18, 19, 20, 0xf0f1f2f3f4f5f6f7}});
    const auto* first = reinterpret_cast<const uint8_t*>(numbers.data());
    const Octets written(first, first + room * sizeof(uint64_t));
    CHECK(written == Octets(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(written.size())));
  }
}

}  // namespace uvs::test

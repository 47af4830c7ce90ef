#include "dataplane/translate.h"

#include <cstring>

#include "core/net/bytes.h"
#include "core/net/parse.h"
#include "core/schedule/scheduler.h"

namespace uvs {
namespace {

constexpr size_t kRowSize = 32;  // of the table's head and a destination; a service has two
constexpr size_t kSchedulerNameSize = 16;

constexpr uint8_t kPolicySloppyTcp = 1, kPolicyExpireQuiescentTemplate = 2;
constexpr uint8_t kFlagOnePacket = 1, kFlagDraining = 2, kFlagStandby = 4;
constexpr uint8_t kFlagRemoved = 1;             // of a destination, above its weight
constexpr uint32_t kWeightMask = 0x00ff'ffff;
constexpr uint8_t kFlagTemplate = 1, kFlagAssured = 2;  // of a connection
constexpr uint64_t kFlagOverloaded = 1, kFlagLocal = 2;  // of a destination's counters

std::optional<Family> family_of(uint8_t number) {
  if (number != 4 && number != 6) return std::nullopt;
  return static_cast<Family>(number);
}

// Of the kinds of services, behind 0 (one port): marks are not served yet, and the control plane refuses them with words.
constexpr uint8_t kEveryPort = 1;

std::optional<ServiceSpec> decode_service(const uint8_t* row) {
  const std::optional<Family> family = family_of(row[19]);
  const uint8_t protocol = row[18];
  const bool has_protocol = protocol == kProtocolTcp || protocol == kProtocolUdp;
  const auto* name = reinterpret_cast<const char*>(row + kRowSize);
  const Scheduler* scheduler = scheduler_named({name, strnlen(name, kSchedulerNameSize)});
  if (!family || !has_protocol || scheduler == nullptr) return std::nullopt;
  const bool is_every_port = row[22] == kEveryPort;
  if (row[22] > kEveryPort || is_every_port != (load<uint16_t>(row + 16) == 0)) return std::nullopt;
  if (row[23] > address_size(*family) * 8) return std::nullopt;
  ServiceSpec service;
  service.address = IpAddress::load_ipv6(row);
  service.port = load<uint16_t>(row + 16);
  service.protocol = protocol;
  service.family = *family;
  service.scheduler = scheduler;
  service.scheduler_flags = row[20];
  service.is_one_packet = (row[21] & kFlagOnePacket) != 0;
  service.is_draining = (row[21] & kFlagDraining) != 0;
  service.is_standby = (row[21] & kFlagStandby) != 0;
  service.persistence_prefix = row[23];
  service.persistence_timeout_s = load<uint32_t>(row + kRowSize + kSchedulerNameSize);
  return service;
}

std::optional<DestinationSpec> decode_destination(const uint8_t* row) {
  const std::optional<Family> family = family_of(row[19]);
  if (!family || row[18] > static_cast<uint8_t>(ForwardingMethod::kDirectRoute)) return std::nullopt;
  DestinationSpec destination;
  destination.address = IpAddress::load_ipv6(row);
  destination.port = load<uint16_t>(row + 16);
  destination.method = static_cast<ForwardingMethod>(row[18]);
  destination.family = *family;
  destination.weight = load<uint32_t>(row + 20) & kWeightMask;
  destination.is_removed = (row[23] & kFlagRemoved) != 0;
  destination.upper_threshold = load<uint32_t>(row + 24);
  destination.lower_threshold = load<uint32_t>(row + 28);
  return destination;
}

}  // namespace

std::optional<TableSpec> decode_table(std::span<const uint8_t> bytes) {
  const auto take_row = [&bytes](size_t rows = 1) -> const uint8_t* {
    if (bytes.size() < rows * kRowSize) return nullptr;
    const uint8_t* row = bytes.data();
    bytes = bytes.subspan(rows * kRowSize);
    return row;
  };
  const uint8_t* head = take_row();
  if (head == nullptr) return std::nullopt;
  const uint32_t services = load<uint32_t>(head);
  const uint32_t closed = load<uint32_t>(head + 20);
  const uint32_t clients = load<uint32_t>(head + 24);
  TableSpec table;
  table.policy.tcp_timeout_s = load<uint32_t>(head + 4);
  table.policy.tcp_fin_timeout_s = load<uint32_t>(head + 8);
  table.policy.udp_timeout_s = load<uint32_t>(head + 12);
  table.policy.conn_reuse_mode = head[16];
  if (head[17] > static_cast<uint8_t>(NodestRule::kMove)) return std::nullopt;
  table.policy.expire_nodest_conn = static_cast<NodestRule>(head[17]);
  table.policy.sloppy_tcp = (head[18] & kPolicySloppyTcp) != 0;
  table.policy.expire_quiescent_template = (head[18] & kPolicyExpireQuiescentTemplate) != 0;
  for (uint32_t i = 0; i < services; i++) {
    const uint8_t* row = take_row(2);
    if (row == nullptr) return std::nullopt;
    std::optional<ServiceSpec> service = decode_service(row);
    const uint32_t destinations = load<uint32_t>(row + 24);
    if (!service || destinations > bytes.size() / kRowSize) return std::nullopt;
    service->destinations.reserve(destinations);
    for (uint32_t k = 0; k < destinations; k++) {
      const std::optional<DestinationSpec> destination = decode_destination(take_row());
      if (!destination) return std::nullopt;
      service->destinations.push_back(*destination);
    }
    table.services.push_back(std::move(*service));
  }
  for (uint32_t i = 0; i < closed; i++) {
    const uint8_t* row = take_row();
    const std::optional<Family> family = row == nullptr ? std::nullopt : family_of(row[19]);
    if (!family) return std::nullopt;
    table.closed.push_back({*family, IpAddress::load_ipv6(row)});
  }
  for (uint32_t i = 0; i < clients; i++) {
    const uint8_t* row = take_row();
    const std::optional<Family> family = row == nullptr ? std::nullopt : family_of(row[19]);
    if (!family || row[16] > address_size(*family) * 8) return std::nullopt;
    table.clients.push_back({*family, IpAddress::load_ipv6(row), row[16], row[17] != 0});
  }
  if (!bytes.empty()) return std::nullopt;
  return table;
}

void encode_connections(std::span<const ConnectionView> connections, std::vector<uint8_t>& rows) {
  rows.assign(connections.size() * kConnectionRowSize, 0);
  uint8_t* row = rows.data();
  for (const ConnectionView& connection : connections) {
    row[0] = static_cast<uint8_t>(connection.family);
    row[1] = connection.protocol;
    row[2] = connection.state;
    row[3] = static_cast<uint8_t>((connection.is_template ? kFlagTemplate : 0) | (connection.is_assured ? kFlagAssured : 0));
    store(row + 4, connection.client_port);
    store(row + 6, connection.virtual_port);
    store(row + 8, connection.destination_port);
    store(row + 12, connection.expires_ms);
    store(row + 16, connection.client);
    store(row + 32, connection.virtual_address);
    store(row + 48, connection.destination);
    row += kConnectionRowSize;
  }
}

void CounterWriter::put(const Traffic& traffic) {
  put(traffic.connections);
  put(traffic.in_packets);
  put(traffic.out_packets);
  put(traffic.in_bytes);
  put(traffic.out_bytes);
}

void CounterWriter::put(const DestinationCounters& counters) {
  put(uint64_t{counters.active});
  put(uint64_t{counters.inactive});
  put(uint64_t{counters.persistent});
  put((counters.is_overloaded ? kFlagOverloaded : 0) | (counters.is_local ? kFlagLocal : 0));
  put(counters.traffic);
}

}  // namespace uvs

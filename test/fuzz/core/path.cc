// The whole path under a list of operations: packets sound and broken, alone and in batches, tables and routes that change,
// next hops that fail, time that jumps. Afterwards every count must agree with the listing, and all must end.
#include <map>
#include <tuple>

#include "fuzz_frame.h"
#include "packet_checker.h"
#include "test_director.h"

namespace uvs::test {
namespace {

std::string client(FuzzInput& input, bool is_ipv6) {
  const uint8_t choice = input.byte();
  const std::string port = std::to_string(10000 + choice % 4);
  const std::string host = std::to_string(1 + choice / 4 % 8);
  return is_ipv6 ? "[fd16::" + host + "]:" + port : "172.16.0." + host + ":" + port;
}

// A packet between a client and a service or a server, now and then in pieces, too large, or with a byte changed.
OwnedFrame any_frame(FuzzInput& input) {
  const uint8_t choice = input.byte();
  const bool is_ipv6 = (choice & 1) != 0, is_udp = (choice & 2) != 0, is_reply = (choice & 4) != 0;
  const std::string from = client(input, is_ipv6);
  const std::string port = is_udp ? "53" : "80";
  const std::string virtual_end = is_ipv6 ? "[fd09::1]:" + port : "10.9.0.1:" + port;
  const std::string server_host = std::to_string(1 + input.byte() % 4);
  const std::string real_end = is_ipv6 ? "[fd01::" + server_host + "]:" + port : "10.1.0." + server_host + ":" + port;
  Packet packet(is_udp ? kProtocolUdp : kProtocolTcp, endpoint(is_reply ? real_end : from),
                endpoint(is_reply ? from : virtual_end));
  packet.flags(input.byte() & 0x1f).payload(input.byte() * 8u);
  const uint8_t form = input.byte();
  if ((form & 3) == 1) packet.identification(form >> 4).fragment(0, 16 + (form & 0x70));
  if ((form & 3) == 2) packet.identification(form >> 4).fragment(16 + (form & 0x70), 2048);
  if ((form & 4) != 0) packet.dont_fragment();
  if ((form & 8) != 0) packet.ttl(form % 3);
  if ((choice & 8) != 0) packet.partial_checksum();
  if ((choice & 16) != 0) {  // an ICMP error about it, to whoever sent it or to the service
    const Packet error = (choice & 32) != 0 ? (is_ipv6 ? icmp6("fd16::99", "fd09::1") : icmp4("172.16.0.99", "10.9.0.1"))
                                            : (is_ipv6 ? icmp6("fd01::1", "fd16::1") : icmp4("10.1.0.1", "172.16.0.1"));
    packet = Packet(error).icmp(is_ipv6 ? 1 : 3, form % 5).quote(packet, 28 + form % 64);
  }
  Octets bytes = packet.bytes();
  if ((choice & 64) != 0) bytes[input.word() % bytes.size()] ^= input.byte();
  if ((choice & 128) != 0) bytes.resize(bytes.size() - input.byte() % bytes.size());
  return OwnedFrame(bytes, packet.offload());
}

TableSpec any_table(FuzzInput& input) {
  TableSpec table;
  const uint8_t flags = input.byte();
  table.policy.conn_reuse_mode = flags & 3;
  table.policy.expire_nodest_conn = static_cast<NodestRule>((flags >> 4 & 3) % 3);
  table.policy.sloppy_tcp = (flags & 8) != 0;
  table.policy.expire_quiescent_template = (flags & 4) != 0;
  for (const char* at : {"10.9.0.1:80", "[fd09::1]:80", "10.9.0.1:53", "[fd09::1]:53"}) {
    const Endpoint end = endpoint(at);
    const uint8_t choice = input.byte();
    if ((choice & 15) == 15) continue;
    ServiceSpec spec = service(end.port == 53 ? kProtocolUdp : kProtocolTcp, at, {},
                               schedulers()[choice % schedulers().size()]);
    spec.is_one_packet = (choice & 16) != 0;
    spec.is_draining = (choice & 0xe0) == 0xe0;
    spec.is_standby = (choice & 0xe0) == 0xc0;
    const uint8_t persistence = input.byte();
    if (persistence >= 128) {
      spec.persistence_timeout_s = 1 + persistence % 8;
      spec.persistence_prefix = static_cast<uint8_t>(address_size(end.family) * 8 - persistence % 16);
      if (persistence >= 192) spec.port = 0;
    }
    const uint8_t servers = input.byte();
    for (int d = 1; d <= 4; d++) {
      if ((servers >> d & 1) == 0) continue;
      const std::string host = std::to_string(d), port = std::to_string(end.port);
      const auto method = (servers >> (d + 3) & 1) != 0 ? ForwardingMethod::kDirectRoute : ForwardingMethod::kNat;
      spec.destinations.push_back(
          server(end.family == Family::kIpv6 ? "[fd01::" + host + "]:" + port : "10.1.0." + host + ":" + port, method,
                 input.byte() % 4));
      const uint8_t limit = input.byte();
      spec.destinations.back().upper_threshold = limit % 4;
      if (limit >= 192) spec.destinations.back().is_removed = true, spec.destinations.back().weight = 0;
    }
    table.services.push_back(std::move(spec));
  }
  return table;
}

// What left must be as sound as what came, and every frame must have left in one way.
void check_frame(const Frame& frame, bool was_sound) {
  const bool is_sent = frame.verdict == Verdict::kForward || frame.verdict == Verdict::kAnswer;
  FUZZ_REQUIRE(!is_sent || frame.egress_ifindex != 0);
  FUZZ_REQUIRE(frame.length <= frame.capacity);
  if (was_sound && is_sent) FUZZ_REQUIRE(faults(frame) == "");
}

void send(TestDirector& director, FuzzInput& input) {
  std::vector<OwnedFrame> frames;
  const size_t count = 1 + input.byte() % 6;
  for (size_t i = 0; i < count; i++) frames.push_back(any_frame(input));
  Batch batch;
  std::array<bool, kBatchSize> was_sound{};
  for (OwnedFrame& frame : frames) {
    frame->ifindex = input.byte() % 2 == 0 ? TestDirector::kClientLink : TestDirector::kServerLink;
    was_sound[batch.count] = faults(frame).empty();
    batch.frames[batch.count++] = frame;
  }
  director.now++;
  director->process(batch, director.now);
  for (size_t i = 0; i < batch.count; i++) check_frame(batch.frames[i], was_sound[i]);
  Batch extra;
  while (director->take_extra(extra)) {
    for (size_t i = 0; i < extra.count; i++) check_frame(extra.frames[i], false);
  }
}

void release(TestDirector& director) {
  Batch batch, extra;
  while (director->release_held(batch, director.now)) {
    for (size_t i = 0; i < batch.count; i++) check_frame(batch.frames[i], false);
    while (director->take_extra(extra)) FUZZ_REQUIRE(extra.count <= kBatchSize);
  }
}

// The servers' counts against the connections and templates that are listed for them. Connections outlive a service; where
// one of every port stood at its address, too, they may be of either.
void check_counts(TestDirector& director, bool had_every_port) {
  const std::vector<ConnectionView> rows = director.connections(5);
  FUZZ_REQUIRE(rows.size() == director->connection_count());
  using Key = std::tuple<std::array<uint8_t, 16>, uint8_t, std::array<uint8_t, 16>, bool>;
  std::map<Key, uint32_t> listed;
  for (const ConnectionView& row : rows)
    listed[Key{row.virtual_address.bytes, row.protocol, row.destination.bytes, row.is_template}]++;
  TableStore& tables = director->tables();
  for (const auto& service : tables.newest().services) {
    for (const Destination& destination : service->destinations) {
      const DestinationCounters counters = tables.destination_counters(destination.slot);
      const auto check = [&](uint32_t counted, bool is_template) {
        const uint32_t all = listed[Key{service->key.address.bytes, service->key.protocol,
                                        destination.spec.address.bytes, is_template}];
        FUZZ_REQUIRE(had_every_port ? counted <= all : counted == all);
      };
      check(counters.active + counters.inactive, false);
      check(counters.persistent, true);
    }
  }
}

void check(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  TestDirector director(24, 16);
  bool had_every_port = false;
  const auto publish = [&] {
    const TableSpec table = any_table(input);
    for (const ServiceSpec& one : table.services) had_every_port = had_every_port || one.port == 0;
    FUZZ_REQUIRE(director->tables().publish(table).ok());
    director->adopt(director.now);
  };
  publish();
  while (!input.is_empty()) {
    const uint8_t operation = input.byte();
    switch (operation % 16) {
      case 0:
        publish();
        break;
      case 1:
        director.wait(operation / 16 * 10.0);
        break;
      case 2:
        director.server_mtu = operation >= 128 ? 600 : 1500;
        director.has_server_route = (operation & 16) == 0;
        director.publish_view();
        break;
      case 3:
        director.resolve(operation >= 192 ? NeighbourState::kFailed : NeighbourState::kResolved);
        release(director);
        break;
      case 4: {
        OwnedFrame frame = input.frame(kMinFrameCapacity);  // the rest of the input
        Batch batch;
        batch.count = 1;
        batch.frames[0] = frame;
        director->process(batch, director.now);
        break;
      }
      default:
        send(director, input);
        if (operation >= 128) director.resolve(NeighbourState::kResolved);
        release(director);
    }
    check_counts(director, had_every_port);
  }
  // A template that is due together with its connections is given another minute.
  for (int i = 0; i < 2; i++) director.wait(2000);
  FUZZ_REQUIRE(director->connection_count() == 0);
  check_counts(director, had_every_port);
}

}  // namespace
}  // namespace uvs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uvs::test::check(data, size);
  return 0;
}

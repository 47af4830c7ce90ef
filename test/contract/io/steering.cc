// What the steering programs decide, packet by packet, on real devices, in both forms (tcx,
// clsact).
#include "io/steering.h"

#include <doctest/doctest.h>

#include <limits>

#include "core/flow/reply_map.h"
#include "io/af_packet.h"
#include "io/monotonic_clock.h"
#include "scratch_network.h"

namespace uvs::test {
namespace {

constexpr const char* kVip = "10.9.0.1";
constexpr const char* kVip6 = "2001:db8:9::1";
constexpr const char* kServer = "10.1.0.5";
constexpr const char* kClient = "172.16.0.1";

// A steered device, and what arrives at the worker's side.
class Bench {
 public:
  explicit Bench(bool force_clsact) : far_(network_.far()) {
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    steering = std::move(started.value());
    REQUIRE(steering->attach(network_.near(), mac(), LinkLayer::kEthernet).ok());
    SteeringKeys keys;
    keys.services = {service_key(Family::kIpv4, address(kVip), 80, 6),
                     service_key(Family::kIpv4, address(kVip), 53, 17),
                     service_key(Family::kIpv6, address(kVip6), 80, 6)};
    keys.addresses = {address_key(Family::kIpv4, address(kVip), UVS_ADDRESS_FRAGMENTS_TO),
                      address_key(Family::kIpv6, address(kVip6), UVS_ADDRESS_FRAGMENTS_TO),
                      address_key(Family::kIpv4, address(kServer), UVS_ADDRESS_FRAGMENTS_FROM)};
    REQUIRE(steering->cover(keys).ok());
    beat(0);
    auto opened = AfPacket::open(steering->receive_ifindex());
    REQUIRE_MESSAGE(opened.ok(), opened.status().message);
    io = std::move(opened.value());
  }

  MacAddress mac() const { return mac_of(ScratchNetwork::kNear); }
  void beat(int64_t age_us) {
    steering->set_heartbeat((monotonic_now() - static_cast<uint64_t>(age_us)) * 1000);
  }

  // Whether the worker gets the packet: a marker that it certainly gets is sent behind it.
  bool is_steered(Packet packet) {
    beat(0);
    return reaches_worker(packet.macs(mac(), {{2, 0, 0, 0, 0, 9}}).bytes());
  }
  bool reaches_worker(const Octets& frame) {
    far_.send(frame);
    const uint16_t port = ++marker_;
    beat_for_marker();
    far_.send(tcp4("172.16.9.9:" + std::to_string(port), "10.9.0.1:80").macs(mac(), {}).bytes());
    size_t arrived = 0;
    for (;;) {
      pollfd watched{io->descriptor(), POLLIN, 0};
      REQUIRE(poll(&watched, 1, 2000) == 1);
      Batch batch;
      io->receive(batch);
      bool is_done = false;
      for (size_t i = 0; i < batch.count; i++) {
        const Frame& one = batch.frames[i];
        is_done = one.length > 36 && load<Be32>(one.data + 26).host() == 0xac100909 &&
                  load<Be16>(one.data + 34).host() == port;
        if (!is_done) arrived++;
      }
      io->release(batch);
      if (is_done) return arrived == 1;
    }
  }
  void send(Packet packet) { far_.send(packet.macs(mac(), {}).bytes()); }
  uint64_t counter(uvs_steer_counter which) const { return steering->counters().values[which]; }

  std::unique_ptr<Steering> steering;
  std::unique_ptr<AfPacket> io;
  bool is_marker_beating = true;

 private:
  void beat_for_marker() {
    if (is_marker_beating) beat(0);
  }
  ScratchNetwork network_;
  Wire far_;
  uint16_t marker_ = 20'000;
};

Packet from_client(const std::string& to) { return tcp4("172.16.0.1:4000", to); }

void services_and_nothing_else(Bench& bench) {
  CHECK(bench.is_steered(from_client("10.9.0.1:80").syn()));
  CHECK(bench.is_steered(from_client("10.9.0.1:80").ipv4_options({1, 1, 1, 0})));
  CHECK(bench.is_steered(udp4("172.16.0.1:4000", "10.9.0.1:53").payload(20)));
  CHECK(bench.is_steered(tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").syn()));
  CHECK_FALSE(bench.is_steered(from_client("10.9.0.1:81").syn()));
  CHECK_FALSE(bench.is_steered(from_client("10.9.0.2:80").syn()));
  CHECK_FALSE(bench.is_steered(udp4("172.16.0.1:4000", "10.9.0.1:80")));
  CHECK_FALSE(bench.is_steered(tcp4("10.9.0.1:80", "172.16.0.1:4000")));
  CHECK_FALSE(bench.is_steered(icmp4("172.16.0.1", "10.9.0.1").icmp(8, 0)));  // ping to the VIP
  CHECK_FALSE(bench.is_steered(icmp6("2001:db8::5", "2001:db8:9::1").icmp(135, 0)));
  CHECK_FALSE(bench.is_steered(tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:81")));
  CHECK(bench.counter(UVS_STEER_SERVICE) > 4);
  CHECK(bench.steering->counters().lost_in_pair == 0);
  // A pair whose far end is down takes nothing, and says so.
  run("ip link set uvs1 down");
  bench.send(from_client("10.9.0.1:80").syn());
  CHECK(bench.steering->counters().lost_in_pair == 1);
}

void ipv6_extension_headers_are_walked(Bench& bench) {
  const auto packet = [] { return tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").syn(); };
  const Octets padding{0, 1, 4, 0, 0, 0, 0};  // length 0: 8 bytes in all
  const Octets long_padding{1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  CHECK(bench.is_steered(packet().extension(0, padding)));
  CHECK(bench.is_steered(packet().extension(0, padding).extension(60, long_padding)));
  const Octets arrived{0, 2, 0, 0, 0, 0, 0};  // a route without stops left
  CHECK(bench.is_steered(
      packet().extension(0, padding).extension(43, arrived).extension(60, padding)));
}

// The kernel has the outermost tag in the packet's metadata, whether the device put it there or the
// frame came with it.
Octets tagged(Packet packet, const MacAddress& mac, std::initializer_list<uint32_t> tags) {
  Octets bytes = packet.macs(mac, {{2, 0, 0, 0, 0, 9}}).bytes();
  Octets words;
  for (const uint32_t tag : tags) put32(words, tag);
  bytes.insert(bytes.begin() + 12, words.begin(), words.end());
  return bytes;
}

void priority_tags_are_no_tags(Bench& bench) {
  const auto is_steered = [&](const Packet& packet, std::initializer_list<uint32_t> tags) {
    bench.beat(0);
    return bench.reaches_worker(tagged(packet, bench.mac(), tags));
  };
  for (const Packet& packet : {from_client("10.9.0.1:80").syn(), udp4("172.16.0.1:4000", "10.9.0.1:53"),
                               tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").syn()}) {
    for (const uint32_t tag : {0x81000000u, 0x8100a000u, 0x88a80000u}) {
      CHECK(is_steered(packet, {tag}));
      CHECK(is_steered(packet, {tag, 0x8100e000}));  // one behind another, as to the kernel
    }
    const uint64_t before = bench.counter(UVS_STEER_TAGGED);
    CHECK_FALSE(is_steered(packet, {0x81000064}));              // VLAN 100
    CHECK_FALSE(is_steered(packet, {0x88a80064, 0x81000065}));  // QinQ
    CHECK_FALSE(is_steered(packet, {0x81000000, 0x81000065}));  // a VLAN behind a priority
    CHECK(bench.counter(UVS_STEER_TAGGED) == before + 3);
  }
}

// Nobody but the worker gets anything; the host would say no to what it gets, and does not here.
void closed_addresses_take_services_only(Bench& bench) {
  const auto pings = [&](const char* to) { return icmp4(kClient, to).icmp(8, 0); };
  const auto closed = [&] { return bench.counter(UVS_STEER_CLOSED); };
  SteeringKeys keys;
  keys.addresses = {address_key(Family::kIpv4, address(kVip), UVS_ADDRESS_CLOSED),
                    address_key(Family::kIpv6, address(kVip6), UVS_ADDRESS_CLOSED)};
  REQUIRE(bench.steering->cover(keys).ok());
  CHECK(bench.is_steered(from_client("10.9.0.1:80").syn()));
  CHECK(bench.is_steered(tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").syn()));
  CHECK(closed() == 0);
  CHECK_FALSE(bench.is_steered(pings(kVip)));
  CHECK_FALSE(bench.is_steered(from_client("10.9.0.1:81").syn()));
  CHECK_FALSE(bench.is_steered(tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:81")));
  CHECK_FALSE(bench.is_steered(icmp6("2001:db8::5", kVip6).icmp(128, 0)));
  CHECK(closed() == 4);
  // Neighbour discovery, other addresses, and everything when there is no worker: the host's.
  for (uint8_t type = 133; type <= 137; type++)
    CHECK_FALSE(bench.is_steered(icmp6("2001:db8::5", kVip6).icmp(type, 0)));
  CHECK_FALSE(bench.is_steered(pings("10.9.0.2")));
  bench.steering->set_heartbeat(0);
  bench.send(pings(kVip));
  CHECK(closed() == 4);
  bench.beat(1'500'000);  // closed needs no worker
  bench.send(pings(kVip));
  CHECK(closed() == 5);
  bench.steering->restrict_to({.services = {service_key(Family::kIpv4, address(kVip), 80, 6)}, .addresses = {}});
  CHECK_FALSE(bench.is_steered(pings(kVip)));
  CHECK(closed() == 5);
}

void every_port_of_a_service(Bench& bench) {
  const Packet other_port = from_client("10.9.0.1:4444").syn();
  const Packet other_port6 = tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:4444").syn();
  CHECK_FALSE(bench.is_steered(other_port));
  const SteeringKeys keys{{service_key(Family::kIpv4, address(kVip), 80, 6), service_key(Family::kIpv4, address(kVip), 0, 6),
                           service_key(Family::kIpv6, address(kVip6), 0, 6)},
                          {}};
  REQUIRE(bench.steering->cover(keys).ok());
  CHECK(bench.is_steered(other_port));
  CHECK(bench.is_steered(other_port6));
  CHECK(bench.is_steered(from_client("10.9.0.1:80").syn()));
  CHECK_FALSE(bench.is_steered(udp4("172.16.0.1:4000", "10.9.0.1:4444")));
  CHECK_FALSE(bench.is_steered(from_client("10.9.0.2:4444").syn()));
  CHECK_FALSE(bench.is_steered(icmp4(kClient, kVip).icmp(8, 0)));
  bench.steering->restrict_to({.services = {service_key(Family::kIpv4, address(kVip), 80, 6)}, .addresses = {}});
  CHECK_FALSE(bench.is_steered(other_port));
  CHECK_FALSE(bench.is_steered(other_port6));
  CHECK(bench.is_steered(from_client("10.9.0.1:80").syn()));
}

void expected_replies_and_no_others(Bench& bench) {
  ReplyMap map(bench.steering->flow_buckets(), bench.steering->flow_key());
  const auto expect = [&](const char* server, const char* client, uint8_t protocol) {
    const Endpoint from = endpoint(server), to = endpoint(client);
    const uint64_t key =
        map.key_of({from.family, protocol, from.address, from.port, to.address, to.port});
    REQUIRE(map.insert(key) == ReplyMap::Inserted::kDone);
    return key;
  };
  const Packet reply = tcp4("10.1.0.5:8080", "172.16.0.1:4000").ack();
  CHECK_FALSE(bench.is_steered(reply));
  const uint64_t key = expect("10.1.0.5:8080", "172.16.0.1:4000", 6);
  CHECK(bench.is_steered(reply));
  CHECK_FALSE(bench.is_steered(tcp4("10.1.0.5:8080", "172.16.0.1:4001").ack()));
  CHECK_FALSE(bench.is_steered(tcp4("10.1.0.5:8081", "172.16.0.1:4000").ack()));
  CHECK_FALSE(bench.is_steered(udp4("10.1.0.5:8080", "172.16.0.1:4000")));
  REQUIRE(map.erase(key));
  CHECK_FALSE(bench.is_steered(reply));

  expect("[2001:db8:1::5]:8080", "[2001:db8::5]:4000", 17);
  CHECK(bench.is_steered(udp6("[2001:db8:1::5]:8080", "[2001:db8::5]:4000").payload(9)));
  CHECK_FALSE(bench.is_steered(tcp6("[2001:db8:1::5]:8080", "[2001:db8::5]:4000")));

  // Enough that keys stand in their second buckets too.
  size_t steered = 0;
  for (uint16_t port = 1; port <= 300; port++) {
    const std::string client = "172.16.0.2:" + std::to_string(port);
    expect("10.1.0.5:8080", client.c_str(), 6);
    if (port % 10 == 0) steered += bench.is_steered(tcp4("10.1.0.5:8080", client).ack()) ? 1 : 0;
  }
  CHECK(steered == 30);
}

void errors_about_ours(Bench& bench) {
  ReplyMap map(bench.steering->flow_buckets(), bench.steering->flow_key());
  const Endpoint server = endpoint("10.1.0.5:8080"), client = endpoint("172.16.0.1:4000");
  REQUIRE(map.insert(map.key_of({Family::kIpv4, 6, server.address, 8080, client.address, 4000})) ==
          ReplyMap::Inserted::kDone);
  const auto unreachable = [](const Packet& about) {
    return icmp4("172.16.5.5", kVip).icmp(3, 4, 1400).quote(about, 28);
  };
  // About what we sent to a client, and about what we sent to a server for one.
  CHECK(bench.is_steered(unreachable(tcp4("10.9.0.1:80", "172.16.0.1:4000"))));
  CHECK(bench.is_steered(
      icmp4("10.1.0.1", kClient).icmp(11, 0).quote(tcp4("172.16.0.1:4000", "10.1.0.5:8080"), 28)));
  CHECK_FALSE(bench.is_steered(unreachable(tcp4("10.9.0.1:81", "172.16.0.1:4000"))));
  CHECK_FALSE(bench.is_steered(
      icmp4("10.1.0.1", kClient).icmp(11, 0).quote(tcp4("172.16.0.1:4000", "10.1.0.5:81"), 28)));
  // No error at all, quotes of something else, quotes that end too early.
  CHECK_FALSE(bench.is_steered(
      icmp4("172.16.5.5", kVip).icmp(0, 0).quote(tcp4("10.9.0.1:80", "172.16.0.1:4000"), 28)));
  CHECK_FALSE(bench.is_steered(unreachable(icmp4(kVip, kClient).icmp(8, 0))));
  CHECK_FALSE(bench.is_steered(
      icmp4("172.16.5.5", kVip).icmp(3, 4).quote(tcp4("10.9.0.1:80", "172.16.0.1:4000"), 22)));

  CHECK(bench.is_steered(icmp6("2001:db8::1", kVip6)
                             .icmp(2, 0, 1280)
                             .quote(tcp6("[2001:db8:9::1]:80", "[2001:db8::5]:4000"), 60)));
  CHECK_FALSE(bench.is_steered(icmp6("2001:db8::1", kVip6)
                                   .icmp(128, 0)
                                   .quote(tcp6("[2001:db8:9::1]:80", "[2001:db8::5]:4000"), 60)));
}

void fragments(Bench& bench) {
  const auto whole = [](const std::string& from, const std::string& to) {
    return udp4(from, to).payload(1400);
  };
  CHECK(bench.is_steered(whole("172.16.0.1:4000", "10.9.0.1:53").fragment(0, 800)));
  CHECK(bench.is_steered(whole("172.16.0.1:4000", "10.9.0.1:53").fragment(800, 800)));
  CHECK(bench.is_steered(whole("10.1.0.5:9", "172.16.0.1:9").fragment(800, 800)));
  // First fragments have ports, and these are nobody's: the worker learns of them, too.
  CHECK(bench.is_steered(whole("172.16.0.1:4000", "10.9.0.1:54").fragment(0, 800)));
  CHECK(bench.is_steered(whole("10.1.0.5:9", "172.16.0.1:9").fragment(0, 800)));
  CHECK_FALSE(bench.is_steered(whole("172.16.0.1:4000", "10.1.0.5:9").fragment(0, 800)));
  CHECK_FALSE(bench.is_steered(whole("172.16.0.1:4000", "10.9.0.1:54")));
  CHECK_FALSE(bench.is_steered(
      whole("10.9.0.1:9", "10.1.0.5:9").fragment(800, 800)));  // the sides are not mixed up
  CHECK_FALSE(
      bench.is_steered(icmp4("172.16.0.1", kVip).icmp(8, 0).payload(1400).fragment(800, 800)));
  const Packet six = udp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").payload(1400);
  CHECK(bench.is_steered(Packet(six).fragment(800, 800)));
  CHECK(bench.is_steered(Packet(six).fragment(0, 800)));
  CHECK_FALSE(bench.is_steered(six));
  CHECK(bench.is_steered(
      tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").payload(1400).fragment(0, 800)));
}

void only_what_is_sent_to_this_machine(Bench& bench) {
  const Packet packet = from_client("10.9.0.1:80").syn();
  CHECK_FALSE(bench.reaches_worker(
      Packet(packet).macs({{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, {}).bytes()));
  CHECK_FALSE(bench.reaches_worker(Packet(packet).macs({{2, 0, 0, 0, 7, 7}}, {}).bytes()));
  Octets tagged = Packet(packet).macs(bench.mac(), {}).bytes();
  const Octets vlan{0x81, 0x00, 0x00, 0x05};
  tagged.insert(tagged.begin() + 12, vlan.begin(), vlan.end());
  CHECK_FALSE(bench.reaches_worker(tagged));
  // Cut at every length: nothing that is too short for its ports gets through, nothing breaks.
  const Octets whole = Packet(packet).macs(bench.mac(), {}).bytes();
  for (size_t size = 14; size < 38; size++) {
    CHECK_FALSE(
        bench.reaches_worker({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)}));
  }
}

// Late is not dead: what is ours is dropped, of both families and kinds, and nobody else's.
void what_is_ours_waits_for_a_late_worker(Bench& bench) {
  bench.is_marker_beating = true;
  ReplyMap map(bench.steering->flow_buckets(), bench.steering->flow_key());
  const Endpoint server = endpoint("10.1.0.5:8080"), client = endpoint("172.16.0.1:4000");
  REQUIRE(map.insert(map.key_of({Family::kIpv4, 6, server.address, 8080, client.address, 4000})) ==
          ReplyMap::Inserted::kDone);
  const Packet ours[] = {
      from_client("10.9.0.1:80").syn(),
      udp4("172.16.0.1:4000", "10.9.0.1:53").payload(20),
      tcp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").ack(),
      tcp4("10.1.0.5:8080", "172.16.0.1:4000").ack(),
      udp4("172.16.0.1:4000", "10.9.0.1:53").payload(1400).fragment(800, 800),
      icmp4("172.16.5.5", kVip).icmp(3, 4, 1400).quote(tcp4("10.9.0.1:80", "172.16.0.1:4000"), 28),
  };
  const auto late = [&] { return bench.counter(UVS_STEER_LATE); };
  const auto passed = [&] { return bench.counter(UVS_STEER_STALE); };
  const auto reaches = [&](Packet packet) {
    return bench.reaches_worker(packet.macs(bench.mac(), {}).bytes());
  };
  constexpr auto kSecond = static_cast<int64_t>(kMicrosPerSecond);
  for (const int64_t age : {2 * kSecond, 9 * kSecond}) {
    bench.beat(age);
    const uint64_t before = late();
    for (const Packet& packet : ours) {
      bench.beat(age);
      CHECK_FALSE(reaches(packet));
    }
    CHECK(late() == before + std::size(ours));
  }
  CHECK(passed() == 0);
  const uint64_t before = late();
  bench.beat(2 * kSecond);
  CHECK_FALSE(reaches(icmp4("172.16.0.1", kVip).icmp(8, 0)));  // the host's
  bench.beat(2 * kSecond);
  CHECK_FALSE(reaches(from_client("10.9.0.1:81").syn()));
  CHECK(late() == before);

  // Late for good, and no worker at all: the host's.
  bench.beat(11 * kSecond);
  CHECK_FALSE(reaches(ours[0]));
  CHECK(passed() == 1);
  bench.steering->set_heartbeat(0);
  CHECK_FALSE(reaches(ours[0]));
  CHECK(passed() == 2);
  CHECK(late() == before);
  CHECK(bench.is_steered(from_client("10.9.0.1:80").syn()));
}

void keys_come_and_go(Bench& bench) {
  const SteeringKeys other{{service_key(Family::kIpv4, address("10.9.0.1"), 80, 6),
                            service_key(Family::kIpv4, address("10.9.0.7"), 443, 6)},
                           {}};
  CHECK_FALSE(bench.is_steered(from_client("10.9.0.7:443")));
  REQUIRE(bench.steering->cover(other).ok());
  CHECK(bench.is_steered(from_client("10.9.0.7:443")));
  CHECK(bench.is_steered(
      udp4("172.16.0.1:4000", "10.9.0.1:53")));  // the old ones stay until the worker has let go
  bench.steering->restrict_to(other);
  CHECK(bench.is_steered(from_client("10.9.0.7:443")));
  CHECK_FALSE(bench.is_steered(udp4("172.16.0.1:4000", "10.9.0.1:53")));

  SteeringKeys too_many = other;
  for (uint32_t i = 0; i <= Steering::kMaxServices; i++) {
    too_many.services.push_back(
        service_key(Family::kIpv4, IpAddress::ipv4(11, static_cast<uint8_t>(i >> 16), 0, 1),
                    static_cast<uint16_t>(i), 17));
  }
  const Status refused = bench.steering->cover(too_many);
  CHECK(refused.code == ErrorCode::kLimitReached);
  // What it had added is gone again: there is room.
  CHECK(
      bench.steering->cover({{service_key(Family::kIpv4, address("10.9.0.8"), 443, 6)}, {}}).ok());
  CHECK(bench.is_steered(from_client("10.9.0.8:443")));
  CHECK_FALSE(bench.is_steered(udp4("172.16.0.1:4000", "11.0.0.1:5")));
}

struct Decision {
  const char* name;
  void (*check)(Bench&);
};
constexpr Decision kDecisions[] = {
    {"services and nothing else", services_and_nothing_else},
    {"IPv6 extension headers are walked", ipv6_extension_headers_are_walked},
    {"priority tags are no tags", priority_tags_are_no_tags},
    {"closed addresses take services only", closed_addresses_take_services_only},
    {"every port of a service", every_port_of_a_service},
    {"every port of a service", every_port_of_a_service},
    {"expected replies and no others", expected_replies_and_no_others},
    {"ICMP errors about ours", errors_about_ours},
    {"fragments", fragments},
    {"only what is sent to this machine", only_what_is_sent_to_this_machine},
    {"what is ours waits for a late worker", what_is_ours_waits_for_a_late_worker},
    {"keys come and go", keys_come_and_go},
};

TEST_CASE("steering decides once a packet (tcx)") {
  UVS_REQUIRES("root", "bpf");
  for (const Decision& decision : kDecisions) {
    SUBCASE(decision.name) {
      Bench bench(false);
      decision.check(bench);
    }
  }
}

TEST_CASE("steering decides once a packet (clsact)") {
  UVS_REQUIRES("root", "bpf");
  for (const Decision& decision : kDecisions) {
    SUBCASE(decision.name) {
      Bench bench(true);
      decision.check(bench);
    }
  }
}

}  // namespace
}  // namespace uvs::test

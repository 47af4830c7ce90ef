// What the steering programs decide, packet by packet, on real devices, in both forms (tcx,
// clsact); and what a start, a stop and a second director do to the machine.
#include "io/steering.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
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

std::string output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  std::array<char, 4096> chunk;
  while (const size_t size = fread(chunk.data(), 1, chunk.size(), pipe))
    text.append(chunk.data(), size);
  pclose(pipe);
  return text;
}

// A steered device, and what arrives at the worker's side.
class Bench {
 public:
  explicit Bench(bool force_clsact) : far_(network_.far()) {
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    steering = std::move(started.value());
    REQUIRE(steering->attach(network_.near(), mac()).ok());
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
  CHECK(bench.is_steered(
      packet().extension(0, padding).extension(43, padding).extension(60, padding)));
  Packet many = packet();
  for (int i = 0; i < 7; i++) many.extension(60, padding);
  CHECK_FALSE(bench.is_steered(many));  // beyond the bound it is the host's
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
  // Neighbour discovery, other addresses, and everything while no worker is alive: the host's.
  for (uint8_t type = 133; type <= 137; type++)
    CHECK_FALSE(bench.is_steered(icmp6("2001:db8::5", kVip6).icmp(type, 0)));
  CHECK_FALSE(bench.is_steered(pings("10.9.0.2")));
  bench.beat(1'500'000);
  bench.send(pings(kVip));
  CHECK(closed() == 4);
  bench.steering->restrict_to({.services = {service_key(Family::kIpv4, address(kVip), 80, 6)}, .addresses = {}});
  CHECK_FALSE(bench.is_steered(pings(kVip)));
  CHECK(closed() == 4);
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
  // First fragments have ports; these are nobody's.
  CHECK_FALSE(bench.is_steered(whole("172.16.0.1:4000", "10.9.0.1:54").fragment(0, 800)));
  CHECK_FALSE(bench.is_steered(whole("10.1.0.5:9", "172.16.0.1:9").fragment(0, 800)));
  CHECK_FALSE(bench.is_steered(
      whole("10.9.0.1:9", "10.1.0.5:9").fragment(800, 800)));  // the sides are not mixed up
  CHECK_FALSE(
      bench.is_steered(icmp4("172.16.0.1", kVip).icmp(8, 0).payload(1400).fragment(800, 800)));
  const Packet six = udp6("[2001:db8::5]:4000", "[2001:db8:9::1]:80").payload(1400);
  CHECK(bench.is_steered(Packet(six).fragment(800, 800)));
  CHECK_FALSE(bench.is_steered(Packet(six).fragment(0, 800)));
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

void a_silent_worker_gets_nothing(Bench& bench) {
  bench.is_marker_beating = true;
  const uint64_t before = bench.counter(UVS_STEER_STALE);
  bench.beat(2 * static_cast<int64_t>(kMicrosPerSecond));
  const Octets frame = from_client("10.9.0.1:80").syn().macs(bench.mac(), {}).bytes();
  CHECK_FALSE(bench.reaches_worker(frame));
  CHECK(bench.counter(UVS_STEER_STALE) == before + 1);
  bench.steering->set_heartbeat(0);
  CHECK_FALSE(bench.reaches_worker(frame));
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
    {"closed addresses take services only", closed_addresses_take_services_only},
    {"expected replies and no others", expected_replies_and_no_others},
    {"ICMP errors about ours", errors_about_ours},
    {"fragments", fragments},
    {"only what is sent to this machine", only_what_is_sent_to_this_machine},
    {"a silent worker gets nothing", a_silent_worker_gets_nothing},
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

TEST_CASE("steering leaves nothing behind and keeps to itself") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  const std::string links_before = output_of("ip -o link | cut -d: -f2 | sort");
  const std::string filters = "tc filter show dev uvsio-near ingress; tc qdisc show dev uvsio-near";
  const std::string filters_before = output_of(filters);
  for (const bool force_clsact : {false, true}) {
    CAPTURE(force_clsact);
    auto started = Steering::start({.force_clsact = force_clsact});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    auto& steering = *started.value();
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear)).ok());
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear)).ok());
    CHECK(steering.is_attached(network.near()));
    CHECK(steering.attach(4'000'000, {}).code != ErrorCode::kOk);
    CHECK_FALSE(steering.attach(steering.receive_ifindex(), {}).ok());
    CHECK(output_of("ip -o addr show dev uvs0; ip -o addr show dev uvs1").empty());

    // A second one in this namespace is refused and changes nothing.
    const auto second = Steering::start({});
    REQUIRE_FALSE(second.ok());
    CHECK(second.status().code == ErrorCode::kAlreadyRunning);
    CHECK(output_of("ip -o link").find("uvs0") != std::string::npos);

    steering.detach(network.near());
    steering.detach(network.near());
    CHECK_FALSE(steering.is_attached(network.near()));
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear)).ok());
    started.value().reset();
    CHECK(output_of("ip -o link | cut -d: -f2 | sort") == links_before);
    CHECK(output_of(filters) == filters_before);
  }
}

TEST_CASE("three capabilities suffice") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2] = {};
    for (const unsigned bit : {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF}) {
      sets[bit / 32].effective |= 1u << (bit % 32);
      sets[bit / 32].permitted |= 1u << (bit % 32);
    }
    if (syscall(SYS_capset, &header, sets) != 0) _exit(2);
    auto started = Steering::start({.connections = 1000});
    if (!started.ok()) fprintf(stderr, "%s\n", started.status().message.c_str());
    if (!started.ok() || !started.value()->attach(network.near(), {}).ok()) _exit(3);
    _exit(AfPacket::open(started.value()->receive_ifindex()).ok() ? 0 : 4);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

// Starts a director's steering in another process and kills that.
void die_while_steering(bool force_clsact) {
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    const bool is_good =
        started.ok() && started.value()->attach(if_nametoindex(ScratchNetwork::kNear), {}).ok();
    (void)!write(ready[1], is_good ? "y" : "n", 1);
    pause();
    _exit(1);
  }
  char answer = 'n';
  CHECK(read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  close(ready[0]);
  close(ready[1]);
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) found++;
  return found;
}

TEST_CASE("a start clears what a killed director left, and nothing of anybody else's") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  run("tc qdisc add dev uvsio-near clsact");
  run("tc filter add dev uvsio-near ingress pref 5 protocol all bpf bytecode '1,6 0 0 0' "
      "direct-action");
  const std::string show = "tc filter show dev uvsio-near ingress";
  for (const bool was_clsact : {true, false}) {
    CAPTURE(was_clsact);
    die_while_steering(was_clsact);
    CHECK(output_of("ip -o link").find("uvs0") != std::string::npos);
    CHECK(count(output_of(show), "name uvs_steer") == (was_clsact ? 1 : 0));

    auto started = Steering::start({.force_clsact = true});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    REQUIRE(started.value()->attach(network.near(), mac_of(ScratchNetwork::kNear)).ok());
    const std::string filters = output_of(show);
    CHECK(count(filters, "name uvs_steer") == 1);
    CHECK(filters.find("uvs_steer") < filters.find("pref 5 "));
    started.value().reset();
    CHECK(count(output_of(show), "uvs_") == 0);
    CHECK(output_of(show).find("pref 5 ") != std::string::npos);
    CHECK(output_of("tc qdisc show dev uvsio-near").find("clsact") != std::string::npos);
  }
}

}  // namespace
}  // namespace uvs::test

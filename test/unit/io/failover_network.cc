// Failover's network against a real kernel, in a namespace of its own: adverts out and in, the repeater, links that
// change, address probes.
#include "host/failover_network.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "failover_testbed.h"
#include "host/virtual_mac.h"

namespace uvs::test {
namespace {

constexpr Repetition kQuick{20'000, 300'000};

struct Bench {
  Bench() {
    auto started = FailoverNetwork::start(kGuardianPath, events);
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    network = std::move(started.value());
  }
  std::string advertise(const AdvertMessage& message,
                        const std::optional<Repetition>& repetition = std::nullopt) {
    return network->advertise("VI_1", {message}, repetition);
  }

  FailoverTestbed scratch;
  RecordedEvents events;
  std::unique_ptr<FailoverNetwork> network;
};

FailoverLink near_link() {
  const auto links = snapshot_links();
  REQUIRE(links.ok());
  for (const FailoverLink& link : links.value()) {
    if (link.name == FailoverTestbed::kNear) return link;
  }
  FAIL("the near device is gone");
  return {};
}

IpAddress link_local_address() {
  for (const FailoverAddress& address : near_link().addresses) {
    if (address.address.bytes[0] == 0xfe) return address.address;
  }
  FAIL("the near device has no link-local address");
  return {};
}

const std::vector<uint8_t> kAdvert{0x31, 51, 100};
const std::vector<uint8_t> kOther{0x31, 51, 99};

TEST_CASE("adverts leave with TTL, class and source, by multicast and unicast, in both families") {
  UVS_REQUIRES("root");
  Bench bench;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool is_ipv4 = family == Family::kIpv4;
    FarListener listener(family);
    Wire wire(if_nametoindex(FailoverTestbed::kFar));
    for (const char* destination : {is_ipv4 ? "224.0.0.18" : "ff02::12", is_ipv4 ? "198.18.0.2" : "fd00:18::2"}) {
      AdvertEgress egress = near_egress(family);
      egress.ttl = 253;
      REQUIRE(bench.network->open("VI_1", egress).ok());
      CHECK(bench.advertise(message_to(destination, kAdvert)) == "");
      const Heard heard = listener.next();
      CHECK(heard.message == kAdvert);
      CHECK(heard.source == egress.source);
      CHECK(heard.destination == ip(destination));
      CHECK(heard.ttl == 253);
      for (;;) {
        const auto frame = wire.receive();
        REQUIRE(frame);
        const uint8_t* packet = frame->bytes.data() + 14;
        if (packet[is_ipv4 ? 9 : 6] != kVrrpProtocol) continue;
        const int traffic_class = is_ipv4 ? packet[1] : (packet[0] & 15) << 4 | packet[1] >> 4;
        CHECK(traffic_class == 0xc0);
        break;
      }
    }
  }
}

TEST_CASE("a message that the kernel throws away is told, in both families") {
  UVS_REQUIRES("root");
  Bench bench;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const bool is_ipv4 = family == Family::kIpv4;
    REQUIRE(bench.network->open("VI_1", near_egress(family)).ok());
    for (const char* destination : {is_ipv4 ? "224.0.0.18" : "ff02::12", is_ipv4 ? "198.18.0.2" : "fd00:18::2"}) {
      CAPTURE(destination);
      FarListener listener(family);
      CHECK(bench.advertise(message_to(destination, kAdvert)) == "");
      CHECK(listener.next().message == kAdvert);
      // Not the neighbour table, which all namespaces share: the kernel keeps as silent about a queue.
      run("tc qdisc replace dev uvsio-near root bfifo limit 1");
      CHECK(bench.advertise(message_to(destination, kOther)).find("the queue of uvsio-near is full") != std::string::npos);
      run("tc qdisc delete dev uvsio-near root");
      CHECK(bench.advertise(message_to(destination, kOther)) == "");
      CHECK(listener.next().message == kOther);
    }
  }
}

TEST_CASE("a full neighbour table is told by what the kernel says of it") {
  const AdvertEgress ipv4{"eth0", Family::kIpv4, {}, 255}, ipv6{"eth0", Family::kIpv6, {}, 255};
  CHECK(advert_error_text(ipv4, ENOBUFS).find("net.ipv4.neigh.default.gc_thresh3") != std::string::npos);
  CHECK(advert_error_text(ipv6, EINVAL).find("net.ipv6.neigh.default.gc_thresh3") != std::string::npos);
  CHECK(advert_error_text(ipv6, ENOBUFS).find("gc_thresh3") == std::string::npos);
  CHECK(advert_error_text(ipv4, EINVAL) == error_text(EINVAL));
  CHECK(advert_error_text(ipv4, 0).empty());
}

size_t unreachables_heard() {
  std::ifstream file("/proc/thread-self/net/snmp");
  std::string word;
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("Icmp: ")) continue;
    std::istringstream words(line);
    for (lines.emplace_back(); words >> word;) lines.back().push_back(word);
  }
  REQUIRE(lines.size() == 2);
  const auto column = std::find(lines[0].begin(), lines[0].end(), "InDestUnreachs") - lines[0].begin();
  return std::stoul(lines[1].at(static_cast<size_t>(column)));
}

TEST_CASE("what ICMP says of a peer keeps no advert back") {
  UVS_REQUIRES("root");
  Bench bench;
  REQUIRE(bench.network->open("VI_1", near_egress()).ok());
  FarListener listener;
  Wire wire(if_nametoindex(FailoverTestbed::kFar));
  CHECK(bench.advertise(message_to("198.18.0.2", kAdvert)) == "");
  CHECK(listener.next().message == kAdvert);
  std::optional<WireFrame> sent;
  do {
    REQUIRE((sent = wire.receive()));
  } while (sent->bytes[14 + 9] != kVrrpProtocol);
  // Protocol unreachable: nobody speaks VRRP there.
  Octets quoted(sent->bytes.begin() + 14, sent->bytes.begin() + 14 + 28);
  quoted.resize(28);
  Octets frame;
  const auto append = [&](const auto& bytes) { frame.insert(frame.end(), bytes.begin(), bytes.end()); };
  const auto checked = [](Octets bytes, size_t at) {
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); i += 2) sum += uint32_t{bytes[i]} << 8 | bytes[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    bytes[at] = static_cast<uint8_t>(~sum >> 8);
    bytes[at + 1] = static_cast<uint8_t>(~sum);
    return bytes;
  };
  append(mac_of(FailoverTestbed::kNear).bytes);
  append(mac_of(FailoverTestbed::kFar).bytes);
  append(Octets{8, 0});
  append(checked({0x45, 0, 0, 56, 0, 1, 0, 0, 64, 1, 0, 0, 198, 18, 0, 2, 198, 18, 0, 1}, 10));
  Octets icmp{3, 2, 0, 0, 0, 0, 0, 0};
  icmp.insert(icmp.end(), quoted.begin(), quoted.end());
  append(checked(icmp, 2));
  for (const auto& message : {kOther, kAdvert}) {
    const size_t before = unreachables_heard();
    wire.send(frame);
    wait_until([&] { return unreachables_heard() > before; }, "the ICMP message to arrive");
    CHECK(bench.advertise(message_to("198.18.0.2", message)) == "");
    CHECK(listener.next().message == message);
  }
}

TEST_CASE("a link-local source speaks on its own device only") {
  UVS_REQUIRES("root");
  Bench bench;
  AdvertEgress egress = near_egress(Family::kIpv6);
  egress.source = link_local_address();
  FarListener listener(Family::kIpv6);
  REQUIRE(bench.network->open("VI_1", egress).ok());
  CHECK(bench.advertise(message_to("ff02::12", kAdvert)) == "");
  CHECK(listener.next().source == egress.source);
  egress.device = FailoverTestbed::kFar;
  CHECK(bench.network->open("VI_1", egress).code == ErrorCode::kIo);
}

TEST_CASE("a virtual MAC's device speaks from the addresses of its parent") {
  UVS_REQUIRES("root");
  Bench bench;
  REQUIRE(add_virtual_mac("vrrp.51", FailoverTestbed::kNear, {{0, 0, 0x5e, 0, 1, 51}}).ok());
  Wire wire(if_nametoindex(FailoverTestbed::kFar));
  FarListener listeners[] = {FarListener(Family::kIpv4), FarListener(Family::kIpv6)};
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    AdvertEgress egress = near_egress(family);
    if (family == Family::kIpv6) egress.source = link_local_address();
    egress.device = "vrrp.51";
    const Status opened = bench.network->open("VI_1", egress);
    REQUIRE_MESSAGE(opened.ok(), opened.message);
    CHECK(bench.advertise(message_to(family == Family::kIpv4 ? "224.0.0.18" : "ff02::12", kAdvert)) == "");
    const Heard heard = listeners[family == Family::kIpv6 ? 1 : 0].next();
    CHECK(heard.source == egress.source);
    for (;;) {
      const auto frame = wire.receive();
      REQUIRE(frame);
      if (frame->bytes[14 + (family == Family::kIpv4 ? 9 : 6)] != kVrrpProtocol) continue;
      CHECK(frame->bytes[10] == 1);
      CHECK(frame->bytes[11] == 51);
      break;
    }
  }
}

TEST_CASE("what nobody has, nobody speaks from, whatever ip_nonlocal_bind says") {
  UVS_REQUIRES("root");
  Bench bench;
  std::ofstream("/proc/sys/net/ipv4/ip_nonlocal_bind") << 1;
  AdvertEgress egress = near_egress();
  egress.source = ip("203.0.113.1");
  CHECK(bench.network->open("VI_1", egress).code == ErrorCode::kIo);
  egress = near_egress();
  egress.device = "nodev0";
  CHECK(bench.network->open("VI_1", egress).code == ErrorCode::kDeviceMissing);
  CHECK(bench.network->listen_for_adverts("nodev0", Family::kIpv4, {}).code == ErrorCode::kDeviceMissing);
  CHECK(bench.network->listen_for_frames("nodev0", {}).code == ErrorCode::kDeviceMissing);
}

TEST_CASE("adverts are heard as events, and a device that was made anew is heard again") {
  UVS_REQUIRES("root");
  Bench bench;
  auto far = AdvertSender::open({FailoverTestbed::kFar, Family::kIpv4, ip("198.18.0.2"), 255});
  REQUIRE(far.ok());
  const AdvertMessage message = message_to("224.0.0.18", kAdvert);
  REQUIRE(bench.network->listen_for_adverts(FailoverTestbed::kNear, Family::kIpv4, {ip("224.0.0.18")}).ok());
  REQUIRE(far.value().send({&message, 1}) == 0);
  bench.events.wait_for("advert uvsio-near 255 3");
  bench.events.clear();
  run("ip link del uvsio-near");
  bench.events.wait_for("links-changed");
  run("ip link add uvsio-near type veth peer name uvsio-far && ip link set uvsio-near up && ip link set uvsio-far up");
  FailoverTestbed::prepare();
  REQUIRE(bench.network->listen_for_adverts(FailoverTestbed::kNear, Family::kIpv4, {ip("224.0.0.18")}).ok());
  far = AdvertSender::open({FailoverTestbed::kFar, Family::kIpv4, ip("198.18.0.2"), 254});
  REQUIRE(far.ok());
  REQUIRE(far.value().send({&message, 1}) == 0);
  bench.events.wait_for("advert uvsio-near 254 3");
}

TEST_CASE("the repeater goes on when nobody calls, stops at the end of the lease, and says so once") {
  UVS_REQUIRES("root");
  Bench bench;
  FarListener listener;
  REQUIRE(bench.network->open("VI_1", near_egress()).ok());
  const Micros start = monotonic_now();
  CHECK(bench.advertise(message_to("224.0.0.18", kAdvert), kQuick) == "");
  bench.events.wait_for("lease-expired VI_1");
  CHECK(monotonic_now() >= start + kQuick.lease);
  CHECK(bench.advertise(message_to("224.0.0.18", kAdvert), kQuick) == "the lease of VI_1 has run out");
  // Giving up is possible all the same.
  CHECK(bench.advertise(message_to("224.0.0.18", kOther)) == "");
  size_t count = 0;
  for (Heard heard = listener.next(); heard.message != kOther; heard = listener.next()) count++;
  CHECK(count >= 3);
  CHECK(count <= kQuick.lease / kQuick.interval + 1);
  CHECK(bench.events.count("lease-expired") == 1);
  bench.network->acknowledge_expiry("VI_1");
  CHECK(bench.advertise(message_to("224.0.0.18", kAdvert), kQuick) == "");
  CHECK(listener.next().message == kAdvert);
}

TEST_CASE("a caller who is on time is never doubled") {
  UVS_REQUIRES("root");
  Bench bench;
  FarListener listener;
  REQUIRE(bench.network->open("VI_1", near_egress()).ok());
  // Far more often than the interval, however slow this machine is: then the repeater has nothing to say.
  constexpr Repetition slow{2'000'000, 20'000'000};
  for (uint8_t i = 0; i < 50; i++) {
    CHECK(bench.advertise(message_to("224.0.0.18", {0x31, 51, i}), slow) == "");
    CHECK(listener.next().message.back() == i);
  }
}

TEST_CASE("links tell carrier, MAC and addresses, own sources before virtual ones") {
  UVS_REQUIRES("root");
  Bench bench;
  HostAddress ipv6 = virtual_address();
  ipv6.family = Family::kIpv6;
  ipv6.address = ip("fd00:18::100");
  ipv6.prefix_length = 64;
  for (const HostAddress& address : {virtual_address(), ipv6}) REQUIRE(add_address(address).ok());
  run("ip address add 198.18.0.50/24 dev uvsio-near");  // the kernel calls it secondary
  const FailoverLink link = near_link();
  CHECK(link.is_up);
  CHECK(link.mtu == 1500);
  CHECK(link.mac == mac_of(FailoverTestbed::kNear));
  std::vector<IpAddress> ipv4;
  for (const FailoverAddress& address : link.addresses) {
    if (address.family == Family::kIpv4) ipv4.push_back(address.address);
  }
  REQUIRE(ipv4.size() == 3);
  CHECK(ipv4[0] == ip("198.18.0.1"));
  const auto of_ipv6 = std::find_if(link.addresses.begin(), link.addresses.end(), [](const auto& address) {
    return address.family == Family::kIpv6 && address.address.bytes[0] == 0xfd;
  });
  CHECK(of_ipv6->address == ip("fd00:18::1"));
  bench.events.clear();
  run("ip link set uvsio-far down");  // the carrier goes
  bench.events.wait_for("links-changed");
  wait_until([&] { return !near_link().is_up; }, "the carrier to go");
  REQUIRE(bench.network->open("VI_1", near_egress()).ok());
  CHECK(bench.advertise(message_to("224.0.0.18", kAdvert)) == "Network is down");
  CHECK(bench.network->send_frame(FailoverTestbed::kNear, std::vector<uint8_t>(60)) == "Network is down");
  CHECK(bench.network->send_frame("nodev0", std::vector<uint8_t>(60)) == "No such device");
}

TEST_CASE("answers to address probes are told, questions and other answers are not") {
  UVS_REQUIRES("root");
  Bench bench;
  const auto arp = [](uint8_t operation, uint8_t last) {
    std::vector<uint8_t> frame(42);
    std::fill_n(frame.begin(), 6, uint8_t{0xff});
    frame[6] = 2;
    const uint8_t head[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, operation};
    std::copy(std::begin(head), std::end(head), frame.begin() + 12);
    const uint8_t sender[] = {198, 18, 0, last};
    std::copy(std::begin(sender), std::end(sender), frame.begin() + 28);
    return frame;
  };
  REQUIRE(bench.network->listen_for_frames(FailoverTestbed::kNear, {{Family::kIpv4, ip("198.18.0.100")}}).ok());
  const std::string far = FailoverTestbed::kFar;
  CHECK(bench.network->send_frame(far, arp(1, 100)) == "");
  CHECK(bench.network->send_frame(far, arp(2, 101)) == "");
  CHECK(bench.network->send_frame(far, arp(2, 100)) == "");
  bench.events.wait_for("frame uvsio-near");
  CHECK(bench.events.count("frame") == 1);
  bench.network->stop_listening_for_frames(FailoverTestbed::kNear);
  CHECK(bench.network->send_frame(far, arp(2, 100)) == "");
  REQUIRE(bench.network->listen_for_frames(FailoverTestbed::kNear, {{Family::kIpv4, ip("198.18.0.101")}}).ok());
  CHECK(bench.network->send_frame(far, arp(2, 101)) == "");
  wait_until([&] { return bench.events.count("frame") == 2; }, "the second answer");

  // Virtual routers that become master together ask on one device, one after the other: no answer is lost between.
  const std::vector<ProbedAddress> first{{Family::kIpv4, ip("198.18.0.102")}};
  std::vector<ProbedAddress> both = first;
  both.push_back({Family::kIpv4, ip("198.18.0.103")});
  for (int round = 0; round < 50; round++) {
    bench.events.clear();
    REQUIRE(bench.network->listen_for_frames(FailoverTestbed::kNear, first).ok());
    CHECK(bench.network->send_frame(far, arp(2, 102)) == "");
    REQUIRE(bench.network->listen_for_frames(FailoverTestbed::kNear, both).ok());
    bench.events.wait_for("frame");
    bench.network->stop_listening_for_frames(FailoverTestbed::kNear);
  }
}

}  // namespace
}  // namespace uvs::test

// What a start, a stop, a death and a second director do to the machine, in both forms of steering (tcx, clsact).
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <functional>

#include "core/net/parse.h"
#include "io/af_packet.h"
#include "io/monotonic_clock.h"
#include "io/steering.h"
#include "scratch_network.h"

namespace uvs::test {
namespace {

constexpr const char* kVip = "10.9.0.1";

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
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
    CHECK(steering.is_attached(network.near()));
    CHECK(steering.attach(4'000'000, {}, LinkLayer::kEthernet).code != ErrorCode::kOk);
    CHECK_FALSE(steering.attach(steering.receive_ifindex(), {}, LinkLayer::kEthernet).ok());
    CHECK(output_of("ip -o addr show dev uvs0; ip -o addr show dev uvs1").empty());

    // A second one in this namespace is refused and changes nothing.
    const auto second = Steering::start({});
    REQUIRE_FALSE(second.ok());
    CHECK(second.status().code == ErrorCode::kAlreadyRunning);
    CHECK(output_of("ip -o link").find("uvs0") != std::string::npos);

    steering.detach(network.near());
    steering.detach(network.near());
    CHECK_FALSE(steering.is_attached(network.near()));
    REQUIRE(steering.attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
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
    if (!started.ok() || !started.value()->attach(network.near(), {}, LinkLayer::kEthernet).ok()) _exit(3);
    _exit(AfPacket::open(started.value()->receive_ifindex()).ok() ? 0 : 4);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

// A local program at the VIP, on a port that is a service's.
class LocalProgram {
 public:
  LocalProgram() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    run("ip addr replace 10.9.0.1/32 dev lo && ip route replace 172.16.0.0/16 dev uvsio-near");
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(53);
    REQUIRE(inet_pton(AF_INET, kVip, &at.sin_addr) == 1);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
  }
  // Whether one of many datagrams arrives within the time.
  bool hears(Wire& far, const Octets& datagram, int timeout_ms) {
    return hears([&] { far.send(datagram); }, timeout_ms);
  }
  bool hears(const std::function<void()>& send, int timeout_ms) {
    while (recv(socket_.get(), nullptr, 0, MSG_DONTWAIT | MSG_TRUNC) >= 0) {
    }
    for (int waited_ms = 0; waited_ms < timeout_ms; waited_ms += 10) {
      send();
      pollfd watched{socket_.get(), POLLIN, 0};
      if (poll(&watched, 1, 10) == 1) return true;
    }
    return false;
  }

 private:
  FileDescriptor socket_;
};

// A device whose frames begin at the IP header; what is sent comes in by it.
class TunDevice {
 public:
  static constexpr const char* kName = "uvsio-tun";

  TunDevice() : device_(open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
    ifreq request{};
    std::strncpy(request.ifr_name, kName, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    REQUIRE(ioctl(device_.get(), TUNSETIFF, &request) == 0);
    run("ip link set uvsio-tun up && sysctl -qw net.ipv4.conf.uvsio-tun.rp_filter=0");
  }
  void send(const Octets& packet) {
    REQUIRE(write(device_.get(), packet.data(), packet.size()) == static_cast<ssize_t>(packet.size()));
  }

 private:
  FileDescriptor device_;
};

// Steers a service in another process whose worker is late, and kills that: while it lives the host gets nothing of the
// service's, and all of it as soon as it is dead.
void die_while_steering(bool force_clsact) {
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    const bool is_good =
        started.ok() && started.value()->attach(if_nametoindex(ScratchNetwork::kNear), {}, LinkLayer::kEthernet).ok() &&
        started.value()->cover({{service_key(Family::kIpv4, address(kVip), 53, 17)}, {}}).ok();
    if (is_good) started.value()->set_heartbeat((monotonic_now() - 2 * kMicrosPerSecond) * 1000);
    (void)!write(ready[1], is_good ? "y" : "n", 1);
    pause();
    _exit(1);
  }
  char answer = 'n';
  CHECK(read(ready[0], &answer, 1) == 1);
  CHECK(answer == 'y');
  LocalProgram program;
  Wire far(if_nametoindex(ScratchNetwork::kFar));
  const Octets datagram =
      udp4("172.16.0.1:4000", "10.9.0.1:53").payload(20).macs(mac_of(ScratchNetwork::kNear), {}).bytes();
  CHECK_FALSE(program.hears(far, datagram, 100));
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(program.hears(far, datagram, 2000));
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
    CHECK(count(output_of(show), "name uvs_") == (was_clsact ? 1 : 0));

    auto started = Steering::start({.force_clsact = true});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    REQUIRE(started.value()->attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
    CHECK(count(output_of(show), "name uvs_") == (was_clsact ? 2 : 1));
    REQUIRE(started.value()->settle().ok());
    const std::string filters = output_of(show);
    CHECK(count(filters, "name uvs_") == 1);
    CHECK(filters.find("name uvs_") < filters.find("pref 5 "));
    started.value().reset();
    CHECK(count(output_of(show), "uvs_") == 0);
    CHECK(output_of(show).find("pref 5 ") != std::string::npos);
    CHECK(output_of("tc qdisc show dev uvsio-near").find("clsact") != std::string::npos);
  }
}

TEST_CASE("what a restart holds is held at every kind of device, until the next director has settled") {
  UVS_REQUIRES("root", "bpf");
  ScratchNetwork network;
  TunDevice tun;
  LocalProgram program;
  Wire far(network.far());
  const auto datagram = udp4("172.16.0.1:4000", "10.9.0.1:53").payload(20).macs(mac_of(ScratchNetwork::kNear), {});
  const Octets framed = datagram.bytes();
  const Octets packet(framed.begin() + kEthernetHeaderSize, framed.end());
  const std::function<void()> by_tun = [&] { tun.send(packet); }, by_cable = [&] { far.send(framed); };
  for (const bool force_clsact : {false, true}) {
    CAPTURE(force_clsact);
    CHECK(program.hears(by_tun, 2000));
    CHECK(program.hears(by_cable, 2000));
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    REQUIRE(started.value()->attach(network.near(), mac_of(ScratchNetwork::kNear), LinkLayer::kEthernet).ok());
    REQUIRE(started.value()->attach(if_nametoindex(TunDevice::kName), {}, LinkLayer::kNone).ok());
    REQUIRE(started.value()->cover({{service_key(Family::kIpv4, address(kVip), 53, 17)}, {}}).ok());
    started.value()->set_heartbeat((monotonic_now() - 2 * kMicrosPerSecond) * 1000);
    REQUIRE(started.value()->leave_held().ok());
    started.value().reset();
    CHECK_FALSE(program.hears(by_tun, 100));
    CHECK_FALSE(program.hears(by_cable, 100));
    auto next = Steering::start({.connections = 1000});
    REQUIRE_MESSAGE(next.ok(), next.status().message);
    REQUIRE(next.value()->settle().ok());
  }
}

}  // namespace
}  // namespace uvs::test

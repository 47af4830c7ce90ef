// A network namespace for one test, with a pair of devices in it: what is sent on the far one comes
// in by the near one. The calling thread lives in it until the end of the scope, and so do threads
// that it starts meanwhile. Leaves nothing behind.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>

#include "io/file_descriptor.h"
#include "packet_builder.h"
#include "require.h"

namespace uvs::test {

inline void run(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

inline MacAddress mac_of(const char* device) {
  FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
  REQUIRE(ioctl(socket.get(), SIOCGIFHWADDR, &request) == 0);
  MacAddress mac;
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  return mac;
}

class ScratchNetwork {
 public:
  static constexpr const char* kNear = "uvsio-near";
  static constexpr const char* kFar = "uvsio-far";

  ScratchNetwork() : outside_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    REQUIRE(outside_.is_open());
    REQUIRE(unshare(CLONE_NEWNET) == 0);
    // Nobody speaks unasked: no router solicitations, no MLD.
    for (const char* which : {"all", "default"}) {
      std::ofstream(std::string("/proc/sys/net/ipv6/conf/") + which + "/disable_ipv6") << 1;
    }
    run("ip link set lo up");
    run(std::string("ip link add ") + kNear + " type veth peer name " + kFar);
    run(std::string("ip link set ") + kNear + " up");
    run(std::string("ip link set ") + kFar + " up");
  }
  ~ScratchNetwork() { (void)setns(outside_.get(), CLONE_NEWNET); }
  ScratchNetwork(const ScratchNetwork&) = delete;
  ScratchNetwork& operator=(const ScratchNetwork&) = delete;

  uint32_t near() const { return if_nametoindex(kNear); }
  uint32_t far() const { return if_nametoindex(kFar); }

 private:
  FileDescriptor outside_;
};

struct WireFrame {
  Octets bytes;
  OffloadHeader offload;
};

// Sends and sees whole frames on one device; does not see what was sent from here.
class Wire {
 public:
  explicit Wire(uint32_t ifindex) : socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    REQUIRE(setsockopt(socket_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0);
    REQUIRE(setsockopt(socket_.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) == 0);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(ifindex);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  }

  void send(const Octets& bytes, const OffloadHeader& offload = {}) {
    OffloadHeader header = offload;
    Octets copy = bytes;
    iovec parts[2] = {{&header, sizeof(header)}, {copy.data(), copy.size()}};
    REQUIRE(writev(socket_.get(), parts, 2) == static_cast<ssize_t>(sizeof(header) + bytes.size()));
  }

  // Empty: none came within the time.
  std::optional<WireFrame> receive(int timeout_ms = 2000) {
    pollfd watched{socket_.get(), POLLIN, 0};
    if (poll(&watched, 1, timeout_ms) <= 0) return std::nullopt;
    WireFrame frame{Octets(1 << 17), {}};
    iovec parts[2] = {{&frame.offload, sizeof(frame.offload)},
                      {frame.bytes.data(), frame.bytes.size()}};
    const ssize_t size = readv(socket_.get(), parts, 2);
    REQUIRE(size > static_cast<ssize_t>(sizeof(frame.offload)));
    frame.bytes.resize(static_cast<size_t>(size) - sizeof(frame.offload));
    return frame;
  }

 private:
  FileDescriptor socket_;
};

}  // namespace uvs::test

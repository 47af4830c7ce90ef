// Ethernet frames beside the packet path: single ones out (announcements, address probes), and answers to address
// probes in. Nothing here blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

class FrameSender {
 public:
  static Result<FrameSender> open();
  // 0 or an errno. ENETDOWN also for a device without a carrier, which would take the frame and lose it.
  int send(const std::string& device, std::span<const uint8_t> frame) const;

 private:
  explicit FrameSender(FileDescriptor socket) : socket_(std::move(socket)) {}
  FileDescriptor socket_;
};

struct ProbedAddress {
  Family family = Family::kIpv4;
  IpAddress address;
};

// Hears ARP replies and neighbour advertisements for some addresses on one device. The kernel sorts out every other
// kind of frame, so that a busy device costs nothing here.
class ProbeListener {
 public:
  // DEVICE_MISSING, PRIVILEGE_MISSING, IO.
  static Result<ProbeListener> open(const std::string& device, std::vector<ProbedAddress> addresses);

  // What waits on `descriptor`, one of descriptors().
  void receive(int descriptor, const std::function<void(std::span<const uint8_t>)>& visit) const;
  // One for each family that is asked for.
  std::vector<int> descriptors() const;

 private:
  explicit ProbeListener(std::vector<ProbedAddress> addresses) : addresses_(std::move(addresses)) {}
  bool is_wanted(std::span<const uint8_t> frame) const;

  std::vector<ProbedAddress> addresses_;
  std::vector<FileDescriptor> sockets_;
};

}  // namespace uvs

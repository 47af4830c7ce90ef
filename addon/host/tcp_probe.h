// One attempt to connect by TCP, for checkers that bind to a device, a mark or an address (which
// Node's net cannot). All attempts share one thread; policy (retries, rise and fall) is the control
// plane's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/net/address.h"

namespace uvs {

struct TcpProbe {
  Family family = Family::kIpv4;
  IpAddress address;
  uint16_t port = 0;
  std::string bind_device;  // empty: any
  bool has_bind_address = false;
  IpAddress bind_address;
  uint16_t bind_port = 0;  // 0: any
  uint32_t fwmark = 0;
  uint32_t timeout_ms = 5000;
};

class TcpProber {
 public:
  // `error` is empty when the connection was made (it is closed at once), else the reason.
  // Called once a probe, on the prober's thread.
  using Done = std::function<void(std::string error)>;

  TcpProber();
  // Attempts under way end with "the prober has stopped".
  ~TcpProber();

  void probe(const TcpProbe& probe, Done done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

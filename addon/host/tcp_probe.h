// Attempts to connect by TCP, many at a time: hundreds a second must cost the control plane neither a
// wakeup nor an object each. All attempts share one thread, and what ends within a moment is
// reported at once; policy (retries, rise and fall) is the control plane's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/net/address.h"

namespace uvs {

struct TcpProbe {
  uint64_t id = 0;  // the caller's name for it
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

struct TcpProbeEnd {
  uint64_t id = 0;
  std::string error;  // empty: the connection was made, and is closed
  std::string code;   // `ECONNREFUSED`; empty where no call has failed
};

class TcpProber {
 public:
  // Each probe that was not cancelled, once. On the prober's thread.
  using Ended = std::function<void(std::vector<TcpProbeEnd>)>;

  explicit TcpProber(Ended ended);
  // Attempts under way end with "the prober has stopped".
  ~TcpProber();

  void probe(std::vector<TcpProbe> probes);
  // Its socket is closed soon; nothing is reported of it unless that is under way.
  void cancel(uint64_t id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

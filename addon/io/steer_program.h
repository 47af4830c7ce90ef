// The loaded BPF object of bpf/steer.bpf.c: its programs and maps as descriptors, its shared memory
// mapped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "io/status.h"
#include "shared/maps.h"

struct bpf_object;

namespace uvs {

class SteerProgram {
 public:
  // `buckets`: of the map of expected replies; a power of two. KERNEL_UNSUPPORTED says what the
  // verifier said.
  static Result<std::unique_ptr<SteerProgram>> load(uint32_t buckets);
  ~SteerProgram();
  SteerProgram(const SteerProgram&) = delete;
  SteerProgram& operator=(const SteerProgram&) = delete;

  // A program for devices with an Ethernet header and one for those without a link layer, each in two forms: as it is, and
  // only as long as this process lives, for filters that outlive it.
  struct Form {
    int plain = -1, while_alive = -1;
  };
  struct Steerer {
    Form ethernet, ip;
  };
  Steerer steer, steer_out;    // at ingress, at egress
  int reinject = -1, sink = -1;
  int services = -1, addresses = -1, devices = -1, counters = -1;  // maps
  uvs_control* control = nullptr;                                  // shared with the kernel
  std::span<uvs_flow_bucket> flows;                                // shared with the kernel

 private:
  SteerProgram() = default;

  bpf_object* object_ = nullptr;
};

}  // namespace uvs

// Packet I/O in memory, the twin of af_packet for tests and replays: frames are injected, and what
// the path transmitted is taken out again with its verdict. Bounded; single thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "io/packet_io.h"

namespace uvs {

struct TransmittedFrame {
  Verdict verdict = Verdict::kDrop;  // kForward, kAnswer or kToHost
  uint32_t egress_ifindex = 0;       // 0 for kToHost
  uint32_t ingress_ifindex = 0;      // 0 for frames that came from no receive()
  OffloadHeader offload;
  std::vector<uint8_t> bytes;
};

class MemoryLink final : public PacketIo {
 public:
  static constexpr size_t kQueueLimit =
      65'536;  // frames in either direction; more are counted as lost

  MemoryLink();

  // False when the queue is full (counted as receive_lost).
  bool inject(uint32_t ifindex, std::span<const uint8_t> bytes, const OffloadHeader& offload = {});
  // What was transmitted since the last call, in order.
  std::vector<TransmittedFrame> take();

  void receive(Batch& batch) override;
  void transmit(Batch& batch) override;
  void release(Batch& batch) override;
  int descriptor() const override { return -1; }
  const IoCounters& counters() const override { return counters_; }

 private:
  struct Injected {
    uint32_t ifindex;
    uint32_t length;
    OffloadHeader offload;
    std::vector<uint8_t> memory;  // at least kMinFrameCapacity
  };
  std::deque<Injected> waiting_;
  std::vector<Injected> lent_;  // the frames of the last receive()
  std::vector<TransmittedFrame> transmitted_;
  IoCounters counters_;
};

}  // namespace uvs

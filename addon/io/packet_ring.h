// A TPACKET_V2 receive ring with PACKET_VNET_HDR on one device. Frames that fit a slot are used
// where they lie; larger ones (GSO, jumbo) the kernel queues beside the ring (PACKET_COPY_THRESH)
// and they are read into buffers of ours.
//
// Why so: slots that hold 64 KiB would pin 128 MiB for 1024 frames. Measured on veth (2 busy
// cores): bulk TCP the same with both (5.1, 4.8, 5.8 against 5.0, 4.8, 6.4 Gb/s), but MTU-sized
// frames overran the 1024 large slots (3,700 to 8,000 lost in 3 s) and never the 4096 small ones.
// V2, not V3: V3's block timer adds 1 to 2 ms.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/net/frame.h"
#include "io/file_descriptor.h"
#include "io/packet_io.h"
#include "io/status.h"

namespace uvs {

class PacketRing {
 public:
  static Result<std::unique_ptr<PacketRing>> open(uint32_t ifindex);
  // Any thread. What waits in the ring stays.
  Status bind_to(uint32_t ifindex);
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  // Fills the batch: data, length, capacity, offload; ifindex is the caller's. Counts what the
  // kernel had to drop.
  void receive(Batch& batch, IoCounters& counters);
  // Gives the slots of the last receive() back to the kernel.
  void release();
  int descriptor() const { return socket_.get(); }
  // Clears and returns the socket's pending error.
  int take_error();

 private:
  PacketRing() = default;
  bool read_queued(Frame& frame, size_t buffer);
  void count_lost(IoCounters& counters);

  FileDescriptor socket_;
  uint8_t* memory_ = nullptr;
  size_t head_ = 0;             // the next slot to look at
  size_t lent_ = 0;             // slots before head_ that the kernel has not got back
  std::vector<uint8_t> large_;  // kBatchSize buffers for frames that fit no slot
};

}  // namespace uvs

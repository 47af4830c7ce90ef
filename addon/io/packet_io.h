// The batch-first interface of all packet I/O: af_packet and, as twins for tests and captures,
// memory_link and pcap_file. One owner thread. Frames of a batch stay valid until release(); path
// rewrites them in place.
#pragma once

#include <cstdint>

#include "core/net/counted.h"
#include "core/net/frame.h"
#include "core/net/time.h"

namespace uvs {

// Written by the owner thread, read by any.
struct IoCounters {
  Counted<uint64_t> received;
  Counted<uint64_t> transmitted;
  Counted<uint64_t> reinjected;        // to_host
  Counted<uint64_t> transmit_failed;   // the kernel or the device refused the frame
  Counted<uint64_t> receive_lost;      // the ring was full, or a large frame found no memory
  Counted<uint64_t> receive_untagged;  // steering did not put it on the slow path; ignored
};

class PacketIo {
 public:
  virtual ~PacketIo() = default;

  // Fills `batch` with up to kBatchSize frames that are there now; never waits.
  virtual void receive(Batch& batch) = 0;
  // Sends what the verdicts say: kForward and kAnswer on egress_ifindex, kToHost back at its
  // ingress device. Refused frames are counted. The batch may be one that receive() did not fill
  // (held frames, own answers).
  virtual void transmit(Batch& batch) = 0;
  // Gives the frames of the last receive() back.
  virtual void release(Batch& batch) = 0;
  // A descriptor that polls readable when receive() would give frames; -1: there is none.
  virtual int descriptor() const = 0;
  // Asked when the descriptor polls an error: null when receiving can go on, else why it can't.
  virtual const char* failure() { return nullptr; }
  virtual const IoCounters& counters() const = 0;
};

}  // namespace uvs

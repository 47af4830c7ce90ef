// Packet I/O from and to capture files, a twin of af_packet: receive() reads frames from a pcap or
// pcapng file as if they came in by one device, transmit() writes what leaves to a pcap file.
// Single thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/libpcap.h"
#include "io/packet_io.h"
#include "io/status.h"

namespace uvs {

class PcapFile final : public PacketIo {
 public:
  // `ifindex` is the device the frames seem to come in by. An empty `output`: what is transmitted
  // is only counted.
  static Result<std::unique_ptr<PcapFile>> open(const std::string& input, const std::string& output,
                                                uint32_t ifindex);

  void receive(Batch& batch) override;
  void transmit(Batch& batch) override;
  void release(Batch& batch) override;
  int descriptor() const override { return -1; }
  const IoCounters& counters() const override { return counters_; }

  bool is_at_end() const { return at_end_; }
  // Time of the newest frame that receive() gave: the clock of a replay.

 private:
  PcapFile(std::unique_ptr<CaptureReader> reader, std::unique_ptr<CaptureWriter> writer,
           uint32_t ifindex);

  std::unique_ptr<CaptureReader> reader_;
  std::unique_ptr<CaptureWriter> writer_;
  uint32_t ifindex_;
  std::vector<uint8_t> memory_;  // kBatchSize slots
  Micros last_timestamp_ = 0;
  bool at_end_ = false;
  IoCounters counters_;
};

}  // namespace uvs

// The real device of the worker: one AF_PACKET socket on our end of the slow-path pair receives
// through a TPACKET_V2 ring, one sends on every device. GSO frames and partial checksums pass
// intact (PACKET_VNET_HDR). One owner thread; no allocation after open().
#pragma once

#include <memory>

#include "io/packet_io.h"
#include "io/status.h"

namespace uvs {

class AfPacket final : public PacketIo {
 public:
  // `receive_ifindex` is Steering::receive_ifindex(). PRIVILEGE_MISSING, IO.
  static Result<std::unique_ptr<AfPacket>> open(uint32_t receive_ifindex);
  ~AfPacket() override;

  // Any thread: from now on at another pair; nothing when it is the same. IO.
  Status listen_at(uint32_t receive_ifindex);

  void receive(Batch& batch) override;
  void transmit(Batch& batch) override;
  void release(Batch& batch) override;
  int descriptor() const override;
  const char* failure() override;
  const IoCounters& counters() const override;

 private:
  struct Impl;
  explicit AfPacket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

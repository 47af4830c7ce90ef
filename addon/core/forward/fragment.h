// IPv4 fragmentation for packets without DF that are larger than the way out allows (RFC 791 2.3,
// RFC 1812 5.2.6). Reads the rewritten frame (addresses, TTL and MACs done) and writes each
// fragment into a frame of the caller's. Not for GSO frames: those are cut by whoever transmits
// them (shrink_segments makes them fit).
#pragma once

#include <cstdint>

#include "core/net/frame.h"
#include "core/net/parse.h"

namespace uvs {

class Ipv4Fragmenter {
 public:
  // Finishes a partial checksum of `frame` first. `frame` stays valid and unchanged until the last
  // next(). `packet` is the parse of `frame`, or of it before it was rewritten.
  Ipv4Fragmenter(Frame& frame, const ParsedPacket& packet, uint32_t mtu);

  // Fragments to come in all; 0: this packet can't be cut (IPv6, DF, GSO, a partial checksum that is not of its L4 header, or an MTU without room
  // for 8 bytes).
  uint32_t count() const { return count_; }

  // Writes the next fragment into `to.data`, Ethernet header included, and sets its length,
  // ifindex, egress_ifindex, verdict and a cleared offload header. Needs a capacity of
  // kEthernetHeaderSize + mtu; false when there is less, or when all have been written.
  [[nodiscard]] bool next(Frame& to);

 private:
  static constexpr uint32_t kMaxHeader = 60;

  const Frame& frame_;
  uint32_t l3_offset_ = 0;
  uint32_t header_size_ = 0;        // of the original, which the first fragment keeps
  uint32_t later_header_size_ = 0;  // with the options alone that are copied (RFC 791 3.1)
  uint32_t payload_size_ = 0;
  uint32_t first_step_ = 0, later_step_ = 0;  // payload bytes a fragment, multiples of 8
  uint32_t position_ = 0;                     // payload bytes written
  uint32_t count_ = 0, written_ = 0;
  uint8_t later_header_[kMaxHeader] = {};
};

}  // namespace uvs

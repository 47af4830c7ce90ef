// Internet checksums: the one's complement sum (RFC 1071) and its incremental update (RFC 1624).
// Words are summed as they stand in memory, which gives the same bytes on any host (RFC 1071 2 B).
// Checksum fields are therefore raw uint16_t, to be loaded and stored without a change of byte
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/net/address.h"
#include "core/net/bytes.h"

namespace uvs {

// Sum of `bytes`; an odd last byte is padded with zero (RFC 1071 4.1). Folded: 0 only when every
// byte is 0.
uint16_t ones_sum(std::span<const uint8_t> bytes);

// One's complement addition of two folded sums.
constexpr uint16_t ones_add(uint16_t a, uint16_t b) {
  const uint32_t sum = uint32_t{a} + b;
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

// Sum over the pseudo-header of TCP, UDP (RFC 9293 3.1, RFC 768) and, in IPv6, ICMPv6 (RFC
// 8200 8.1). This, un-complemented, is what the field holds in a frame whose checksum is left to
// the device.
uint16_t pseudo_header_sum(Family family, const IpAddress& source, const IpAddress& destination,
                           uint8_t protocol, uint32_t l4_length);

// What a checksum field covers has changed: remembers by how much, then corrects any field that
// covers it.
class ChecksumDelta {
 public:
  // Both spans have the same even size and stand at an even offset of what the checksum covers.
  void replace(std::span<const uint8_t> old_bytes, std::span<const uint8_t> new_bytes);
  void replace16(uint16_t old_raw, uint16_t new_raw) {
    sum_ = ones_add(sum_, ones_add(static_cast<uint16_t>(~old_raw), new_raw));
  }
  void replace(Be16 old_value, Be16 new_value);
  void replace(Family family, const IpAddress& old_address, const IpAddress& new_address);

  // The corrected field: HC' = ~(~HC + ~m + m'), RFC 1624 3 equation 3.
  constexpr uint16_t apply(uint16_t raw_field) const {
    return static_cast<uint16_t>(~ones_add(static_cast<uint16_t>(~raw_field), sum_));
  }
  // The same for a field that holds an un-complemented sum (OffloadHeader::needs_checksum).
  constexpr uint16_t apply_to_sum(uint16_t raw_field) const { return ones_add(raw_field, sum_); }

 private:
  uint16_t sum_ = 0;
};

}  // namespace uvs

// Sums for checksum.h. The whole-packet sum is used by answers, software completion and tests;
// forwarding itself only corrects what it changed.
#include "core/net/checksum.h"

#include <cassert>

namespace uvs {
namespace {

constexpr uint16_t fold(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace

uint16_t ones_sum(std::span<const uint8_t> bytes) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  // Two halves instead of one 64-bit sum with carries: no chain of dependent additions, and no
  // overflow below 32 GiB.
  uint64_t low = 0, high = 0;
  for (; left >= 8; left -= 8, at += 8) {
    const auto word = load<uint64_t>(at);
    low += word & 0xffffffff;
    high += word >> 32;
  }
  if (left >= 4) {
    low += load<uint32_t>(at);
    at += 4;
    left -= 4;
  }
  if (left >= 2) {
    low += load<uint16_t>(at);
    at += 2;
    left -= 2;
  }
  if (left == 1) low += *at;  // little-endian: the padding zero is the word's upper byte
  return ones_add(fold(low), fold(high));
}

uint16_t pseudo_header_sum(Family family, const IpAddress& source, const IpAddress& destination,
                           uint8_t protocol, uint32_t l4_length) {
  const size_t size = address_size(family);
  uint16_t sum =
      ones_add(ones_sum({source.bytes.data(), size}), ones_sum({destination.bytes.data(), size}));
  const Be32 tail[2] = {Be32{l4_length}, Be32{protocol}};
  return ones_add(sum, ones_sum({reinterpret_cast<const uint8_t*>(tail), sizeof(tail)}));
}

void ChecksumDelta::replace(std::span<const uint8_t> old_bytes,
                            std::span<const uint8_t> new_bytes) {
  assert(old_bytes.size() == new_bytes.size() && old_bytes.size() % 2 == 0);
  // The complement of a sum is the sum of the complements: ~m needs no pass of its own.
  replace16(ones_sum(old_bytes), ones_sum(new_bytes));
}

void ChecksumDelta::replace(Be16 old_value, Be16 new_value) {
  replace16(std::bit_cast<uint16_t>(old_value), std::bit_cast<uint16_t>(new_value));
}

void ChecksumDelta::replace(Family family, const IpAddress& old_address,
                            const IpAddress& new_address) {
  const size_t size = address_size(family);
  replace({old_address.bytes.data(), size}, {new_address.bytes.data(), size});
}

}  // namespace uvs

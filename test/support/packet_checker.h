// Is this frame one that any receiver would take? Lengths and all checksums, the partial ones and
// those of quoted packets included: CHECK(faults(frame) == ""). Reads the bytes on its own, without
// the code under test.
#pragma once

#include <cstdint>
#include <string>

#include "core/net/frame.h"
#include "packet_builder.h"

namespace uvs::test {

namespace detail {

inline size_t get16(const uint8_t* at) { return static_cast<size_t>(at[0]) << 8 | at[1]; }

struct L4Place {
  size_t offset = 0;  // from the IP header
  uint8_t protocol = 0;
  bool is_fragment = false;
};

// The L4 header of an IPv6 packet of `size` bytes at `l3`.
inline L4Place skip_extensions(const uint8_t* l3, size_t size) {
  L4Place place{40, l3[6], false};
  while (place.offset + 8 <= size) {
    const uint8_t* at = l3 + place.offset;
    size_t length;
    if (place.protocol == 0 || place.protocol == 43 || place.protocol == 60)
      length = (at[1] + size_t{1}) * 8;
    else if (place.protocol == 51)
      length = (at[1] + size_t{2}) * 4;
    else if (place.protocol == 44)
      length = 8, place.is_fragment |= (get16(at + 2) & 0xfff9) != 0;
    else
      break;
    place.protocol = at[0];
    place.offset += length;
  }
  return place;
}

// Where a device is to put the rest of a checksum, counted from the IP header; start 0: nowhere.
struct PartialPlace {
  size_t start = 0, field = 0;
};

// `size` bytes of an IP packet that may be cut off (a quote).
inline std::string packet_faults(const uint8_t* l3, size_t size, bool is_quoted,
                                 PartialPlace partial) {
  const std::string where = is_quoted ? "quoted " : "";
  if (size < 20) return where + "IP header cut off";
  const bool is_ipv4 = l3[0] >> 4 == 4;
  L4Place l4;
  size_t length;
  if (is_ipv4) {
    const size_t header_size = static_cast<size_t>(l3[0] & 15) * 4;
    length = get16(l3 + 2);
    if (header_size < 20 || header_size > size) return where + "IPv4 header length";
    if (plain_sum(l3, header_size) != 0xffff) return where + "IPv4 header checksum";
    l4 = {header_size, l3[9], (get16(l3 + 6) & 0x3fff) != 0};
  } else {
    if (l3[0] >> 4 != 6 || size < 40) return where + "IPv6 header";
    length = 40 + get16(l3 + 4);
    l4 = skip_extensions(l3, size);
  }
  if (length < l4.offset) return where + "IP length shorter than its headers";
  if (length > size) return is_quoted ? "" : "IP length beyond the frame";
  if (l4.is_fragment) return "";

  const uint8_t* at = l3 + l4.offset;
  const size_t l4_size = length - l4.offset;
  size_t field;
  switch (l4.protocol) {
    case 6:
      field = 16;
      break;
    case 17:
      field = 6;
      break;
    case 1:
    case 58:
      field = 2;
      break;
    default:
      return "";
  }
  if (l4_size < field + 2) return where + "L4 header cut off";
  if (l4.protocol == 17 && get16(at + 4) > l4_size) return where + "UDP length";
  const size_t covered = l4.protocol == 17 ? get16(at + 4) : l4_size;
  uint16_t pseudo_sum = 0;
  if (l4.protocol != 1) {
    Octets pseudo(l3 + (is_ipv4 ? 12 : 8), l3 + (is_ipv4 ? 20 : 40));
    put32(pseudo, covered);
    put32(pseudo, l4.protocol);
    pseudo_sum = plain_sum(pseudo.data(), pseudo.size());
  }
  const size_t stored = get16(at + field);
  const bool has_none = l4.protocol == 17 && stored == 0 && is_ipv4;
  if (partial.start != 0 && !is_quoted) {
    if (partial.start != l4.offset) return "partial checksum starts elsewhere";
    if (partial.field != l4.offset + field) return "partial checksum goes elsewhere";
    // 0 and 0xffff are the same sum.
    if (stored % 0xffff != pseudo_sum % 0xffff) return "partial checksum";
  } else if (!has_none && plain_sum(at, covered, pseudo_sum) != 0xffff) {
    return where + "L4 checksum";
  }
  const bool is_error = (l4.protocol == 1 && (at[0] == 3 || at[0] == 11 || at[0] == 12)) ||
                        (l4.protocol == 58 && at[0] >= 1 && at[0] <= 4);
  if (is_error && !is_quoted && l4_size > 8) return packet_faults(at + 8, l4_size - 8, true, {});
  return "";
}

}  // namespace detail

// Empty, or the first thing that is wrong. A quote's L4 checksum counts when the quote is whole.
inline std::string faults(const Frame& frame) {
  if (frame.length < 14) return "frame shorter than its Ethernet header";
  const size_t type = detail::get16(frame.data + 12);
  if (type != 0x0800 && type != 0x86dd) return "";
  if ((type == 0x0800 ? 4 : 6) != (frame.length > 14 ? frame.data[14] >> 4 : 0))
    return "ethertype and IP version";
  detail::PartialPlace partial;
  if (frame.offload.needs_checksum()) {
    partial.start = size_t{frame.offload.checksum_start} - 14;
    partial.field = partial.start + frame.offload.checksum_offset;
  }
  return detail::packet_faults(frame.data + 14, frame.length - 14, false, partial);
}

}  // namespace uvs::test

// Protocol headers as they stand on the wire: structs of byte-order types that may overlay packet
// memory at any offset. They know their layout and nothing else; bounds are parse's business.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/net/bytes.h"

namespace uvs {

namespace ether_type {
inline constexpr uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd;
}

struct EthernetHeader {
  uint8_t destination[6];
  uint8_t source[6];
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && offsetof(EthernetHeader, type) == 12);

// RFC 791 3.1
struct Ipv4Header {
  static constexpr uint16_t kDontFragment = 0x4000, kMoreFragments = 0x2000, kOffsetMask = 0x1fff;
  static constexpr size_t kMinSize = 20;

  uint8_t version_and_length;
  uint8_t type_of_service;
  Be16 total_length;
  Be16 identification;
  Be16 flags_and_offset;
  uint8_t ttl;
  uint8_t protocol;
  uint16_t checksum;  // raw: see checksum.h
  uint8_t source[4];
  uint8_t destination[4];

  size_t size() const { return size_t{version_and_length & 0x0fu} * 4; }
};
static_assert(sizeof(Ipv4Header) == 20 && offsetof(Ipv4Header, checksum) == 10);

// RFC 8200 3
struct Ipv6Header {
  Be32 version_class_label;
  Be16 payload_length;
  uint8_t next_header;
  uint8_t hop_limit;
  uint8_t source[16];
  uint8_t destination[16];
};
static_assert(sizeof(Ipv6Header) == 40 && offsetof(Ipv6Header, destination) == 24);

// RFC 8200 4.5
struct Ipv6FragmentHeader {
  static constexpr uint16_t kMoreFragments = 1, kOffsetMask = 0xfff8;

  uint8_t next_header;
  uint8_t reserved;
  Be16 offset_and_flags;
  Be32 identification;
};
static_assert(sizeof(Ipv6FragmentHeader) == 8);

// RFC 9293 3.1
struct TcpHeader {
  static constexpr size_t kMinSize = 20;

  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgement;
  uint8_t data_offset;  // upper four bits, in 32-bit words
  uint8_t flags;
  Be16 window;
  uint16_t checksum;  // raw
  Be16 urgent;

  size_t size() const { return size_t{data_offset} / 16 * 4; }
};
static_assert(sizeof(TcpHeader) == 20 && offsetof(TcpHeader, checksum) == 16);

// RFC 768
struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  uint16_t checksum;  // raw
};
static_assert(sizeof(UdpHeader) == 8 && offsetof(UdpHeader, checksum) == 6);

// RFC 792, RFC 4443 2.1; an error's quoted packet follows.
struct IcmpHeader {
  uint8_t type;
  uint8_t code;
  uint16_t checksum;  // raw
  Be32 rest;          // unused, a pointer, or an MTU
};
static_assert(sizeof(IcmpHeader) == 8 && offsetof(IcmpHeader, rest) == 4);

namespace icmp_type {
inline constexpr uint8_t kDestinationUnreachable = 3, kTimeExceeded = 11, kParameterProblem = 12;
}
namespace icmpv6_type {
inline constexpr uint8_t kDestinationUnreachable = 1, kPacketTooBig = 2, kTimeExceeded = 3,
                         kParameterProblem = 4;
}

}  // namespace uvs

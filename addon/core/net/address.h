// Addresses as values: both families in one 16-byte type, and the Ethernet address.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>

#include "core/net/bytes.h"

namespace uvs {

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

// An IPv4 address stands in the first 4 bytes, the rest is zero; the family travels beside it.
// Network byte order.
struct alignas(8) IpAddress {
  std::array<uint8_t, 16> bytes{};

  static constexpr IpAddress ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    IpAddress address;
    address.bytes = {a, b, c, d};
    return address;
  }
  static IpAddress load_ipv4(const uint8_t* from) {
    IpAddress address;
    std::memcpy(address.bytes.data(), from, 4);
    return address;
  }
  static IpAddress load_ipv6(const uint8_t* from) {
    IpAddress address;
    std::memcpy(address.bytes.data(), from, 16);
    return address;
  }
  // Host order value of an IPv4 address.
  uint32_t ipv4_host() const { return load<Be32>(bytes.data()).host(); }
  bool operator==(const IpAddress&) const = default;
};
static_assert(sizeof(IpAddress) == 16);

constexpr size_t address_size(Family family) { return family == Family::kIpv4 ? 4 : 16; }

// 127.0.0.0/8 or ::1.
inline bool is_loopback(Family family, const IpAddress& address) {
  if (family == Family::kIpv4) return address.bytes[0] == 127;
  IpAddress loopback;
  loopback.bytes[15] = 1;
  return address == loopback;
}

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  bool operator==(const MacAddress&) const = default;
};

}  // namespace uvs

// Byte order as a type: a Be16 or Be32 holds network order and never meets host arithmetic by accident.
// All of it is trivially copyable and may overlay packet memory at any alignment.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace uvs {

static_assert(std::endian::native == std::endian::little, "written for little-endian hosts");

class Be16 {
 public:
  constexpr Be16() = default;
  constexpr explicit Be16(uint16_t host) : bytes_{static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)} {}
  constexpr uint16_t host() const { return static_cast<uint16_t>(bytes_[0] << 8 | bytes_[1]); }
  constexpr bool operator==(const Be16&) const = default;

 private:
  uint8_t bytes_[2] = {};
};

class Be32 {
 public:
  constexpr Be32() = default;
  constexpr explicit Be32(uint32_t host)
      : bytes_{static_cast<uint8_t>(host >> 24), static_cast<uint8_t>(host >> 16),
               static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)} {}
  constexpr uint32_t host() const {
    return uint32_t{bytes_[0]} << 24 | uint32_t{bytes_[1]} << 16 | uint32_t{bytes_[2]} << 8 | bytes_[3];
  }
  constexpr bool operator==(const Be32&) const = default;

 private:
  uint8_t bytes_[4] = {};
};

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1);
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);

// Reads a trivially copyable T at `from`; the caller has checked the bounds.
template <typename T>
inline T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
inline void store(uint8_t* to, const T& value) {
  std::memcpy(to, &value, sizeof(T));
}

}  // namespace uvs

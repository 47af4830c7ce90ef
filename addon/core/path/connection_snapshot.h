// Connections as bytes, for the next director on this machine: a header with version, age and checksum, then a row of
// fixed size for each. Pure: who reads and writes files is somebody else (dataplane/connection_file). Whatever the bytes say,
// decoding ends with a word or with plain values that adopt() judges one by one.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "core/flow/connection_view.h"

namespace uvs {

inline constexpr size_t kSnapshotHeaderSize = 64, kSnapshotRowSize = 64;
// Older than that, clients have given up, and servers have heard of it.
inline constexpr uint64_t kSnapshotMaxAge_ms = 60'000;

// When, on which boot of the machine: CLOCK_BOOTTIME and /proc/sys/kernel/random/boot_id.
struct SnapshotStamp {
  uint64_t at_ms = 0;
  std::array<uint8_t, 36> boot{};
};

enum class SnapshotFault : uint8_t {
  kNone,
  kNotASnapshot,
  kOtherVersion,
  kOtherLength,
  kBadChecksum,
  kOtherBoot,
  kTooOld
};
// Why it is refused, for people; "" for kNone.
const char* text(SnapshotFault fault);

// Over all rows, in order, piece by piece; pieces are whole rows.
class SnapshotChecksum {
 public:
  void add(std::span<const uint8_t> rows);
  uint32_t value() const;

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15;
};

struct SnapshotHeader {
  uint32_t rows = 0;
  uint32_t checksum = 0;  // of the rows
  uint64_t age_ms = 0;    // decoded only
};

void encode_header(const SnapshotHeader& header, const SnapshotStamp& written,
                   std::span<uint8_t, kSnapshotHeaderSize> into);
// `size`: of the whole, header included. kBadChecksum is left to the reader of the rows.
SnapshotFault decode_header(std::span<const uint8_t, kSnapshotHeaderSize> from, uint64_t size,
                            const SnapshotStamp& now, SnapshotHeader& header);

void encode_row(const ConnectionView& connection, std::span<uint8_t, kSnapshotRowSize> into);
// `age_ms` is taken off what is left to live. False: the bytes are no connection.
bool decode_row(std::span<const uint8_t, kSnapshotRowSize> from, uint64_t age_ms,
                ConnectionView& connection);

}  // namespace uvs

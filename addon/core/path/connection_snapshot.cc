#include "core/path/connection_snapshot.h"

#include <algorithm>
#include <cstring>

#include "core/flow/connection.h"
#include "core/flow/tcp_state.h"
#include "core/net/bytes.h"
#include "core/net/headers.h"

namespace uvs {

namespace {

constexpr std::array<uint8_t, 8> kMagic = {'u', 'v', 's', 'c', 'o', 'n', 'n', '\n'};
// Of the rows' meaning: another number, another director, nothing is taken up.
constexpr uint32_t kVersion = 1;
// In `flags`; from kStandingShift on stands a Standing, of two bits.
constexpr uint8_t kIsNat = 1, kIsAnswered = 2, kStandingShift = 2, kIsTemplate = 16, kIsAssured = 32;
constexpr uint8_t kAllFlags = 63, kStandingMask = 3;
constexpr uint8_t kMaxStanding = static_cast<uint8_t>(Standing::kClosed);

// In this machine's byte order: a snapshot never leaves it.
struct HeaderBytes {
  std::array<uint8_t, 8> magic;
  uint32_t version;
  std::array<uint8_t, 36> boot;
  uint64_t at_ms;
  uint32_t rows;
  uint32_t checksum;
};
static_assert(sizeof(HeaderBytes) == kSnapshotHeaderSize);

struct RowBytes {
  uint8_t family, protocol, state, flags;
  uint32_t expires_ms;
  uint16_t client_port, virtual_port, destination_port, zero;
  std::array<uint8_t, 16> client, virtual_address, destination;
};
static_assert(sizeof(RowBytes) == kSnapshotRowSize);

}  // namespace

const char* text(SnapshotFault fault) {
  switch (fault) {
    case SnapshotFault::kNone:
      return "";
    case SnapshotFault::kNotASnapshot:
      return "it is no connection snapshot";
    case SnapshotFault::kOtherVersion:
      return "another version of the director wrote it, with another layout";
    case SnapshotFault::kOtherLength:
      return "it is cut off or has bytes too many";
    case SnapshotFault::kBadChecksum:
      return "its checksum is wrong";
    case SnapshotFault::kOtherBoot:
      return "it is from before this machine was started";
    case SnapshotFault::kTooOld:
      return "it is older than a minute";
  }
  return "";
}

void SnapshotChecksum::add(std::span<const uint8_t> rows) {
  for (size_t at = 0; at + 8 <= rows.size(); at += 8) {
    state_ = (state_ ^ load<uint64_t>(rows.data() + at)) * 0xff51afd7ed558ccd;
    state_ ^= state_ >> 32;
  }
}

// Mixed once more: what differs in the last word alone would cancel out where the halves are folded.
uint32_t SnapshotChecksum::value() const {
  const uint64_t mixed = (state_ ^ state_ >> 29) * 0xc4ceb9fe1a85ec53;
  return static_cast<uint32_t>(mixed >> 32);
}

void encode_header(const SnapshotHeader& header, const SnapshotStamp& written,
                   std::span<uint8_t, kSnapshotHeaderSize> into) {
  const HeaderBytes bytes{kMagic,        kVersion,    written.boot,
                          written.at_ms, header.rows, header.checksum};
  std::memcpy(into.data(), &bytes, sizeof(bytes));
}

SnapshotFault decode_header(std::span<const uint8_t, kSnapshotHeaderSize> from, uint64_t size,
                            const SnapshotStamp& now, SnapshotHeader& header) {
  HeaderBytes bytes;
  std::memcpy(&bytes, from.data(), sizeof(bytes));
  if (bytes.magic != kMagic) return SnapshotFault::kNotASnapshot;
  if (bytes.version != kVersion) return SnapshotFault::kOtherVersion;
  if (size != kSnapshotHeaderSize + uint64_t{bytes.rows} * kSnapshotRowSize)
    return SnapshotFault::kOtherLength;
  if (bytes.boot != now.boot || bytes.at_ms > now.at_ms) return SnapshotFault::kOtherBoot;
  header = {bytes.rows, bytes.checksum, now.at_ms - bytes.at_ms};
  return header.age_ms > kSnapshotMaxAge_ms ? SnapshotFault::kTooOld : SnapshotFault::kNone;
}

void encode_row(const ConnectionView& connection, std::span<uint8_t, kSnapshotRowSize> into) {
  const auto flags = static_cast<uint8_t>((connection.is_nat ? kIsNat : 0) |
                                          (connection.is_answered ? kIsAnswered : 0) |
                                          connection.standing << kStandingShift |
                                          (connection.is_template ? kIsTemplate : 0) |
                                          (connection.is_assured ? kIsAssured : 0));
  const RowBytes bytes{static_cast<uint8_t>(connection.family),
                       connection.protocol,
                       connection.state,
                       flags,
                       connection.expires_ms,
                       connection.client_port,
                       connection.virtual_port,
                       connection.destination_port,
                       0,
                       connection.client.bytes,
                       connection.virtual_address.bytes,
                       connection.destination.bytes};
  std::memcpy(into.data(), &bytes, sizeof(bytes));
}

bool decode_row(std::span<const uint8_t, kSnapshotRowSize> from, uint64_t age_ms,
                ConnectionView& connection) {
  RowBytes bytes;
  std::memcpy(&bytes, from.data(), sizeof(bytes));
  const bool is_known = bytes.family == static_cast<uint8_t>(Family::kIpv4) ||
                        bytes.family == static_cast<uint8_t>(Family::kIpv6);
  const bool is_tcp = bytes.protocol == kProtocolTcp;
  if (!is_known || (!is_tcp && bytes.protocol != kProtocolUdp)) return false;
  if (bytes.state >= (is_tcp ? kTcpStateCount : 1)) return false;
  const bool is_template = (bytes.flags & kIsTemplate) != 0;
  if (is_template && (bytes.state != 0 || bytes.client_port != 0)) return false;
  const uint8_t standing = bytes.flags >> kStandingShift & kStandingMask;
  if (standing > kMaxStanding || bytes.flags > kAllFlags) return false;
  connection.family = static_cast<Family>(bytes.family);
  connection.protocol = bytes.protocol;
  connection.state = bytes.state;
  connection.client_port = bytes.client_port;
  connection.virtual_port = bytes.virtual_port;
  connection.destination_port = bytes.destination_port;
  connection.expires_ms =
      static_cast<uint32_t>(bytes.expires_ms - std::min<uint64_t>(bytes.expires_ms, age_ms));
  connection.is_nat = (bytes.flags & kIsNat) != 0;
  connection.is_answered = (bytes.flags & kIsAnswered) != 0;
  connection.standing = standing;
  connection.is_template = is_template;
  connection.is_assured = (bytes.flags & kIsAssured) != 0;
  connection.client.bytes = bytes.client;
  connection.virtual_address.bytes = bytes.virtual_address;
  connection.destination.bytes = bytes.destination;
  return true;
}

}  // namespace uvs

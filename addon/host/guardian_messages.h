// What director and guardian say to each other over their SOCK_SEQPACKET pair: one message a packet, both built from
// these sources and on one machine, so numbers have the host's order. Whatever does not fit is refused, never read past.
//
//   every message  header: magic, kind, slot of the lease board, sequence, size of the whole message
//   entrust        header, will: where the virtual router's adverts leave and how many goodbyes, addresses, routes follow;
//                  each goodbye: where to, size, bytes; each address; each route
//   forget         header: the will of that slot is void and its sockets can go
//   dismiss        header: the guardian ends and does nothing
//   answer         header with the sequence of an entrust, 0 or the errno of why there is no will now
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "host/advert_socket.h"
#include "host/lease_board.h"
#include "host/addresses.h"
#include "host/virtual_routes.h"

namespace uvs {

// What is done in the place of a director that is dead or hangs, in this order: goodbye (priority 0) once, addresses
// away, routes away.
struct LastWill {
  AdvertEgress egress;
  std::vector<AdvertMessage> goodbye;
  std::vector<HostAddress> addresses;
  std::vector<VirtualRouteSpec> routes;
};

// Descriptors that the guardian finds open.
inline constexpr int kGuardianSocket = 3, kGuardianBoard = 4;

inline constexpr uint32_t kGuardianMagic = 0x47737675;  // "uvsG"
// A VRRP message with 255 IPv6 addresses and authentication behind them has 4,124 bytes.
inline constexpr size_t kMaxGoodbyeSize = 4'352;
inline constexpr size_t kMaxGoodbyes = 512, kMaxWillAddresses = 2'048, kMaxWillRoutes = 1'024;
// Less than what a UNIX socket takes by default.
inline constexpr size_t kMaxGuardianMessage = 160 * 1024;

enum class GuardianMessageKind : uint16_t { kEntrust = 1, kForget, kDismiss, kAnswer };

struct GuardianHeader {
  uint32_t magic;
  uint16_t kind;
  uint16_t slot;
  uint32_t sequence;
  uint32_t size_bytes;
};
static_assert(sizeof(GuardianHeader) == 16);

struct WillRecord {
  char device[16];
  uint8_t source[16];
  uint8_t family;
  uint8_t ttl;
  uint16_t goodbye_count, address_count, route_count;
};
static_assert(sizeof(WillRecord) == 40);

struct GoodbyeRecord {
  uint8_t destination[16];
  uint32_t size_bytes;
};
static_assert(sizeof(GoodbyeRecord) == 20);

struct AddressRecordOfWill {
  char device[16];
  uint8_t address[16];
  uint8_t family;
  uint8_t prefix_length;
  uint8_t zero[2];
};
static_assert(sizeof(AddressRecordOfWill) == 36);

struct RouteRecordOfWill {
  char device[16];
  uint8_t destination[16], gateway[16], source[16];
  uint32_t metric, table;
  uint8_t family;
  uint8_t length;
  uint8_t has;  // bits: 1 gateway, 2 source, 4 metric, 8 table
  uint8_t zero;
};
static_assert(sizeof(RouteRecordOfWill) == 76);

struct AnswerRecord {
  int32_t error;
};
static_assert(sizeof(AnswerRecord) == 4);

struct EntrustMessage {
  LeaseSlot slot = 0;
  uint32_t sequence = 0;
  LastWill will;
};
struct ForgetMessage {
  LeaseSlot slot = 0;
};
struct DismissMessage {};
struct AnswerMessage {
  LeaseSlot slot = 0;
  uint32_t sequence = 0;
  int error = 0;
};
// Not a message of ours. An entrust that is broken behind its header still says what an answer must name.
struct BrokenMessage {
  std::optional<AnswerMessage> refusal;
};
using GuardianMessage =
    std::variant<BrokenMessage, EntrustMessage, ForgetMessage, DismissMessage, AnswerMessage>;

// LIMIT_REACHED when the will is larger than the bounds above; IO when a device name is none.
Result<std::vector<uint8_t>> encode_entrust(LeaseSlot slot, uint32_t sequence, const LastWill& will);
std::vector<uint8_t> encode(const ForgetMessage& message);
std::vector<uint8_t> encode(const DismissMessage& message);
std::vector<uint8_t> encode(const AnswerMessage& message);

// Any bytes are good input.
GuardianMessage decode_guardian_message(std::span<const uint8_t> bytes);

}  // namespace uvs

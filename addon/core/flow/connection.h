// One connection: who talks to which service by which server, in which state, until when.
// One cache line for IPv4, two for IPv6; names of others are indices, never pointers.
#pragma once

#include <cstdint>

#include "core/flow/tcp_state.h"
#include "core/flow/tick.h"
#include "core/net/address.h"

namespace uvs {

// An address without the other family's room.
template <Family F>
struct PackedAddress;

template <>
struct PackedAddress<Family::kIpv4> {
  uint32_t word = 0;  // as in memory: network order

  static PackedAddress of(const IpAddress& address) {
    return {load<uint32_t>(address.bytes.data())};
  }
  IpAddress unpacked() const {
    IpAddress address;
    store(address.bytes.data(), word);
    return address;
  }
  bool operator==(const PackedAddress&) const = default;
};

template <>
struct PackedAddress<Family::kIpv6> {
  uint64_t words[2] = {};

  static PackedAddress of(const IpAddress& address) {
    return {{load<uint64_t>(address.bytes.data()), load<uint64_t>(address.bytes.data() + 8)}};
  }
  IpAddress unpacked() const {
    IpAddress address;
    store(address.bytes.data(), words);
    return address;
  }
  bool operator==(const PackedAddress&) const = default;
};

// A connection's place in its table; 0 is no connection.
using ConnectionIndex = uint32_t;
inline constexpr ConnectionIndex kNoConnection = 0;

// What a connection has shown, and so who gives way when there is no room.
enum class Standing : uint8_t {
  kUnconfirmed,  // half-open, or one datagram: its source may be made up
  kConfirmed,    // both sides were heard; where replies are not seen, the client was heard again
  kClosed,       // TIME_WAIT or CLOSE
};

struct ConnectionFlags {
  bool is_nat : 1 = false;  // its replies come back through us and stand in the reply map
  bool is_local : 1 = false;   // its server is this machine: packets go to the host
  bool is_active : 1 = false;  // how its server counts it
  bool is_answered : 1 = false;  // its server was heard (NAT only: replies are not seen otherwise)
  Standing standing : 2 = Standing::kUnconfirmed;
  bool is_asking : 1 = false;  // the client asks (UDP: at all; TCP: by SYN) and has no answer yet
  bool is_assured : 1 = false;  // of a template: a connection that it controls was established
};

// A persistence template stands among the connections, as in IPVS: the client's network, port 0, to a virtual address and
// port (0: every port), has this server. No packet is of this protocol, so none is taken for one of a template.
inline constexpr uint8_t kTemplateBit = 0x80;  // in Connection::protocol
constexpr bool is_template(uint8_t protocol) { return (protocol & kTemplateBit) != 0; }

template <Family F>
struct alignas(F == Family::kIpv4 ? 64 : 128) Connection {
  PackedAddress<F> client, virtual_address, destination;
  uint16_t client_port, virtual_port, destination_port;  // host order
  uint8_t protocol;
  TcpState state;  // TCP only

  // The table's own.
  uint32_t hash;
  ConnectionIndex chain_next;  // in its bucket; or in the free list
  ConnectionIndex wheel_next, wheel_prev;
  Tick expires;

  // path's own.
  uint32_t destination_slot;
  uint32_t hop_epoch;               // when the next hops below were found
  uint16_t request_hop, reply_hop;  // NeighbourIndex
  uint32_t syn_sequence;            // TCP: of the client's last SYN
  // The template that it is controlled by, or kNoConnection; of a template: how many hold it, which therefore stays.
  uint32_t control;
  uint16_t asked_at;  // while flags.is_asking: since when; the low bits of a Tick
  ConnectionFlags flags;
};
static_assert(sizeof(Connection<Family::kIpv4>) == 64);
static_assert(sizeof(Connection<Family::kIpv6>) == 128);

}  // namespace uvs

// Tables come in, connections and counters go out as bytes, in the layout of src/dataplane/table-codec.ts; both are held to
// test/support/rows.txt. Little-endian, fixed-width. What does not fit is refused.
//   table:        u32 services, u32 tcp_s, u32 fin_s, u32 udp_s, u8 reuse mode, u8 expire nodest, u8 flags, 1 zero,
//                 u32 closed, u32 clients, to 32; then services, each with its destinations, closed and clients
//   service:      16 address, u16 port, u8 protocol, u8 family, u8 scheduler flags, u8 flags, u8 kind (0: by address and port,
//                 1: every port, 2: mark), u8 prefix, u32 destinations, u32 mark, 16 scheduler, u32 persistence_s, to 64
//   destination:  16 address, u16 port, u8 method, u8 family, u24 weight, u8 flags, u32 upper, u32 lower
//   closed:       16 address, 3 zero, u8 family, to 32; client: 16 network, u8 length, u8 allowed, 1 zero, family, to 32
//   connection:   u8 family, u8 protocol, u8 state, u8 flags (1 template, 2 assured), u16 client, virtual,
//                 destination port, 2 zero, u32 expires_ms, 16 client, 16 virtual, 16 destination
//   counters:     u64 each; a service: connections, in packets, out packets, in bytes, out bytes; each of its destinations
//                 behind it: active, inactive, persistent, flags (1 overloaded, 2 local), then as a service
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/path/director.h"
#include "core/table/table_spec.h"
#include "core/table/table_store.h"

namespace uvs {

inline constexpr size_t kConnectionRowSize = 64;

std::optional<TableSpec> decode_table(std::span<const uint8_t> bytes);
void encode_connections(std::span<const ConnectionView> connections, std::vector<uint8_t>& rows);

// Writes counters one after the other until the room is full.
class CounterWriter {
 public:
  explicit CounterWriter(std::span<uint64_t> room) : room_(room) {}
  void put(const Traffic& traffic);
  void put(const DestinationCounters& counters);

 private:
  void put(uint64_t number) {
    if (at_ < room_.size()) room_[at_++] = number;
  }

  std::span<uint64_t> room_;
  size_t at_ = 0;
};

}  // namespace uvs

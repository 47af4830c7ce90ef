// The connections of one address family on the path: which one a packet belongs to, whether a new
// one is opened and by whom, what the packet does to its state, and when it ends. Decides;
// rewriting is somebody else's.
#pragma once

#include <cstdint>
#include <span>

#include "core/flow/connection_table.h"
#include "core/flow/connection_view.h"
#include "core/path/context.h"
#include "core/path/item.h"

namespace uvs {

template <Family F>
class Flows {
 public:
  Flows(const DirectorOptions& options, PathContext& context);

  bool is_ready() const { return connections_.is_ready(); }
  uint32_t bucket_count() const { return connections_.bucket_count(); }
  ConnectionIndex bound() const { return connections_.bound(); }

  // Classify: the hash of the connection that the packet may belong to, and its bucket on the way
  // into the cache.
  void classify(Item& item) const;
  // Find: its record on the way into the cache, in two steps.
  void prefetch_first(const Item& item) const { connections_.prefetch_first(item.hash); }
  void prefetch_second(const Item& item) const { connections_.prefetch_second(item.hash); }
  // Schedule: the decision, with the connection found or opened and moved on. In the order of the
  // packets.
  void settle(Item& item);
  void settle_icmp_error(Item& item);

  // See Director::expire.
  bool expire(uint32_t budget);
  // Writes the connections at [index, end) until `rows` is full; moves `index` on and returns how
  // many.
  size_t copy(ConnectionIndex& index, ConnectionIndex end, std::span<ConnectionView> rows,
              Micros now) const;

 private:
  using Record = Connection<F>;

  void follow(Item& item, ConnectionIndex index, Direction direction);
  void open(Item& item);
  bool is_admitted(Item& item) const;
  Record record_of(const Item& item, const Destination& destination) const;
  bool has_room(Item& item, const Record& record);
  void destination_is_gone(Item& item, ConnectionIndex index);
  void close(ConnectionIndex index);

  bool is_opened_anew(const Record& record, Presence presence, const ParsedPacket& packet) const;
  bool leaves_server(const Record& record, Presence presence, const ParsedPacket& packet) const;
  void advance(ConnectionIndex index, Direction direction, const ParsedPacket& packet);
  uint32_t timeout_s(const Record& record) const;
  void set_state(Record& record, TcpState state);
  void pass(Item& item, Record& record, Direction direction);
  Decision find_way(Record& record, Direction direction);

  DestinationState& destination_of(const Record& record) {
    return context_.tables.destination_state(record.destination_slot);
  }
  ReplyTuple reply_of(const Record& record) const;

  PathContext& context_;
  ConnectionTable<F> connections_;
};

extern template class Flows<Family::kIpv4>;
extern template class Flows<Family::kIpv6>;

}  // namespace uvs

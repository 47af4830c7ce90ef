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

// May the packet open a connection? UDP always; TCP with a SYN (a SYN+ACK too, as for active FTP),
// with sloppy_tcp any segment. An RST never does.
inline bool may_open(const ParsedPacket& packet, const Policy& policy) {
  if (packet.protocol != kProtocolTcp) return true;
  if ((packet.tcp_flags & tcp_flag::kRst) != 0) return false;
  return policy.sloppy_tcp || (packet.tcp_flags & tcp_flag::kSyn) != 0;
}

template <Family F>
class Flows final : private Room::Holder {
 public:
  Flows(const DirectorOptions& options, PathContext& context);
  Flows(const Flows&) = delete;
  Flows& operator=(const Flows&) = delete;

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

  // See Director::adopt_connections. `destination` is of `service`, which is the view's.
  AdoptOutcome adopt(const ConnectionView& view, const Service& service,
                     const Destination& destination);

  // See Director::expire.
  bool expire(uint32_t budget);
  // Writes the connections at [index, end) until `rows` is full; moves `index` on and returns how
  // many.
  size_t copy(ConnectionIndex& index, ConnectionIndex end, std::span<ConnectionView> rows,
              Micros now) const;

 private:
  using Record = Connection<F>;

  void follow(Item& item, ConnectionIndex index, Direction direction, bool is_first = false);
  void open(Item& item);
  bool is_admitted(Item& item) const;
  bool is_client_admitted(Item& item) const;
  void choose(Item& item, bool is_opening, ConnectionIndex& held);
  bool open_with(Item& item, const Destination& destination, bool is_opening, ConnectionIndex& held);

  // persistence.cc: templates.
  Record template_of(const Service& service, const IpAddress& client, const IpAddress& virtual_address) const;
  ConnectionIndex find_template(const Record& key) const;
  ConnectionIndex hold_valid_template(const Item& item);
  ConnectionIndex make_template(const Item& item, const Destination& destination);
  ConnectionIndex insert_template(const Record& record, Tick expires);
  void hold(ConnectionIndex index);
  void release(ConnectionIndex index);
  void prolong(ConnectionIndex index, uint32_t timeout_s);
  bool is_void(const Record& record) const;
  void set_aside(ConnectionIndex index);
  void assure(const Record& record);
  AdoptOutcome adopt_template(const ConnectionView& view, const Service& service,
                              const Destination& destination);
  ConnectionIndex adopt_control(const ConnectionView& view, const Service& service,
                                const Destination& destination);

  Record record_of(const Item& item, const Destination& destination) const;
  // A server on this machine itself is reached by NAT like any other; but what comes from outside for
  // 127.0.0.0/8 or ::1 the stack throws away, so there the service's own address is left where the port
  // is its, too: a program that listens on all addresses answers.
  static bool is_translated(const Record& record, const Destination& destination);
  bool is_to_local(const Record& record) const {
    return record.flags.is_local || destination_of(record).is_local.get();
  }
  bool is_of_local_server(const Record& record, Direction direction,
                          const ParsedPacket& packet) const;
  void forward_without_record(Item& item, Record& record);
  ReplyMap::Inserted expect_replies(const Record& record);
  void refuse(Item& item, Limit limit, DropReason reason);
  void destination_is_gone(Item& item, ConnectionIndex index);
  void close(ConnectionIndex index);
  uint32_t count(Standing standing) override { return connections_.count(standing); }
  void end_next(Standing standing) override;

  bool is_opened_anew(const Record& record, Presence presence, const ParsedPacket& packet) const;
  bool leaves_server(const Record& record, Presence presence, const ParsedPacket& packet) const;
  void advance(ConnectionIndex index, Direction direction, const ParsedPacket& packet);
  Standing standing_after(const Record& record, Direction direction, const ParsedPacket& packet,
                          bool is_first) const;
  uint32_t timeout_s(const Record& record) const;
  void set_state(Record& record, TcpState state);
  void pass(Item& item, Record& record, Direction direction);
  Decision find_way(Record& record, Direction direction);
  static Passage passage_of(const Record& record, Direction direction, NeighbourIndex hop);

  DestinationState& destination_of(const Record& record) const {
    return context_.tables.destination_state(record.destination_slot);
  }
  ReplyTuple reply_of(const Record& record) const;

  PathContext& context_;
  ConnectionTable<F> connections_;
};

extern template class Flows<Family::kIpv4>;
extern template class Flows<Family::kIpv6>;

}  // namespace uvs

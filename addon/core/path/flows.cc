// One packet: find its connection, or open one, or leave the packet to the host; then follow it.
// The rules and their order are IPVS's: each departure would be a different choice than the
// kernel's.
#include "core/path/flows.h"

#include <algorithm>

#include "core/path/admission.h"

namespace uvs {

namespace {

// Does a client ask for a connection with it?
bool is_syn(const ParsedPacket& packet) {
  constexpr uint8_t kSynAck = tcp_flag::kSyn | tcp_flag::kAck;
  return packet.protocol == kProtocolTcp && !packet.is_fragment &&
         (packet.tcp_flags & kSynAck) == tcp_flag::kSyn;
}

// A template whose time has come while it is held stays as much longer, as in the kernel.
constexpr uint32_t kHeldTemplate_s = 60;

// How long a removed server may leave a client without an answer: datagrams, and SYNs, of which the second comes after a
// second.
constexpr Tick kDatagramPatience = tick_after(0, 5), kSynPatience = tick_of(kMicrosPerSecond / 2);

}  // namespace

template <Family F>
Flows<F>::Flows(const DirectorOptions& options, PathContext& context)
    : context_(context), connections_(options.connections, options.connection_key) {
  context_.room.add(*this);
}

// A packet to a service comes from its client; any other may be a reply, which goes to the client.
template <Family F>
void Flows<F>::classify(Item& item) const {
  const ParsedPacket& packet = item.packet;
  item.hash = item.service != nullptr
                  ? connections_.hash(packet.source, packet.source_port, packet.protocol)
                  : connections_.hash(packet.destination, packet.destination_port, packet.protocol);
  connections_.prefetch_bucket(item.hash);
}

template <Family F>
void Flows<F>::settle(Item& item) {
  const ParsedPacket& packet = item.packet;
  if (item.service != nullptr && item.service->key.is_standby) {
    // Another director's to forward. The connection, if we have it, neither moves on nor lives
    // longer: should the service come back to us, it goes on where it stood.
    item.decision = to_host();
    return;
  }
  if (item.service == nullptr) {
    const ConnectionIndex reply =
        connections_.find_reply(item.hash, packet.destination, packet.destination_port,
                                packet.source, packet.source_port, packet.protocol);
    // The server may be gone from the table meanwhile: what it still has to say is passed on.
    if (reply != kNoConnection) return follow(item, reply, Direction::kReply);
    // A service may be gone too, and have left connections behind.
    item.hash = connections_.hash(packet.source, packet.source_port, packet.protocol);
  }
  const ConnectionIndex index =
      connections_.find_request(item.hash, packet.source, packet.source_port, packet.destination,
                                packet.destination_port, packet.protocol);
  if (index == kNoConnection) return open(item);
  const Record& record = connections_[index];
  const Presence presence = destination_of(record).presence;
  if (is_opened_anew(record, presence, packet)) {
    if (!is_client_admitted(item)) return;
    if (presence != Presence::kServing) context_.count(FlowEvent::kLeftServer);
    close(index);
    return open(item);
  }
  if (presence == Presence::kGone) return destination_is_gone(item, index);
  follow(item, index, Direction::kRequest);
}

// A client may use a port again before its old connection has expired here: the new one is
// scheduled, and at once (dropping the SYN until it is sent again would cost the client a second).
template <Family F>
bool Flows<F>::is_opened_anew(const Record& record, Presence presence,
                              const ParsedPacket& packet) const {
  if (packet.protocol == kProtocolUdp) {
    return presence <= Presence::kRemoved && leaves_server(record, presence, packet);
  }
  if (!is_syn(packet)) return false;
  if (presence != Presence::kServing && leaves_server(record, presence, packet)) return true;
  const uint8_t mode = context_.table->policy.conn_reuse_mode;
  if (mode == 0) return false;
  if (record.state == TcpState::kTimeWait || record.state == TcpState::kClose) return true;
  return (mode & 2) != 0 && record.state == TcpState::kFinWait && !record.flags.is_nat;
}

// The packet, a SYN or a datagram, is of a connection whose server takes no new ones. Is it to be served elsewhere? One
// spoofed packet must not steal a connection from a server that still has it; and a client that comes again and again
// from one port must not stay with a server that will never answer.
template <Family F>
bool Flows<F>::leaves_server(const Record& record, Presence presence,
                             const ParsedPacket& packet) const {
  switch (context_.table->policy.expire_nodest_conn) {
    case NodestRule::kKeep:
      return false;
    case NodestRule::kExpire:
      return true;
    case NodestRule::kMove:
      break;
  }
  if (presence == Presence::kGone) return true;
  const bool is_udp = packet.protocol == kProtocolUdp;
  if (presence == Presence::kRemoved && record.flags.is_asking && (!is_udp || record.flags.is_nat)) {
    // In 16 bits, which wrap after 71 minutes: then it may take its patience once more.
    const auto waited = static_cast<uint16_t>(tick_of(context_.now) - record.asked_at);
    if (waited >= (is_udp ? kDatagramPatience : kSynPatience)) return true;
  }
  if (is_udp) return false;
  if (is_closing(record.state)) return true;
  return record.state == TcpState::kSynReceived && record.syn_sequence != packet.tcp_sequence;
}

// Connections of a server that is gone wait, silent, for it to come back: NodestRule says what else may happen to them.
// Under kExpire any packet that cannot open a connection gets the host's RST.
template <Family F>
void Flows<F>::destination_is_gone(Item& item, ConnectionIndex index) {
  const Policy& policy = context_.table->policy;
  if (policy.expire_nodest_conn != NodestRule::kExpire) {
    item.decision = drop(DropReason::kDestinationRemoved);
    return;
  }
  if (may_open(item.packet, policy)) {
    if (!is_client_admitted(item)) return;
    close(index);
    return open(item);
  }
  Record& record = connections_[index];
  if (record.state != TcpState::kClose) {
    set_state(record, TcpState::kClose);
    connections_.set_standing(index, Standing::kClosed);
    connections_.renew(index, tick_after(context_.now, timeout_s(record)));
  }
  item.decision = to_host();
}

template <Family F>
void Flows<F>::follow(Item& item, ConnectionIndex index, Direction direction, bool is_first) {
  advance(index, direction, item.packet);
  Record& record = connections_[index];
  const Standing standing = standing_after(record, direction, item.packet, is_first);
  if (standing != record.flags.standing) {
    if (standing == Standing::kUnconfirmed) record.flags.is_answered = false;
    connections_.set_standing(index, standing);
  }
  pass(item, record, direction);
}

// A packet that would open a connection, or end one to open another, or an ICMP error about one, must have a source that
// may be there.
template <Family F>
bool Flows<F>::is_admitted(Item& item) const {
  const DropReason reason =
      why_refused(item.packet, item.ifindex, context_.hops.view(), *context_.table);
  if (reason == DropReason::kNone) return true;
  item.decision = drop(reason);
  return false;
}

// Who opens a connection must be a client that may, too. Asked behind the source, as a firewall behind the routing.
template <Family F>
bool Flows<F>::is_client_admitted(Item& item) const {
  if (!is_admitted(item)) return false;
  const ClientRules* clients = context_.table->clients.get();
  if (clients == nullptr || clients->allows(F, item.packet.source)) return true;
  item.decision = drop(DropReason::kClientDenied);
  return false;
}

// An error about a packet that the client got (it quotes VIP -> client) goes to the server; one
// about a packet that the server got through NAT (client -> RIP) to the client. It renews nothing.
template <Family F>
void Flows<F>::settle_icmp_error(Item& item) {
  const QuotedPacket& quoted = item.packet.quoted;
  item.decision = to_host();
  Direction direction = Direction::kRequest;
  item.hash = connections_.hash(quoted.destination, quoted.destination_port, quoted.protocol);
  ConnectionIndex index =
      connections_.find_request(item.hash, quoted.destination, quoted.destination_port,
                                quoted.source, quoted.source_port, quoted.protocol);
  if (index == kNoConnection) {
    direction = Direction::kReply;
    item.hash = connections_.hash(quoted.source, quoted.source_port, quoted.protocol);
    index = connections_.find_reply(item.hash, quoted.source, quoted.source_port,
                                    quoted.destination, quoted.destination_port, quoted.protocol);
  }
  if (index == kNoConnection) return;
  if (direction == Direction::kRequest) {
    const Service* service =
        context_.table->find(quoted.protocol, F, quoted.source, quoted.source_port);
    if (service != nullptr && service->key.is_standby) return;
  }
  Record& record = connections_[index];
  if (!is_of_local_server(record, direction, item.packet) && !is_admitted(item)) return;
  pass(item, record, direction);
}

// This machine's own complaint, on its way out, about what was translated for a server of its own.
template <Family F>
bool Flows<F>::is_of_local_server(const Record& record, Direction direction,
                                  const ParsedPacket& packet) const {
  return direction == Direction::kReply && is_to_local(record) &&
         record.destination == PackedAddress<F>::of(packet.source);
}

// The state after the packet, and how long the connection now lasts without another. What a client asks of a removed
// server renews nothing, so that its connections end though the client never stops: only answers keep them, and TCP
// that is established.
template <Family F>
void Flows<F>::advance(ConnectionIndex index, Direction direction, const ParsedPacket& packet) {
  Record& record = connections_[index];
  const bool is_tcp = record.protocol == kProtocolTcp;
  if (is_tcp) {
    const TcpDirection table = direction == Direction::kReply ? TcpDirection::kOutput
                               : record.flags.is_nat          ? TcpDirection::kInput
                                                              : TcpDirection::kInputOnly;
    set_state(record, next_state(record.state, table, tcp_event(packet.tcp_flags)));
  }
  const bool is_asking = direction == Direction::kRequest && (!is_tcp || is_syn(packet));
  if (is_asking && !record.flags.is_asking) record.asked_at = static_cast<uint16_t>(tick_of(context_.now));
  record.flags.is_asking = is_asking;
  if (direction == Direction::kReply && !record.flags.is_answered) {
    record.flags.is_answered = true;
    if (!is_tcp) assure(record);
  }
  if (is_asking && is_tcp) record.syn_sequence = packet.tcp_sequence;
  if (is_asking && destination_of(record).presence == Presence::kRemoved) return;
  connections_.renew(index, tick_after(context_.now, timeout_s(record)));
}

// A source is confirmed when it sends again and, where replies are seen, was answered before: an address that is made up
// gets no answers. TCP that was opened needs an ACK; without replies seen a blind one will do.
template <Family F>
Standing Flows<F>::standing_after(const Record& record, Direction direction,
                                  const ParsedPacket& packet, bool is_first) const {
  const Standing before = record.flags.standing;
  const bool is_tcp = record.protocol == kProtocolTcp;
  if (is_tcp && (record.state == TcpState::kTimeWait || record.state == TcpState::kClose)) {
    return Standing::kClosed;
  }
  if (before == Standing::kClosed) return Standing::kUnconfirmed;  // opened again in place
  if (before == Standing::kConfirmed || is_first || direction == Direction::kReply) return before;
  if (record.flags.is_nat && !record.flags.is_answered) return before;
  if (is_tcp && (record.state != TcpState::kEstablished || is_syn(packet))) return before;
  return Standing::kConfirmed;
}

template <Family F>
uint32_t Flows<F>::timeout_s(const Record& record) const {
  return record.protocol == kProtocolTcp ? context_.timeouts.tcp(record.state)
                                         : context_.timeouts.udp_s;
}

template <Family F>
void Flows<F>::set_state(Record& record, TcpState state) {
  if (record.state == state) return;
  record.state = state;
  if (state == TcpState::kEstablished) assure(record);
  if (is_active(state) == record.flags.is_active) return;
  record.flags.is_active = !record.flags.is_active;
  DestinationState& destination = destination_of(record);
  record.flags.is_active ? destination.activate() : destination.deactivate();
}

// The packet is one of this connection's, and is to go to the other side.
template <Family F>
void Flows<F>::pass(Item& item, Record& record, Direction direction) {
  item.counted_by = record.destination_slot;
  item.direction = direction;
  item.decision = find_way(record, direction);
}

template <Family F>
Passage Flows<F>::passage_of(const Record& record, Direction direction, NeighbourIndex hop) {
  return {.direction = direction,
          .method = record.flags.is_nat ? ForwardingMethod::kNat : ForwardingMethod::kDirectRoute,
          .hop = hop,
          .server_port = record.destination_port,
          .virtual_port = record.virtual_port,
          .flow_hash = record.hash,
          .destination = record.destination_slot,
          .server = record.destination.unpacked(),
          .virtual_address = record.virtual_address.unpacked()};
}

// The next hop is looked up once a direction, and again after the routes changed.
template <Family F>
Decision Flows<F>::find_way(Record& record, Direction direction) {
  const auto to_this_machine = [&] {
    return record.flags.is_nat ? to_local_server(passage_of(record, direction, kNoNeighbour))
                               : to_host();
  };
  if (direction == Direction::kRequest && is_to_local(record)) return to_this_machine();
  if (const uint32_t epoch = context_.hops.epoch(); record.hop_epoch != epoch) {
    record.request_hop = record.reply_hop = kNoNeighbour;
    record.hop_epoch = epoch;
  }
  uint16_t& hop = direction == Direction::kRequest ? record.request_hop : record.reply_hop;
  if (hop == kNoNeighbour) {
    const auto& target = direction == Direction::kRequest ? record.destination : record.client;
    const NextHops::Found found = context_.hops.find(F, target.unpacked(), record.hash);
    if (found.kind == RouteKind::kLocal) return to_this_machine();
    if (found.kind != RouteKind::kUnicast) return drop(DropReason::kNoRoute);
    if (found.index == kNoNeighbour) {
      context_.reached(Limit::kNextHops);
      return drop(DropReason::kNeighbourFailed);
    }
    hop = found.index;
  }
  return forward(passage_of(record, direction, hop));
}

// Every connection ends here, and whatever stands for it elsewhere with it. Of templates those that nobody holds.
template <Family F>
void Flows<F>::close(ConnectionIndex index) {
  const Record& record = connections_[index];
  if (record.flags.is_nat) context_.replies.erase(context_.replies.key_of(reply_of(record)));
  if (is_template(record.protocol)) {
    destination_of(record).unbind_template();
  } else {
    destination_of(record).unbind(record.flags.is_active);
    if (record.control != kNoConnection) release(record.control);
  }
  context_.room.count().subtract(1);
  connections_.erase(index);
}

template <Family F>
void Flows<F>::end_next(Standing standing) {
  const ConnectionIndex index = connections_.next_to_end(standing);
  if (standing == Standing::kUnconfirmed) context_.reached(Limit::kUnconfirmed);
  context_.count(standing == Standing::kClosed ? FlowEvent::kClosedGaveWay
                                               : FlowEvent::kUnconfirmedGaveWay);
  if (!connections_[index].flags.is_nat && !is_template(connections_[index].protocol)) {
    // Its client may be real, and about to send again.
    context_.recordless_until =
        context_.now + context_.timeouts.tcp(TcpState::kEstablished) * kMicrosPerSecond;
  }
  close(index);
}

template <Family F>
bool Flows<F>::expire(uint32_t budget) {
  return connections_.expire(tick_of(context_.now), budget, [this](ConnectionIndex index) {
    const Record& record = connections_[index];
    if (!is_template(record.protocol) || record.control == 0) return close(index);
    connections_.refile(index, tick_after(context_.now, kHeldTemplate_s));
  });
}

template <Family F>
size_t Flows<F>::copy(ConnectionIndex& index, ConnectionIndex end, std::span<ConnectionView> rows,
                      Micros now) const {
  size_t count = 0;
  for (; index < end && count < rows.size(); index++) {
    if (!connections_.is_used(index)) continue;
    const Record& record = connections_[index];
    const int32_t left = std::max(0, ticks_between(tick_of(now), record.expires));
    const uint64_t left_ms = (uint64_t{static_cast<uint32_t>(left)} << kTickShift) / 1000;
    rows[count++] = {.family = F,
                     .protocol = static_cast<uint8_t>(record.protocol & ~kTemplateBit),
                     .state = static_cast<uint8_t>(record.state),
                     .client_port = record.client_port,
                     .virtual_port = record.virtual_port,
                     .destination_port = record.destination_port,
                     .expires_ms = static_cast<uint32_t>(std::min<uint64_t>(left_ms, UINT32_MAX)),
                     .is_nat = record.flags.is_nat,
                     .is_answered = record.flags.is_answered,
                     .standing = static_cast<uint8_t>(record.flags.standing),
                     .is_template = is_template(record.protocol),
                     .is_assured = record.flags.is_assured,
                     .client = record.client.unpacked(),
                     .virtual_address = record.virtual_address.unpacked(),
                     .destination = record.destination.unpacked()};
  }
  return count;
}

template class Flows<Family::kIpv4>;
template class Flows<Family::kIpv6>;

}  // namespace uvs

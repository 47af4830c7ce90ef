// The first packet of a connection: who serves it, and where its record and its expected replies find room. What a full
// table does is decided in room.cc.
#include <array>

#include "core/path/flows.h"

namespace uvs {

namespace {

// Servers that the choice under way leaves out, because the client's replies from them are another connection's.
class PassedOver {
 public:
  static constexpr size_t kMost = 8;

  PassedOver() = default;
  PassedOver(const PassedOver&) = delete;
  PassedOver& operator=(const PassedOver&) = delete;
  ~PassedOver() {
    for (size_t i = 0; i < count_; i++) states_[i]->is_passed_over = false;
  }
  // False: enough were tried.
  bool add(DestinationState& state) {
    if (count_ == kMost) return false;
    state.is_passed_over = true;
    states_[count_++] = &state;
    return true;
  }
  bool is_empty() const { return count_ == 0; }

 private:
  std::array<DestinationState*, kMost> states_{};
  size_t count_ = 0;
};

// The packet alone says whose it is, so that a connection can do without a record.
bool goes_by_packet(const ServiceSpec& service) {
  return service.scheduler->is_by_packet && service.persistence_timeout_s == 0;
}

}  // namespace

template <Family F>
void Flows<F>::open(Item& item) {
  const Service* service = item.service;
  item.decision = to_host();
  if (service == nullptr || service->key.is_draining) return;
  const bool is_persistent = service->key.persistence_timeout_s != 0;
  const bool is_opening = may_open(item.packet, context_.table->policy);
  // Perhaps one of a connection that found no room for a record.
  const bool may_lack_record =
      goes_by_packet(service->key) && context_.now < context_.recordless_until;
  if (!is_opening && !may_lack_record) return;
  if (!is_client_admitted(item)) return;

  ConnectionIndex held = is_persistent ? hold_valid_template(item) : kNoConnection;
  if (held == kNoConnection) {
    choose(item, is_opening, held);
  } else {
    open_with(item, *destination_of(connections_[held]).current, is_opening, held);
  }
  if (held != kNoConnection) release(held);
}

template <Family F>
void Flows<F>::choose(Item& item, bool is_opening, ConnectionIndex& held) {
  const Service& service = *item.service;
  TableStore& tables = context_.tables;
  SchedulerState& state = tables.service_state(service.slot).scheduler;
  const Choice choice{service, tables.destination_states(), state, item.packet, context_.now};
  PassedOver passed_over;
  while (const Destination* destination = service.key.scheduler->choose(choice)) {
    if (open_with(item, *destination, is_opening, held)) return;
    if (!passed_over.add(tables.destination_state(destination->slot))) return;
  }
  if (is_opening && passed_over.is_empty()) {
    item.decision = answer(Answer::kPortUnreachable, DropReason::kNoUsableDestination);
  }
}

// False: another connection of this client expects the same replies from the server; the decision is then to drop. A
// persistent service's connection is controlled by the template `held`; where that is none, one is made and held.
template <Family F>
bool Flows<F>::open_with(Item& item, const Destination& destination, bool is_opening,
                         ConnectionIndex& held) {
  const ParsedPacket& packet = item.packet;
  const Service& service = *item.service;
  Record record = record_of(item, destination);
  DestinationState& state = context_.tables.destination_state(destination.slot);
  if (!is_opening && record.flags.is_nat) return true;  // the host's
  const bool needs_template = service.key.persistence_timeout_s != 0 && held == kNoConnection;
  if (service.key.is_one_packet && packet.protocol == kProtocolUdp) {
    // Counted, forwarded and forgotten: the next datagram of this client is scheduled anew, and
    // replies are not ours to translate.
    if (needs_template) held = make_template(item, destination);
    pass(item, record, Direction::kRequest);
  } else {
    if ((packet.tcp_flags & tcp_flag::kRst) != 0 || !context_.room.make()) {
      if (goes_by_packet(service.key) && !record.flags.is_nat) {
        forward_without_record(item, record);
      } else {
        refuse(item, Limit::kConnections, DropReason::kConnectionTableFull);
      }
      return true;
    }
    const auto inserted = record.flags.is_nat ? expect_replies(record) : ReplyMap::Inserted::kDone;
    if (inserted == ReplyMap::Inserted::kTaken) {
      item.decision = drop(DropReason::kReplyTupleTaken);
      return false;
    }
    if (inserted == ReplyMap::Inserted::kFull) {
      refuse(item, Limit::kReplyMap, DropReason::kReplyMapFull);
      return true;
    }
    if (needs_template) {
      held = make_template(item, destination);
      if (held == kNoConnection || !context_.room.make()) {
        if (record.flags.is_nat) context_.replies.erase(context_.replies.key_of(reply_of(record)));
        refuse(item, Limit::kConnections, DropReason::kConnectionTableFull);
        return true;
      }
    }
    record.control = held;
    if (held != kNoConnection) hold(held);
    const ConnectionIndex index = connections_.insert(
        record, item.hash, tick_after(context_.now, timeout_s(record)), tick_of(context_.now));
    context_.room.count().add(1);
    state.bind();
    follow(item, index, Direction::kRequest, true);
  }
  state.traffic.connections.add(1);
  context_.tables.service_state(service.slot).traffic.connections.add(1);
  return true;
}

// The table has no room, and the packet alone says whose it is: its connection does without a record, until there is
// room when it sends again. What changes the servers meanwhile may move it.
template <Family F>
void Flows<F>::forward_without_record(Item& item, Record& record) {
  context_.recordless_until =
      context_.now + context_.timeouts.tcp(TcpState::kEstablished) * kMicrosPerSecond;
  context_.count(FlowEvent::kForwardedWithoutRecord);
  pass(item, record, Direction::kRequest);
}

template <Family F>
void Flows<F>::refuse(Item& item, Limit limit, DropReason reason) {
  context_.reached(limit);
  item.decision = drop(reason);
}

// The connection that the packet opens with `destination`, before its first packet.
template <Family F>
Connection<F> Flows<F>::record_of(const Item& item, const Destination& destination) const {
  const ParsedPacket& packet = item.packet;
  Record record{};
  record.client = PackedAddress<F>::of(packet.source);
  record.virtual_address = PackedAddress<F>::of(packet.destination);
  record.destination = PackedAddress<F>::of(destination.spec.address);
  record.client_port = packet.source_port;
  record.virtual_port = packet.destination_port;
  // A service of every port leaves the port as it is.
  const bool has_port = item.service->key.port != 0 && destination.spec.port != 0;
  record.destination_port = has_port ? destination.spec.port : packet.destination_port;
  record.protocol = packet.protocol;
  record.state = TcpState::kNone;
  record.hash = item.hash;
  record.destination_slot = destination.slot;
  record.flags.is_local = context_.tables.destination_state(destination.slot).is_local.get();
  record.flags.is_nat = is_translated(record, destination);
  return record;
}

template <Family F>
bool Flows<F>::is_translated(const Record& record, const Destination& destination) {
  if (destination.spec.method != ForwardingMethod::kNat) return false;
  if (!record.flags.is_local || record.destination_port != record.virtual_port) return true;
  return record.destination != record.virtual_address && !is_loopback(F, destination.spec.address);
}

// The replies of a NAT connection stand in the map that the kernel reads before its first packet is on its way. An older
// connection with the same replies gives way when it is closed; when the map has no room, whoever is not confirmed.
template <Family F>
ReplyMap::Inserted Flows<F>::expect_replies(const Record& record) {
  constexpr int kMostToEnd = 8;
  const ReplyTuple tuple = reply_of(record);
  const uint64_t key = context_.replies.key_of(tuple);
  ReplyMap::Inserted inserted = context_.replies.insert(key);
  if (inserted == ReplyMap::Inserted::kTaken) {
    const ConnectionIndex holder =
        connections_.find_reply(record.hash, tuple.client, tuple.client_port, tuple.server,
                                tuple.server_port, tuple.protocol);
    if (holder == kNoConnection || connections_[holder].flags.standing != Standing::kClosed) {
      return inserted;
    }
    context_.count(FlowEvent::kClosedGaveWay);
    close(holder);
    inserted = context_.replies.insert(key);
  }
  for (int ended = 0; inserted == ReplyMap::Inserted::kFull && ended < kMostToEnd; ended++) {
    if (!context_.room.end_one()) break;
    inserted = context_.replies.insert(key);
  }
  return inserted;
}

template <Family F>
ReplyTuple Flows<F>::reply_of(const Record& record) const {
  return {.family = F,
          .protocol = record.protocol,
          .server = record.destination.unpacked(),
          .server_port = record.destination_port,
          .client = record.client.unpacked(),
          .client_port = record.client_port};
}

// Members that are defined here; flows.cc has the others.
template void Flows<Family::kIpv4>::open(Item&);
template void Flows<Family::kIpv4>::choose(Item&, bool, ConnectionIndex&);
template bool Flows<Family::kIpv4>::open_with(Item&, const Destination&, bool, ConnectionIndex&);
template void Flows<Family::kIpv4>::forward_without_record(Item&, Record&);
template void Flows<Family::kIpv4>::refuse(Item&, Limit, DropReason);
template Connection<Family::kIpv4> Flows<Family::kIpv4>::record_of(const Item&, const Destination&) const;
template bool Flows<Family::kIpv4>::is_translated(const Record&, const Destination&);
template ReplyMap::Inserted Flows<Family::kIpv4>::expect_replies(const Record&);
template ReplyTuple Flows<Family::kIpv4>::reply_of(const Record&) const;
template void Flows<Family::kIpv6>::open(Item&);
template void Flows<Family::kIpv6>::choose(Item&, bool, ConnectionIndex&);
template bool Flows<Family::kIpv6>::open_with(Item&, const Destination&, bool, ConnectionIndex&);
template void Flows<Family::kIpv6>::forward_without_record(Item&, Record&);
template void Flows<Family::kIpv6>::refuse(Item&, Limit, DropReason);
template Connection<Family::kIpv6> Flows<Family::kIpv6>::record_of(const Item&, const Destination&) const;
template bool Flows<Family::kIpv6>::is_translated(const Record&, const Destination&);
template ReplyMap::Inserted Flows<Family::kIpv6>::expect_replies(const Record&);
template ReplyTuple Flows<Family::kIpv6>::reply_of(const Record&) const;

}  // namespace uvs

// Persistence: a template binds a client, or its network, to a server, and every new connection of it follows. It lives
// for the service's timeout after the last one, and as long as a connection that it controls, prolonged by a minute at a
// time. While one holds it, it never gives way; idle it does as a connection that is unconfirmed, or, once one of its
// connections was established (assured), closed.
#include "core/path/flows.h"

namespace uvs {

namespace {

// What a template whose server is not to be used is moved to, where no packet finds it: it is listed until it ends, as in
// the kernel.
constexpr uint16_t kAsidePort = 0xffff;

// Where no connection holds it: how much it has shown.
template <typename Record>
Standing idle_standing(const Record& record) {
  return record.flags.is_assured ? Standing::kClosed : Standing::kUnconfirmed;
}

IpAddress network_of(const IpAddress& address, unsigned prefix) {
  IpAddress network = address;
  for (unsigned i = 0; i < network.bytes.size(); i++) {
    const unsigned kept = prefix > i * 8 ? prefix - i * 8 : 0;
    if (kept < 8) network.bytes[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return network;
}

}  // namespace

// The template that a client of the service has, as far as it is named by that.
template <Family F>
Connection<F> Flows<F>::template_of(const Service& service, const IpAddress& client,
                                    const IpAddress& virtual_address) const {
  const IpAddress network = network_of(client, service.key.persistence_prefix);
  Record record{};
  record.client = PackedAddress<F>::of(network);
  record.virtual_address = PackedAddress<F>::of(virtual_address);
  record.virtual_port = service.key.port;
  record.protocol = service.key.protocol | kTemplateBit;
  record.hash = connections_.hash(network, 0, record.protocol);
  return record;
}

template <Family F>
ConnectionIndex Flows<F>::find_template(const Record& key) const {
  return connections_.find_request(key.hash, key.client.unpacked(), 0, key.virtual_address.unpacked(),
                                   key.virtual_port, key.protocol);
}

// The client's template, held and prolonged; none when it has none whose server may be used.
template <Family F>
ConnectionIndex Flows<F>::hold_valid_template(const Item& item) {
  const Service& service = *item.service;
  const ConnectionIndex index =
      find_template(template_of(service, item.packet.source, item.packet.destination));
  if (index == kNoConnection) return kNoConnection;
  if (is_void(connections_[index])) {
    set_aside(index);
    return kNoConnection;
  }
  hold(index);
  prolong(index, service.key.persistence_timeout_s);
  return index;
}

// A new template, held; none when there is no room.
template <Family F>
ConnectionIndex Flows<F>::make_template(const Item& item, const Destination& destination) {
  if (!context_.room.make()) return kNoConnection;
  Record record = template_of(*item.service, item.packet.source, item.packet.destination);
  record.destination = PackedAddress<F>::of(destination.spec.address);
  record.destination_port = destination.spec.port;
  record.destination_slot = destination.slot;
  record.control = 1;
  return insert_template(record, tick_after(context_.now, item.service->key.persistence_timeout_s));
}

template <Family F>
ConnectionIndex Flows<F>::insert_template(const Record& record, Tick expires) {
  Record made = record;
  made.flags.standing = made.control != 0 ? Standing::kConfirmed : idle_standing(made);
  const ConnectionIndex index =
      connections_.insert(made, made.hash, expires, tick_of(context_.now));
  context_.room.count().add(1);
  destination_of(made).bind_template();
  return index;
}

template <Family F>
void Flows<F>::hold(ConnectionIndex index) {
  if (connections_[index].control++ == 0) connections_.set_standing(index, Standing::kConfirmed);
}

template <Family F>
void Flows<F>::release(ConnectionIndex index) {
  Record& record = connections_[index];
  if (--record.control == 0) connections_.set_standing(index, idle_standing(record));
}

// Never shortens: the minutes that a connection has added stay.
template <Family F>
void Flows<F>::prolong(ConnectionIndex index, uint32_t timeout_s) {
  const Tick expires = tick_after(context_.now, timeout_s);
  if (ticks_between(connections_[index].expires, expires) > 0) connections_.renew(index, expires);
}

// Its server takes no new connections, of clients that it has had either.
template <Family F>
bool Flows<F>::is_void(const Record& record) const {
  switch (destination_of(record).presence) {
    case Presence::kGone:
    case Presence::kRemoved:
      return true;
    case Presence::kQuiesced:
      return context_.table->policy.expire_quiescent_template;
    case Presence::kServing:
      return false;
  }
  return true;
}

template <Family F>
void Flows<F>::set_aside(ConnectionIndex index) {
  connections_[index].virtual_port = connections_[index].destination_port = kAsidePort;
}

// A connection was established, or a datagram answered.
template <Family F>
void Flows<F>::assure(const Record& record) {
  if (record.control != kNoConnection) connections_[record.control].flags.is_assured = true;
}

// A template of another director. Its connections may have come before it, and made it.
template <Family F>
AdoptOutcome Flows<F>::adopt_template(const ConnectionView& view, const Service& service,
                                      const Destination& destination) {
  if (view.virtual_port != service.key.port || service.key.persistence_timeout_s == 0) {
    return AdoptOutcome::kNoService;
  }
  Record record = template_of(service, view.client, view.virtual_address);
  record.destination = PackedAddress<F>::of(view.destination);
  record.destination_port = view.destination_port;
  record.destination_slot = destination.slot;
  record.flags.is_assured = view.is_assured;
  const Tick expires = tick_after_ms(context_.now, view.expires_ms);
  const ConnectionIndex known = find_template(record);
  if (known != kNoConnection && connections_[known].destination_slot == destination.slot) {
    Record& made = connections_[known];
    made.flags.is_assured = made.flags.is_assured || view.is_assured;
    connections_.renew(known, expires);
    return AdoptOutcome::kAdopted;
  }
  if (known != kNoConnection) set_aside(known);  // by a connection from before the client was moved
  if (!context_.room.make()) return AdoptOutcome::kNoRoom;
  insert_template(record, expires);
  return AdoptOutcome::kAdopted;
}

// The template of a connection of another director, held for it; none when the service has no persistence, the client
// another server by now, or there is no room.
template <Family F>
ConnectionIndex Flows<F>::adopt_control(const ConnectionView& view, const Service& service,
                                        const Destination& destination) {
  if (service.key.persistence_timeout_s == 0) return kNoConnection;
  Record record = template_of(service, view.client, view.virtual_address);
  const ConnectionIndex known = find_template(record);
  if (known != kNoConnection) {
    if (connections_[known].destination_slot != destination.slot) return kNoConnection;
    hold(known);
    return known;
  }
  if (!context_.room.make()) return kNoConnection;
  record.destination = PackedAddress<F>::of(view.destination);
  record.destination_port = destination.spec.port;
  record.destination_slot = destination.slot;
  record.control = 1;
  return insert_template(record, tick_after(context_.now, service.key.persistence_timeout_s));
}

// Members that are defined here; flows.cc has the others.
template Connection<Family::kIpv4> Flows<Family::kIpv4>::template_of(const Service&, const IpAddress&, const IpAddress&) const;
template ConnectionIndex Flows<Family::kIpv4>::find_template(const Record&) const;
template ConnectionIndex Flows<Family::kIpv4>::hold_valid_template(const Item&);
template ConnectionIndex Flows<Family::kIpv4>::make_template(const Item&, const Destination&);
template ConnectionIndex Flows<Family::kIpv4>::insert_template(const Record&, Tick);
template void Flows<Family::kIpv4>::hold(ConnectionIndex);
template void Flows<Family::kIpv4>::release(ConnectionIndex);
template void Flows<Family::kIpv4>::prolong(ConnectionIndex, uint32_t);
template bool Flows<Family::kIpv4>::is_void(const Record&) const;
template void Flows<Family::kIpv4>::set_aside(ConnectionIndex);
template void Flows<Family::kIpv4>::assure(const Record&);
template AdoptOutcome Flows<Family::kIpv4>::adopt_template(const ConnectionView&, const Service&, const Destination&);
template ConnectionIndex Flows<Family::kIpv4>::adopt_control(const ConnectionView&, const Service&, const Destination&);
template Connection<Family::kIpv6> Flows<Family::kIpv6>::template_of(const Service&, const IpAddress&, const IpAddress&) const;
template ConnectionIndex Flows<Family::kIpv6>::find_template(const Record&) const;
template ConnectionIndex Flows<Family::kIpv6>::hold_valid_template(const Item&);
template ConnectionIndex Flows<Family::kIpv6>::make_template(const Item&, const Destination&);
template ConnectionIndex Flows<Family::kIpv6>::insert_template(const Record&, Tick);
template void Flows<Family::kIpv6>::hold(ConnectionIndex);
template void Flows<Family::kIpv6>::release(ConnectionIndex);
template void Flows<Family::kIpv6>::prolong(ConnectionIndex, uint32_t);
template bool Flows<Family::kIpv6>::is_void(const Record&) const;
template void Flows<Family::kIpv6>::set_aside(ConnectionIndex);
template void Flows<Family::kIpv6>::assure(const Record&);
template AdoptOutcome Flows<Family::kIpv6>::adopt_template(const ConnectionView&, const Service&, const Destination&);
template ConnectionIndex Flows<Family::kIpv6>::adopt_control(const ConnectionView&, const Service&, const Destination&);

}  // namespace uvs

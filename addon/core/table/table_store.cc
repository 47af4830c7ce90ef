// Building one generation out of a specification and the generation before: what did not change is
// shared, what changed is listed for the worker, what left keeps its slot until it is unused.
#include "core/table/table_store.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

namespace uvs {

namespace {

SlotOwner owner_of(const ServiceSpec& service) {
  return {.scope = uint64_t{service.protocol} << 8 | static_cast<uint8_t>(service.family),
          .address = service.address,
          .port = service.port};
}

SlotOwner owner_of(ServiceSlot service, const DestinationSpec& destination) {
  return {.scope = service, .address = destination.address, .port = destination.port};
}

struct EndpointHash {
  size_t operator()(const DestinationSpec* d) const {
    return service_hash(0, d->family, d->address, d->port);
  }
  size_t operator()(const ServiceSpec* s) const {
    return service_hash(s->protocol, s->family, s->address, s->port);
  }
};
struct SameEndpoint {
  bool operator()(const DestinationSpec* a, const DestinationSpec* b) const {
    return a->address == b->address && a->port == b->port;
  }
  bool operator()(const ServiceSpec* a, const ServiceSpec* b) const {
    return a->address == b->address && a->port == b->port && a->protocol == b->protocol &&
           a->family == b->family;
  }
};

bool has_same_destinations(const ServiceSpec& spec, const Service& service) {
  return std::ranges::equal(spec.destinations, service.destinations, {}, {}, &Destination::spec);
}

bool has_same_settings(const ServiceSpec& spec, const Service& service) {
  const ServiceSpec& key = service.key;
  return spec.scheduler == key.scheduler && spec.scheduler_flags == key.scheduler_flags &&
         spec.is_one_packet == key.is_one_packet &&
         spec.persistence_timeout_s == key.persistence_timeout_s &&
         spec.persistence_prefix == key.persistence_prefix &&
         spec.is_draining == key.is_draining && spec.is_standby == key.is_standby;
}

Traffic read(const TrafficState& state) {
  return {.connections = state.connections.get(),
          .in_packets = state.in_packets.get(),
          .out_packets = state.out_packets.get(),
          .in_bytes = state.in_bytes.get(),
          .out_bytes = state.out_bytes.get()};
}

Traffic operator-(const Traffic& a, const Traffic& b) {
  return {.connections = a.connections - b.connections,
          .in_packets = a.in_packets - b.in_packets,
          .out_packets = a.out_packets - b.out_packets,
          .in_bytes = a.in_bytes - b.in_bytes,
          .out_bytes = a.out_bytes - b.out_bytes};
}

// Those of the generation before as long as nobody has changed them.
std::shared_ptr<const ClientRules> clients_of(const TableSpec& spec, const ForwardingTable& last) {
  if (spec.clients.empty()) return nullptr;
  if (last.clients && std::ranges::equal(spec.clients, last.clients->prefixes())) return last.clients;
  return std::make_shared<const ClientRules>(spec.clients);
}

}  // namespace

const char* text(PublishError error) {
  switch (error) {
    case PublishError::kNone:
      return "published";
    case PublishError::kTooManyServices:
      return "more services than the data plane has room for (65,536)";
    case PublishError::kTooManyDestinations:
      return "more destinations than the data plane has room for (1,048,576, removed ones with "
             "connections included)";
    case PublishError::kDuplicateService:
      return "two services have the same protocol, address and port";
    case PublishError::kDuplicateDestination:
      return "two destinations of a service have the same address and port";
    case PublishError::kMixedFamilies:
      return "a destination is not of its service's address family";
    case PublishError::kWeightTooLarge:
      return "a weight is above 65535";
    case PublishError::kTooManyClientPrefixes:
      return "more prefixes of clients than the data plane has room for (65,536)";
    case PublishError::kEveryPort:
      return "a service of every port (port 0) has no persistence timeout";
  }
  return "";
}

TableStore::TableStore(PrepareService prepare)
    : prepare_(prepare),
      service_states_(kMaxServices),
      destination_states_(kMaxDestinations) {
  tables_.push_back(std::make_unique<ForwardingTable>());
}

TableStore::~TableStore() = default;

Published TableStore::publish(const TableSpec& spec) {
  reclaim();
  free_retired();
  if (const PublishError error = check(spec); error != PublishError::kNone) return {.error = error};

  ForwardingTable& last = *tables_.back();
  auto table = std::make_unique<ForwardingTable>();
  table->generation = last.generation + 1;
  table->policy = spec.policy;
  table->clients = clients_of(spec, last);
  table->services.reserve(spec.services.size());
  std::vector<bool> is_kept(in_force_.size() + spec.services.size());
  for (const ServiceSpec& service_spec : spec.services) {
    const ServiceSlot slot = service_slot(service_spec);
    std::shared_ptr<const Service>& current = in_force_[slot];
    is_kept[slot] = true;
    const bool is_same_list = current && has_same_destinations(service_spec, *current);
    if (!is_same_list || !has_same_settings(service_spec, *current)) {
      auto service = build(service_spec, slot, current.get());
      table->changes.push_back({slot, current.get(), service.get(), !is_same_list});
      if (current) retire(*current, service.get(), table->generation);
      current = std::move(service);
    }
    table->services.push_back(current);
  }
  for (const auto& service : last.services) {
    if (is_kept[service->slot]) continue;
    table->changes.push_back({service->slot, service.get(), nullptr, true});
    retire(*service, nullptr, table->generation);
    in_force_[service->slot].reset();  // `last` still holds it
  }
  index_services(*table);

  const ForwardingTable* published = table.get();
  tables_.push_back(std::move(table));
  last.next.store(published, std::memory_order_release);
  return {.generation = published->generation};
}

// Everything that could fail is asked here, so that publish() changes all or nothing.
PublishError TableStore::check(const TableSpec& spec) const {
  if (spec.clients.size() > kMaxClientPrefixes) return PublishError::kTooManyClientPrefixes;
  std::unordered_set<const ServiceSpec*, EndpointHash, SameEndpoint> services;
  std::unordered_set<const DestinationSpec*, EndpointHash, SameEndpoint> destinations;
  size_t new_services = 0, new_destinations = 0;
  for (const ServiceSpec& service : spec.services) {
    if (!services.insert(&service).second) return PublishError::kDuplicateService;
    if (service.port == 0 && service.persistence_timeout_s == 0) return PublishError::kEveryPort;
    const ServiceSlot slot = services_.find(owner_of(service));
    if (slot == kNoSlot) new_services++;
    if (slot != kNoSlot && in_force_[slot] && has_same_destinations(service, *in_force_[slot])) {
      continue;
    }
    destinations.clear();
    for (const DestinationSpec& destination : service.destinations) {
      if (destination.family != service.family) return PublishError::kMixedFamilies;
      if (destination.weight > kMaxWeight) return PublishError::kWeightTooLarge;
      if (!destinations.insert(&destination).second) return PublishError::kDuplicateDestination;
      if (slot == kNoSlot || destinations_.find(owner_of(slot, destination)) == kNoSlot) {
        new_destinations++;
      }
    }
  }
  if (new_services > services_.room()) return PublishError::kTooManyServices;
  if (new_destinations > destinations_.room()) return PublishError::kTooManyDestinations;
  return PublishError::kNone;
}

// The service's slot. One that comes into the table begins with traffic 0, as in the kernel.
ServiceSlot TableStore::service_slot(const ServiceSpec& spec) {
  const SlotOwner owner = owner_of(spec);
  ServiceSlot slot = services_.find(owner);
  if (slot != kNoSlot && in_force_[slot]) return slot;
  if (slot == kNoSlot) {
    slot = services_.take(owner);
    if (slot == in_force_.size()) {
      in_force_.emplace_back();
      slot_count_.push_back(0);
      service_zero_.emplace_back();
    }
  }
  services_.revive(slot);
  service_zero_[slot] = read(service_states_[slot].traffic);
  return slot;
}

std::shared_ptr<const Service> TableStore::build(const ServiceSpec& spec, ServiceSlot slot,
                                                 const Service* before) {
  auto service = std::make_shared<Service>();
  service->key = spec;
  service->key.destinations = {};
  service->slot = slot;
  service->destinations.reserve(spec.destinations.size());
  for (const DestinationSpec& destination : spec.destinations) {
    const SlotOwner owner = owner_of(slot, destination);
    DestinationSlot place = destinations_.find(owner);
    const bool is_new = place == kNoSlot;
    if (is_new) {
      place = destinations_.take(owner);
      if (place == destination_zero_.size()) {
        destination_zero_.emplace_back();
        last_weight_.push_back(0);
      }
      slot_count_[slot]++;
    }
    destinations_.revive(place);
    if (is_new || before == nullptr) {
      destination_zero_[place] = read(destination_states_[place].traffic);
    }
    if (is_new || destination.weight > 0) last_weight_[place] = destination.weight;
    if (destination.is_removed) last_weight_[place] = 0;
    service->destinations.push_back({destination, place, last_weight_[place]});
  }
  prepare_(*service, before);
  return service;
}

// Whatever `before` had and `after` (null: the service is gone) has not.
void TableStore::retire(const Service& before, const Service* after, uint64_t generation) {
  std::unordered_set<DestinationSlot> kept;
  if (after != nullptr) {
    for (const Destination& destination : after->destinations) kept.insert(destination.slot);
  }
  for (const Destination& destination : before.destinations) {
    if (kept.contains(destination.slot)) continue;
    destinations_.retire(owner_of(before.slot, destination.spec), destination.slot, generation);
  }
  if (after == nullptr) services_.retire(owner_of(before.key), before.slot, generation);
}

// A destination's slot is free once the worker has seen it leave (so no connection can be added)
// and the last connection is gone; a service's once all its destinations' are.
void TableStore::free_retired() {
  destinations_.free_retired(adopted(), [&](DestinationSlot slot, const SlotOwner& owner) {
    if (destination_states_[slot].references.get() != 0) return false;
    slot_count_[owner.scope]--;
    return true;
  });
  services_.free_retired(
      adopted(), [&](ServiceSlot slot, const SlotOwner&) { return slot_count_[slot] == 0; });
}

void TableStore::index_services(ForwardingTable& table) {
  if (table.services.empty()) return;
  table.index.resize(std::bit_ceil(table.services.size() * 2));
  table.address_index.resize(table.index.size());
  const size_t mask = table.index.size() - 1;
  const auto enter = [mask](std::vector<ForwardingTable::IndexEntry>& index, uint32_t hash,
                            uint32_t place) {
    size_t i = hash & mask;
    while (index[i].place != 0) i = (i + 1) & mask;
    index[i] = {hash, place + 1};
  };
  for (uint32_t place = 0; place < table.services.size(); place++) {
    const ServiceSpec& key = table.services[place]->key;
    enter(table.index, service_hash(key.protocol, key.family, key.address, key.port), place);
    if (key.port == 0) table.has_every_port = true;
    if (key.is_standby || table.has_address(key.family, key.address)) continue;
    enter(table.address_index, service_hash(0, key.family, key.address, 0), place);
  }
}

void TableStore::reclaim() {
  // The adopted table itself is in use, and its `before` pointers are no longer.
  while (tables_.size() > 1 && tables_.front()->generation < adopted()) tables_.pop_front();
}

Traffic TableStore::service_traffic(ServiceSlot slot) const {
  return read(service_states_[slot].traffic) - service_zero_[slot];
}

DestinationCounters TableStore::destination_counters(DestinationSlot slot) const {
  const DestinationState& state = destination_states_[slot];
  return {.active = state.active.get(),
          .inactive = state.inactive.get(),
          .persistent = state.persistent.get(),
          .is_overloaded = state.is_overloaded.get(),
          .is_local = state.is_local.get(),
          .traffic = read(state.traffic) - destination_zero_[slot]};
}

void TableStore::zero_traffic() {
  for (ServiceSlot slot = 0; slot < service_zero_.size(); slot++) {
    service_zero_[slot] = read(service_states_[slot].traffic);
  }
  for (DestinationSlot slot = 0; slot < destination_zero_.size(); slot++) {
    destination_zero_[slot] = read(destination_states_[slot].traffic);
  }
}

}  // namespace uvs

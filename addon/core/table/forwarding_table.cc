// Finding a service by its address. The hash needs no secret: what it spreads are our own services,
// and a packet can at worst walk one short run of the half-empty index.
#include "core/table/forwarding_table.h"

namespace uvs {

uint32_t service_hash(uint8_t protocol, Family family, const IpAddress& address, uint16_t port) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  const uint64_t ends =
      uint64_t{port} | uint64_t{protocol} << 16 | uint64_t{static_cast<uint8_t>(family)} << 24;
  uint64_t hash = ends * kMultiplier;
  hash = ((hash >> 32) ^ hash ^ load<uint64_t>(address.bytes.data())) * kMultiplier;
  hash = ((hash >> 32) ^ hash ^ load<uint64_t>(address.bytes.data() + 8)) * kMultiplier;
  return static_cast<uint32_t>(hash >> 32);
}

const Service* ForwardingTable::find(uint8_t protocol, Family family, const IpAddress& address,
                                     uint16_t port) const {
  if (index.empty()) return nullptr;
  if (const Service* service = find_exactly(protocol, family, address, port)) return service;
  return has_every_port ? find_exactly(protocol, family, address, 0) : nullptr;
}

const Service* ForwardingTable::find_exactly(uint8_t protocol, Family family, const IpAddress& address,
                                             uint16_t port) const {
  const size_t mask = index.size() - 1;
  const uint32_t hash = service_hash(protocol, family, address, port);
  for (size_t i = hash & mask; index[i].place != 0; i = (i + 1) & mask) {
    if (index[i].hash != hash) continue;
    const Service& service = *services[index[i].place - 1];
    const ServiceSpec& key = service.key;
    if (key.address == address && key.port == port && key.protocol == protocol &&
        key.family == family) {
      return &service;
    }
  }
  return nullptr;
}

bool ForwardingTable::has_address(Family family, const IpAddress& address) const {
  if (address_index.empty()) return false;
  const size_t mask = address_index.size() - 1;
  const uint32_t hash = service_hash(0, family, address, 0);
  for (size_t i = hash & mask; address_index[i].place != 0; i = (i + 1) & mask) {
    if (address_index[i].hash != hash) continue;
    const ServiceSpec& key = services[address_index[i].place - 1]->key;
    if (key.address == address && key.family == family) return true;
  }
  return false;
}

}  // namespace uvs

// One generation of the forwarding table: immutable once published, read by the worker without
// locks. A Service that did not change is the same object in the next generation, so pointers to it
// stay good.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/net/address.h"
#include "core/table/client_rules.h"
#include "core/table/table_spec.h"

namespace uvs {

// Stable numbers of a service and of a destination of it: the same over all generations that have
// it.
using ServiceSlot = uint32_t;
using DestinationSlot = uint32_t;
inline constexpr uint32_t kNoSlot = 0xffffffff;

inline constexpr uint32_t kMaxWeight = 65'535;
inline constexpr uint32_t kMaxServices = 65'536;
inline constexpr uint32_t kMaxDestinations =
    1'048'576;  // those whose last connections run out included
inline constexpr uint32_t kMaxClientPrefixes = 65'536;

struct Destination {
  DestinationSpec spec;
  DestinationSlot slot = kNoSlot;
  uint32_t last_weight = 0;  // its weight, or, while that is 0, the last one above 0; 0 when it left the configuration
};

// What a scheduler computes ahead on the control thread; each uses what it needs.
struct SchedulerPlan {
  uint32_t weight_step = 1;       // wrr: greatest common divisor of the weights above 0
  uint32_t weight_top = 0;        // wrr: the level that a turn begins at; 0: nobody may be chosen
  std::vector<uint32_t> buckets;  // sh, mh, dh: index into Service::destinations
};

// What a scheduler remembers beyond SchedulerState. The worker's own while any table has it.
struct SchedulerMemory {
  virtual ~SchedulerMemory() = default;
};

struct Service {
  ServiceSpec key;  // everything but the destinations
  ServiceSlot slot = kNoSlot;
  std::vector<Destination> destinations;  // in the scheduler's order of visit
  SchedulerPlan plan;
  std::shared_ptr<SchedulerMemory> memory;  // the same object as long as the service keeps its scheduler
};

// What one generation changed in one service. `before` is null for a new service, `after` for a
// removed one.
struct ServiceChange {
  ServiceSlot slot = kNoSlot;
  const Service* before = nullptr;
  const Service* after = nullptr;
  bool has_new_destinations = false;  // their list, order, weights or anything else about them
};

class ForwardingTable {
 public:
  // Null when (protocol, address, port) is no service; one of every port gives way to one of that port. One or two cache
  // lines; no allocation.
  const Service* find(uint8_t protocol, Family family, const IpAddress& address,
                      uint16_t port) const;
  // Is it the virtual address of a service that is active here, whatever the protocol and port?
  bool has_address(Family family, const IpAddress& address) const;

  uint64_t generation = 0;
  Policy policy;
  std::shared_ptr<const ClientRules> clients;  // null: every client may open connections
  std::vector<std::shared_ptr<const Service>> services;  // in the order of the TableSpec
  std::vector<ServiceChange> changes;                    // against the generation before
  // Open addressing, at most half full, a power of two in length; empty when there are no services.
  struct IndexEntry {
    uint32_t hash = 0;
    uint32_t place = 0;  // in `services`, + 1; 0: free
  };
  std::vector<IndexEntry> index;
  bool has_every_port = false;            // some service is of every port
  std::vector<IndexEntry> address_index;  // likewise: one entry for each address
  // The generation after this one; the worker walks them one by one, so that no change escapes a
  // scheduler.
  std::atomic<const ForwardingTable*> next = nullptr;

 private:
  const Service* find_exactly(uint8_t protocol, Family family, const IpAddress& address, uint16_t port) const;
};

uint32_t service_hash(uint8_t protocol, Family family, const IpAddress& address, uint16_t port);

}  // namespace uvs

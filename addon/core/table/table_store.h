// Makes forwarding tables and keeps them until no worker reads them any more. Hands out the slots,
// so that a service and a destination keep counters, connections and the scheduler's place over
// generations.
// Control side: one thread at a time (the caller locks). The worker only walks
// ForwardingTable::next, writes the slot states and reports what it has taken up.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/net/reserved_array.h"
#include "core/table/forwarding_table.h"
#include "core/table/slot_registry.h"
#include "core/table/slot_state.h"
#include "core/table/table_spec.h"

namespace uvs {

enum class PublishError : uint8_t {
  kNone,
  kTooManyServices,      // above kMaxServices
  kTooManyDestinations,  // above kMaxDestinations
  kDuplicateService,
  kDuplicateDestination,
  kMixedFamilies,   // a destination of the other family than its service
  kWeightTooLarge,  // above kMaxWeight
  kTooManyClientPrefixes,  // above kMaxClientPrefixes
  kEveryPort,              // a service of every port without persistence
};
const char* text(PublishError error);

struct [[nodiscard]] Published {
  uint64_t generation = 0;
  PublishError error = PublishError::kNone;
  bool ok() const { return error == PublishError::kNone; }
};

struct Traffic {
  uint64_t connections = 0, in_packets = 0, out_packets = 0, in_bytes = 0, out_bytes = 0;
};

struct DestinationCounters {
  uint32_t active = 0, inactive = 0, persistent = 0;
  bool is_overloaded = false;
  bool is_local = false;
  Traffic traffic;
};

class TableStore {
 public:
  // Sets the plan and the memory of a service that follows `before` (null: it is new).
  using PrepareService = void (*)(Service& service, const Service* before);

  explicit TableStore(PrepareService prepare);
  ~TableStore();
  TableStore(const TableStore&) = delete;
  TableStore& operator=(const TableStore&) = delete;

  // False when the address space for the slots could not be had.
  bool is_ready() const { return service_states_.is_ready() && destination_states_.is_ready(); }

  // --- control side ------------------------------------------------------------------------------

  // Puts a complete table in force for the worker's next turn. On an error nothing has changed.
  // Cost: proportional to the table for comparing and indexing, to what changed for all else.
  Published publish(const TableSpec& spec);

  // The table published last: its order and slots are those to read counters with.
  const ForwardingTable& newest() const { return *tables_.back(); }
  // The generation that the worker has taken up. Any thread.
  uint64_t adopted() const { return adopted_.load(std::memory_order_acquire); }

  Traffic service_traffic(ServiceSlot slot) const;
  DestinationCounters destination_counters(DestinationSlot slot) const;
  // Sets the traffic of everything to 0 as the readers above see it.
  void zero_traffic();

  // Frees tables that no worker can read any more; publish() does it too.
  void reclaim();

  // --- worker ------------------------------------------------------------------------------------

  // The empty table that everything begins with, generation 0; good until another was adopted.
  const ForwardingTable& first() const { return *tables_.front(); }
  void report_adopted(uint64_t generation) {
    adopted_.store(generation, std::memory_order_release);
  }
  ServiceState& service_state(ServiceSlot slot) { return service_states_[slot]; }
  DestinationState& destination_state(DestinationSlot slot) { return destination_states_[slot]; }
  std::span<const DestinationState> destination_states() { return destination_states_.span(); }

 private:
  PublishError check(const TableSpec& spec) const;
  ServiceSlot service_slot(const ServiceSpec& spec);
  std::shared_ptr<const Service> build(const ServiceSpec& spec, ServiceSlot slot,
                                       const Service* before);
  void retire(const Service& before, const Service* after, uint64_t generation);
  void free_retired();
  static void index_services(ForwardingTable& table);

  const PrepareService prepare_;
  ReservedArray<ServiceState> service_states_;
  ReservedArray<DestinationState> destination_states_;
  std::deque<std::unique_ptr<ForwardingTable>> tables_;  // oldest first, back() is the newest
  std::atomic<uint64_t> adopted_ = 0;

  SlotRegistry services_{kMaxServices};
  SlotRegistry destinations_{kMaxDestinations};
  // By service slot: what is in force (null: not in the table), and how many destination slots it
  // has, those whose last connections run out included.
  std::vector<std::shared_ptr<const Service>> in_force_;
  std::vector<uint32_t> slot_count_;
  std::vector<uint32_t> last_weight_;  // by destination slot: Destination::last_weight
  // By slot: what zero_traffic() and a new owner of the slot have taken off.
  std::vector<Traffic> service_zero_, destination_zero_;
};

}  // namespace uvs

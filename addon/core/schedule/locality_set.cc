// lblcr: the packets to one address go to the least loaded of its set of servers. When that has too much while another
// server has little, the one that wlc would take joins the set; a set that has not changed for a day loses its most
// loaded member.
#include "core/schedule/least.h"
#include "core/schedule/locality_table.h"

namespace uvs {

namespace {

constexpr Micros kSteady = 24 * 3600 * kMicrosPerSecond;

// Of the entry's usable members the least loaded, the first of equals.
const Destination* least_of(const Choice& choice, const LocalityTable& table, const LocalityTable::Entry& entry) {
  const Destination* best = nullptr;
  table.for_each_member(entry, [&](DestinationSlot slot) {
    const DestinationState& state = choice.states[slot];
    if (state.current == nullptr || !state.is_usable()) return;
    if (best == nullptr || is_less_loaded(state.overhead(), state.current->spec.weight,
                                          choice.states[best->slot].overhead(), best->spec.weight)) {
      best = state.current;
    }
  });
  return best;
}

// Of those with a weight the most loaded, the first of equals.
const Destination* most_of(const Choice& choice, const LocalityTable& table, const LocalityTable::Entry& entry) {
  const Destination* worst = nullptr;
  table.for_each_member(entry, [&](DestinationSlot slot) {
    const DestinationState& state = choice.states[slot];
    if (state.current == nullptr || state.current->spec.weight == 0) return;
    if (worst == nullptr || is_less_loaded(choice.states[worst->slot].overhead(), worst->spec.weight,
                                           state.overhead(), state.current->spec.weight)) {
      worst = state.current;
    }
  });
  return worst;
}

const Destination* choose(const Choice& choice) {
  auto* table = static_cast<LocalityTable*>(choice.service.memory.get());
  if (table == nullptr) return least_loaded(choice, overhead_of);
  const IpAddress& address = choice.packet.destination;
  LocalityTable::Entry* entry = table->find(address, choice.now);
  if (entry != nullptr) {
    const Destination* best = least_of(choice, *table, *entry);
    if (entry->member_count > 1 && choice.now - entry->changed_at > kSteady) {
      if (const Destination* worst = most_of(choice, *table, *entry)) {
        table->remove_members(*entry, choice.now, [&](DestinationSlot slot) { return slot == worst->slot; });
      }
    }
    if (best != nullptr && !has_too_much(choice, *best)) return best;
  }
  const Destination* best = least_loaded(choice, overhead_of);
  if (best == nullptr) return nullptr;
  if (entry == nullptr) entry = &table->add(address, choice.now);
  table->add_member(*entry, best->slot, choice.now);
  return best;
}

}  // namespace

extern const Scheduler kLocalitySetScheduler = {
    .name = "lblcr", .choose = choose, .make_memory = make_locality_table, .adopt = adopt_locality_table};

}  // namespace uvs

// lblc: the packets to one address go to one server, for the sake of its cache, until that has too much while another has
// little; then, and at first, as wlc. As in the kernel, an upper threshold does not move an address that has a server.
#include "core/schedule/least.h"
#include "core/schedule/locality_table.h"

namespace uvs {

namespace {

const Destination* choose(const Choice& choice) {
  auto* table = static_cast<LocalityTable*>(choice.service.memory.get());
  if (table == nullptr) return least_loaded(choice, overhead_of);
  const IpAddress& address = choice.packet.destination;
  LocalityTable::Entry* entry = table->find(address, choice.now);
  const Destination* last = nullptr;
  if (entry != nullptr) {
    table->for_each_member(*entry, [&](DestinationSlot slot) { last = choice.states[slot].current; });
    const bool has_taken = last != nullptr && last->spec.weight > 0 && !choice.states[last->slot].is_passed_over;
    if (has_taken && !has_too_much(choice, *last)) return last;
  }
  const Destination* best = least_loaded(choice, overhead_of);
  if (best == nullptr) return nullptr;
  if (entry == nullptr) entry = &table->add(address, choice.now);
  table->remove_members(*entry, choice.now, [](DestinationSlot) { return true; });
  table->add_member(*entry, best->slot, choice.now);
  return best;
}

}  // namespace

extern const Scheduler kLocalityScheduler = {
    .name = "lblc", .choose = choose, .make_memory = make_locality_table, .adopt = adopt_locality_table};

}  // namespace uvs

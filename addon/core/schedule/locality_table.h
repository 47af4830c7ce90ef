// What lblc and lblcr remember: which servers the packets to an address have had. A fixed number of addresses; the one
// that was asked for least recently gives way. Servers are named by their slots, and leave with them (drop_gone).
#pragma once

#include <cstdint>

#include "core/net/reserved_array.h"
#include "core/schedule/scheduler.h"

namespace uvs {

class LocalityTable final : public SchedulerMemory {
 public:
  // As many as the kernel lets grow before it trims (16 for each of its 1,024 buckets); with four servers each.
  static constexpr uint32_t kMaxAddresses = 16'384, kMaxMembers = 4 * kMaxAddresses;
  // An address that nobody asked for so long is a new one (lblc_expiration, lblcr_expiration).
  static constexpr Micros kIdle = 24 * 3600 * kMicrosPerSecond;

  // 0: none.
  using Place = uint32_t;
  struct Entry {
    IpAddress address;
    Place chain_next, newer, older;
    uint32_t first_member, member_count;
    Micros asked_at, changed_at;  // `changed_at`: its members
  };

  LocalityTable() : entries_(kMaxAddresses + 1), members_(kMaxMembers + 1), buckets_(kMaxAddresses) {}

  bool is_ready() const { return entries_.is_ready() && members_.is_ready() && buckets_.is_ready(); }
  uint32_t count() const { return count_; }

  // The address's entry, asked for at `now`; null when it has none.
  Entry* find(const IpAddress& address, Micros now) {
    const Place place = place_of(address);
    if (place == 0) return nullptr;
    Entry& entry = entries_[place];
    if (now - entry.asked_at > kIdle) {
      erase(place);
      return nullptr;
    }
    unlink(place);
    link(place, now);
    return &entry;
  }

  // A new entry without members for an address that has none.
  Entry& add(const IpAddress& address, Micros now) {
    if (count_ == kMaxAddresses) erase(oldest_);
    const Place place = take(entries_, free_entry_, entry_bound_, &Entry::chain_next);
    count_++;
    Place& head = buckets_[bucket_of(address)];
    entries_[place] = {.address = address, .chain_next = head, .newer = 0, .older = 0, .first_member = 0,
                       .member_count = 0, .asked_at = now, .changed_at = now};
    head = place;
    link(place, now);
    return entries_[place];
  }

  // Puts `slot` before the entry's members, unless it is one. For want of room others give up their address.
  void add_member(Entry& entry, DestinationSlot slot, Micros now) {
    for (Place i = entry.first_member; i != 0; i = members_[i].next) {
      if (members_[i].slot == slot) return;
    }
    while (free_member_ == 0 && member_bound_ > kMaxMembers && &entries_[oldest_] != &entry) erase(oldest_);
    if (free_member_ == 0 && member_bound_ > kMaxMembers) return;  // all are its own
    const Place place = take(members_, free_member_, member_bound_, &Member::next);
    members_[place] = {slot, entry.first_member};
    entry.first_member = place;
    entry.member_count++;
    entry.changed_at = now;
  }

  // Removes the members for which `is_out(slot)`.
  template <typename IsOut>
  void remove_members(Entry& entry, Micros now, IsOut is_out) {
    for (Place* link = &entry.first_member; *link != 0;) {
      const Place place = *link;
      if (!is_out(members_[place].slot)) {
        link = &members_[place].next;
        continue;
      }
      *link = members_[place].next;
      members_[place].next = free_member_;
      free_member_ = place;
      entry.member_count--;
      entry.changed_at = now;
    }
  }

  // The newest first.
  template <typename Visit>
  void for_each_member(const Entry& entry, Visit visit) const {
    for (Place i = entry.first_member; i != 0; i = members_[i].next) visit(members_[i].slot);
  }

  // Servers that left the table are nobody's: their slots may become others'.
  void drop_gone(DestinationStates states) {
    for (Place i = newest_; i != 0; i = entries_[i].older) {
      remove_members(entries_[i], entries_[i].changed_at,
                     [&](DestinationSlot slot) { return states[slot].current == nullptr; });
    }
  }

 private:
  struct Member {
    DestinationSlot slot;
    Place next;
  };

  static size_t bucket_of(const IpAddress& address) {
    return service_hash(0, Family::kIpv6, address, 0) % kMaxAddresses;
  }

  Place place_of(const IpAddress& address) const {
    Place place = buckets_[bucket_of(address)];
    while (place != 0 && entries_[place].address != address) place = entries_[place].chain_next;
    return place;
  }

  // The caller sees to it that there is room.
  template <typename T>
  static Place take(ReservedArray<T>& all, Place& free, Place& bound, Place T::* next) {
    if (free == 0) return bound++;
    const Place place = free;
    free = all[place].*next;
    return place;
  }

  void link(Place place, Micros now) {
    Entry& entry = entries_[place];
    entry.asked_at = now;
    entry.newer = 0;
    entry.older = newest_;
    (newest_ != 0 ? entries_[newest_].newer : oldest_) = place;
    newest_ = place;
  }

  void unlink(Place place) {
    const Entry& entry = entries_[place];
    (entry.newer != 0 ? entries_[entry.newer].older : newest_) = entry.older;
    (entry.older != 0 ? entries_[entry.older].newer : oldest_) = entry.newer;
  }

  void erase(Place place) {
    Entry& entry = entries_[place];
    remove_members(entry, 0, [](DestinationSlot) { return true; });
    unlink(place);
    Place* chain = &buckets_[bucket_of(entry.address)];
    while (*chain != place) chain = &entries_[*chain].chain_next;
    *chain = entry.chain_next;
    entry.chain_next = free_entry_;
    free_entry_ = place;
    count_--;
  }

  ReservedArray<Entry> entries_;  // [0] is nobody's
  ReservedArray<Member> members_;
  ReservedArray<Place> buckets_;
  Place free_entry_ = 0, entry_bound_ = 1, free_member_ = 0, member_bound_ = 1;
  Place newest_ = 0, oldest_ = 0;
  uint32_t count_ = 0;
};

// Null without address space: then nothing is remembered.
inline std::shared_ptr<SchedulerMemory> make_locality_table() {
  auto table = std::make_shared<LocalityTable>();
  return table->is_ready() ? table : nullptr;
}

inline void adopt_locality_table(const ServiceChange& change, DestinationStates states, SchedulerState&) {
  if (change.before == nullptr || !change.has_new_destinations || change.after->memory == nullptr) return;
  static_cast<LocalityTable&>(*change.after->memory).drop_gone(states);
}

// Has it more active connections than its weight, while another has less than half of its own?
inline bool has_too_much(const Choice& choice, const Destination& destination) {
  if (choice.states[destination.slot].active.get() <= destination.spec.weight) return false;
  for (const Destination& other : choice.service.destinations) {
    if (uint64_t{choice.states[other.slot].active.get()} * 2 < other.spec.weight) return true;
  }
  return false;
}

}  // namespace uvs

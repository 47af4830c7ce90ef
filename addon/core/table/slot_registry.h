// Who has which slot. A slot that left the table stays with its owner until the store says that
// nobody refers to it any more: the same owner, coming back before, finds its slot again. Control
// side only.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/net/address.h"
#include "core/net/bytes.h"
#include "core/table/forwarding_table.h"

namespace uvs {

struct SlotOwner {
  uint64_t scope = 0;  // services: protocol and family; destinations: their service's slot
  IpAddress address;
  uint16_t port = 0;
  bool operator==(const SlotOwner&) const = default;
};

class SlotRegistry {
 public:
  explicit SlotRegistry(uint32_t limit) : limit_(limit) {}

  // The slot of `owner`, or kNoSlot.
  uint32_t find(const SlotOwner& owner) const {
    const auto found = slots_.find(owner);
    return found == slots_.end() ? kNoSlot : found->second;
  }
  // How many more owners there is room for.
  size_t room() const { return free_.size() + (limit_ - bound_); }
  // Slots ever taken are below this.
  uint32_t bound() const { return bound_; }

  // A slot for an owner that has none; room() was asked before.
  uint32_t take(const SlotOwner& owner) {
    uint32_t slot = bound_;
    if (free_.empty()) {
      bound_++;
      retired_in_.push_back(0);
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_.emplace(owner, slot);
    return slot;
  }
  // The slot's owner is not in the table from `generation` on.
  void retire(const SlotOwner& owner, uint32_t slot, uint64_t generation) {
    retired_in_[slot] = generation;
    waiting_.push_back({owner, slot, generation});
  }
  // The slot's owner is in the table again.
  void revive(uint32_t slot) { retired_in_[slot] = 0; }

  // Frees those retired slots that every worker has seen leave, and that `is_unused` lets go.
  template <typename IsUnused>
  void free_retired(uint64_t adopted, IsUnused is_unused) {
    std::erase_if(waiting_, [&](const Waiting& entry) {
      if (retired_in_[entry.slot] != entry.generation) return true;  // it came back meanwhile
      if (entry.generation > adopted || !is_unused(entry.slot, entry.owner)) return false;
      slots_.erase(entry.owner);
      retired_in_[entry.slot] = 0;
      free_.push_back(entry.slot);
      return true;
    });
  }

 private:
  struct OwnerHash {
    size_t operator()(const SlotOwner& owner) const {
      constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
      uint64_t hash = (owner.scope << 16 | owner.port) * kMultiplier;
      hash = (hash ^ hash >> 29 ^ load<uint64_t>(owner.address.bytes.data())) * kMultiplier;
      hash = (hash ^ hash >> 29 ^ load<uint64_t>(owner.address.bytes.data() + 8)) * kMultiplier;
      return hash ^ hash >> 32;
    }
  };
  struct Waiting {
    SlotOwner owner;
    uint32_t slot;
    uint64_t generation;
  };

  uint32_t limit_;
  uint32_t bound_ = 0;
  std::unordered_map<SlotOwner, uint32_t, OwnerHash> slots_;
  std::vector<uint32_t> free_;
  std::vector<uint64_t>
      retired_in_;  // by slot: the generation that it left with; 0: it is in the table or free
  std::vector<Waiting> waiting_;
};

}  // namespace uvs

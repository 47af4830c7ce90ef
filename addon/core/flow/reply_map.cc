// Insertion and its bounded search for room; the order of the writes is what readers rely on (see
// the header).
#include "core/flow/reply_map.h"

#include <array>
#include <atomic>
#include <bit>

namespace uvs {

namespace {

// Buckets that one search looks at: up to three moves deep.
constexpr size_t kSearchLimit = 4 + 16 + 64;

std::atomic_ref<uint64_t> key_word(uvs_flow_slot& slot) {
  return std::atomic_ref<uint64_t>(slot.key);
}

// The half of a slot beside its key as one word, so that no reader sees half of it.
std::atomic_ref<uint64_t> payload_word(uvs_flow_slot& slot) {
  return std::atomic_ref<uint64_t>(reinterpret_cast<uint64_t*>(&slot)[1]);
}

uint64_t key_in(uvs_flow_slot& slot) { return key_word(slot).load(std::memory_order_acquire); }

// A slot with a new owner: never the key before what belongs to it.
void write(uvs_flow_slot& slot, uint64_t key, uint64_t payload) {
  payload_word(slot).store(payload, std::memory_order_relaxed);
  key_word(slot).store(key, std::memory_order_release);
}

uint64_t payload_of_reply() {
  uvs_flow_slot slot{};
  slot.flags = UVS_FLOW_REPLY;
  return std::bit_cast<std::array<uint64_t, 2>>(slot)[1];
}

}  // namespace

ReplyMap::ReplyMap(std::span<uvs_flow_bucket> buckets, const uvs_hash_key& key)
    : buckets_(buckets), mask_(buckets.size() - 1), key_(key) {}

uint64_t ReplyMap::key_of(const ReplyTuple& tuple) const {
  uint64_t server[2], client[2];
  std::memcpy(server, tuple.server.bytes.data(), sizeof server);
  std::memcpy(client, tuple.client.bytes.data(), sizeof client);
  const auto wire = [](uint16_t port) { return std::bit_cast<uint16_t>(Be16(port)); };
  return uvs_reply_hash(server, client, wire(tuple.server_port), wire(tuple.client_port),
                        tuple.protocol, static_cast<uint8_t>(tuple.family), &key_);
}

uvs_flow_slot* ReplyMap::find(uvs_flow_bucket& bucket, uint64_t key) {
  for (uvs_flow_slot& slot : bucket.slots) {
    if (key_in(slot) == key) return &slot;
  }
  return nullptr;
}

bool ReplyMap::contains(uint64_t key) const {
  return find(first(key), key) != nullptr || find(second(key), key) != nullptr;
}

ReplyMap::Inserted ReplyMap::insert(uint64_t key) {
  if (contains(key)) return Inserted::kTaken;
  // The first bucket is preferred although the second may be emptier: only entries in their first
  // can move later.
  uvs_flow_slot* slot = find(first(key), 0);
  if (slot == nullptr) slot = find(second(key), 0);
  if (slot == nullptr) slot = make_room(key);
  if (slot == nullptr) return Inserted::kFull;
  write(*slot, key, payload_of_reply());
  count_++;
  return Inserted::kDone;
}

bool ReplyMap::erase(uint64_t key) {
  uvs_flow_slot* slot = find(first(key), key);
  if (slot == nullptr) slot = find(second(key), key);
  if (slot == nullptr) return false;
  key_word(*slot).store(0, std::memory_order_release);
  count_--;
  return true;
}

// Breadth first: whose second bucket has a free slot, or could get one in turn? Then the moves are
// made from the far end, and the near end's slot, whose entry now stands elsewhere, is free to be
// overwritten.
uvs_flow_slot* ReplyMap::make_room(uint64_t key) {
  struct Step {
    uvs_flow_slot* slot;  // holds an entry that could move to its second bucket
    size_t before;        // the step that wants this slot; itself for the first ones
  };
  std::array<Step, kSearchLimit> steps;
  size_t count = 0;
  const auto add_movable = [&](uvs_flow_bucket& bucket, size_t before) {
    for (uvs_flow_slot& slot : bucket.slots) {
      const uint64_t held = slot.key;
      if (count == kSearchLimit || &first(held) != &bucket || &second(held) == &bucket) continue;
      steps[count] = {&slot, before == kSearchLimit ? count : before};
      count++;
    }
  };
  add_movable(first(key), kSearchLimit);
  if (&second(key) != &first(key)) add_movable(second(key), kSearchLimit);

  for (size_t i = 0; i < count; i++) {
    uvs_flow_bucket& target = second(steps[i].slot->key);
    uvs_flow_slot* to = find(target, 0);
    if (to == nullptr) {
      add_movable(target, i);
      continue;
    }
    size_t at = i;
    for (;;) {
      uvs_flow_slot* from = steps[at].slot;
      write(*to, from->key, payload_word(*from).load(std::memory_order_relaxed));
      to = from;
      if (steps[at].before == at) return to;
      at = steps[at].before;
    }
  }
  return nullptr;
}

}  // namespace uvs

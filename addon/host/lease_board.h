// Until when each last will sleeps: one number a virtual router in memory that director and guardian share. The director
// moves it with every advert, without a message or a wake-up; whoever comes first when it runs out, the guardian by
// claiming the will or the director by renewing it, wins by one compare-and-swap: a will is never carried out behind the
// back of a director that has just renewed.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/net/time.h"
#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

using LeaseSlot = uint16_t;

class LeaseBoard {
 public:
  static constexpr LeaseSlot kSlots = 512;
  // States of a slot; any other value is the end of the lease on CLOCK_MONOTONIC.
  static constexpr uint64_t kVoid = 0;                  // no will, or none any more
  static constexpr uint64_t kEndless = UINT64_MAX - 1;  // a will that only death wakes
  static constexpr uint64_t kClaimed = UINT64_MAX;      // the guardian has carried it out

  // A board of void slots. IO.
  static Result<LeaseBoard> create();
  // The one behind `descriptor`, which stays the caller's. IO when it is too short.
  static Result<LeaseBoard> attach(int descriptor);
  LeaseBoard(LeaseBoard&& other) noexcept;
  LeaseBoard& operator=(LeaseBoard&&) = delete;
  ~LeaseBoard();

  // For the guardian's process; -1 when attached.
  int descriptor() const { return memory_.get(); }

  // Slots are below kSlots.
  void set(LeaseSlot slot, uint64_t state) { at(slot).store(state, std::memory_order_release); }
  uint64_t get(LeaseSlot slot) const { return at(slot).load(std::memory_order_acquire); }
  // False when the guardian has claimed the will; a void slot stays void and is fine.
  bool renew(LeaseSlot slot, uint64_t end);
  // True, and once only: the will is to be carried out now. With `now` empty whatever is not void is due.
  bool claim(LeaseSlot slot, std::optional<Micros> now);

 private:
  using Slot = std::atomic<uint64_t>;
  static_assert(sizeof(Slot) == 8 && Slot::is_always_lock_free);
  static constexpr size_t kSize = sizeof(Slot) * kSlots;

  LeaseBoard(FileDescriptor memory, void* slots)
      : memory_(std::move(memory)), slots_(static_cast<Slot*>(slots)) {}
  static Result<void*> map(int descriptor);
  Slot& at(LeaseSlot slot) const { return slots_[slot < kSlots ? slot : 0]; }

  FileDescriptor memory_;
  Slot* slots_;
};

}  // namespace uvs

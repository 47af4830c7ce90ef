// Finds connections whose time has come without looking at the others: a ring of slots of 262 ms,
// 18 minutes in all. Lazy: a packet that puts the end off writes `expires` and touches nothing
// else; when the slot comes up where the connection was filed, it is filed anew. Only an end that
// comes nearer refiles at once.
//
//   slots  [ ][ ][5][ ][9->2][ ] …     expired up to here: `cursor_`; each slot is a doubly linked
//   list of indices
#pragma once

#include <array>
#include <cstdint>

#include "core/flow/connection.h"
#include "core/flow/tick.h"

namespace uvs {

template <typename Record>
class ExpiryWheel {
 public:
  static constexpr unsigned kSlotShift = 2;  // ticks to slots
  static constexpr uint32_t kSlots = 4096;
  static constexpr uint32_t kMask = kSlots - 1;

  explicit ExpiryWheel(Record* records) : records_(records) {}

  // Files `index` by its `expires`, no earlier than the slot that is being emptied.
  void add(ConnectionIndex index, Tick now) {
    start(now);
    file(index);
  }

  void remove(ConnectionIndex index) {
    Record& record = records_[index];
    if (record.wheel_next != kNoConnection)
      records_[record.wheel_next].wheel_prev = record.wheel_prev;
    if ((record.wheel_prev & kIsSlot) != 0) {
      heads_[record.wheel_prev & kMask] = record.wheel_next;
    } else {
      records_[record.wheel_prev].wheel_next = record.wheel_next;
    }
  }

  void move(ConnectionIndex index, Tick expires) {
    Record& record = records_[index];
    const bool is_nearer = ticks_between(record.expires, expires) < 0;
    record.expires = expires;
    if (!is_nearer) return;
    remove(index);
    file(index);
  }

  void refile(ConnectionIndex index, Tick expires) {
    remove(index);
    records_[index].expires = expires;
    file(index);
  }

  // Hands every connection due at `now` to `end(index)`, which must remove it or refile it later; at most `budget`
  // connections are looked at. True when the budget ended it.
  template <typename End>
  bool turn(Tick now, uint32_t budget, End end) {
    start(now);
    const uint32_t target = slot_of(now);
    // After a jump of the clock, one round looks at every slot; a clock that goes back waits.
    if (distance(cursor_, target) > static_cast<int32_t>(kSlots)) cursor_ = target - kSlots;
    for (; distance(cursor_, target) > 0; cursor_++) {
      while (const ConnectionIndex index = heads_[cursor_ & kMask]) {
        if (budget-- == 0) return true;
        if (distance(slot_of(records_[index].expires), cursor_) >= 0 ||
            ticks_between(records_[index].expires, now) >= 0) {
          end(index);
        } else {
          remove(index);
          file(index);
        }
      }
    }
    return false;
  }

 private:
  static constexpr ConnectionIndex kIsSlot =
      0x8000'0000;  // in wheel_prev: first in the list of that slot

  // Slot numbers are 30 bits wide; these two keep their arithmetic.
  static constexpr uint32_t slot_of(Tick tick) { return tick >> kSlotShift; }
  static constexpr int32_t distance(uint32_t from, uint32_t to) {
    return static_cast<int32_t>((to - from) << kSlotShift) >> kSlotShift;
  }

  // The first time that is seen is where the ring begins.
  void start(Tick now) {
    if (!is_started_) cursor_ = slot_of(now);
    is_started_ = true;
  }

  void file(ConnectionIndex index) {
    Record& record = records_[index];
    int32_t ahead = distance(cursor_, slot_of(record.expires));
    if (ahead < 0) ahead = 0;
    if (ahead >= static_cast<int32_t>(kSlots)) ahead = kSlots - 1;  // it will be filed again then
    const uint32_t slot = (cursor_ + static_cast<uint32_t>(ahead)) & kMask;
    record.wheel_next = heads_[slot];
    record.wheel_prev = kIsSlot | slot;
    if (record.wheel_next != kNoConnection) records_[record.wheel_next].wheel_prev = index;
    heads_[slot] = index;
  }

  Record* records_;
  std::array<ConnectionIndex, kSlots> heads_{};
  uint32_t cursor_ = 0;
  bool is_started_ = false;
};

}  // namespace uvs

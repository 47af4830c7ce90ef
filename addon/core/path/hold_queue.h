// Packets that wait for their next hop to be resolved: a fixed pool of small frames, a few for each
// next hop. What is given out lies in the pool until recycle(). One thread; nothing allocated after
// it is made.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/net/frame.h"
#include "core/net/reserved_array.h"
#include "core/net/time.h"
#include "core/path/item.h"

namespace uvs {

class HoldQueue {
 public:
  static constexpr size_t kFrames = 512;
  // As many small packets as the kernel holds for one neighbour (its limit is 208 KiB of memory): a burst of clients that
  // meets a new server loses no SYN, which would cost each a second.
  static constexpr size_t kFramesPerHop = 100;
  static constexpr size_t kFrameSize = kMinFrameCapacity;
  // Past this the next hop counts as failed, whatever is known of it.
  static constexpr Micros kPatience = 3 * kMicrosPerSecond;

  struct Held {
    Frame frame;  // its data is the pool's
    Item item;
    Micros since = 0;
  };

  HoldQueue();
  HoldQueue(const HoldQueue&) = delete;
  HoldQueue& operator=(const HoldQueue&) = delete;

  bool is_ready() const { return bytes_.is_ready(); }

  // Copies the frame, unchanged as it came in. False when it is too large, or too many wait: in
  // all, or for this hop.
  bool hold(const Frame& frame, const Item& item, Micros now);

  // Moves up to kBatchSize packets that `is_due(held)` wants, oldest first, to lent().
  template <typename IsDue>
  void release(IsDue is_due) {
    recycle();
    std::erase_if(waiting_, [&](uint16_t place) {
      if (lent_.size() == kBatchSize || !is_due(pool_[place])) return false;
      lent_.push_back(place);
      return true;
    });
  }
  size_t lent_count() const { return lent_.size(); }
  Held& lent(size_t i) { return pool_[lent_[i]]; }

 private:
  // What the last release() gave out is free again.
  void recycle();

  ReservedArray<uint8_t> bytes_;
  std::vector<Held> pool_;
  // Places in the pool; capacity for all is reserved once. `waiting_` stands in order of arrival.
  std::vector<uint16_t> free_, waiting_, lent_;
};

}  // namespace uvs

// Packets that wait for something to become known: for their next hop to be resolved, or for the
// first fragment of their packet. A fixed pool of frames, with a share for each group of them; when one is
// used up the oldest gives way, since what gets its answer gets it soon: a flood of those that never do
// shortens the patience and shuts nobody out. What is given out lies in the pool until the next release().
// One thread; nothing allocated after it is made.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/net/frame.h"
#include "core/net/reserved_array.h"
#include "core/net/time.h"
#include "core/path/item.h"

namespace uvs {

struct HoldLimits {
  size_t frames = 0, frames_per_group = 0;
  size_t bytes = 0, bytes_per_group = 0;
  Micros patience = 0;  // what has waited longer is due, whatever is known
};

// For a next hop; a group is one of them. As many bytes and small packets as the kernel holds for one
// neighbour (its limit is 208 KiB of memory): a burst of clients that meets a new server loses no SYN,
// which would cost each a second, and the frames that come first in a long transfer are large ones. Sources
// on the link can be made up, and get no answer; a neighbour that is there answers within milliseconds.
inline constexpr HoldLimits kHopHold{.frames = 512,
                                     .frames_per_group = 100,
                                     .bytes = 4 << 20,
                                     .bytes_per_group = 208 << 10,
                                     .patience = 3 * kMicrosPerSecond};
// For a first fragment; a group is a sender. What is out of order on a network is so by milliseconds:
// after a second the first one is lost, and the kernel's 30 s would only hold the pool for whoever
// floods it. A flood of 100,000 fragments/s leaves the others 5 ms. A sender's share is four datagrams of the
// largest size.
inline constexpr HoldLimits kFragmentHold{.frames = 512,
                                          .frames_per_group = 180,
                                          .bytes = 4 << 20,
                                          .bytes_per_group = 4 * kMaxFrameCapacity,
                                          .patience = kMicrosPerSecond};

class HoldQueue {
 public:
  struct Held {
    Frame frame;  // its data is the pool's
    Item item;
    uint64_t group = 0;
    size_t size_bytes = 0;  // as it came in
    Micros since = 0;
  };

  explicit HoldQueue(const HoldLimits& limits);
  HoldQueue(const HoldQueue&) = delete;
  HoldQueue& operator=(const HoldQueue&) = delete;

  bool is_ready() const { return bytes_.is_ready(); }

  // Copies the frame, unchanged as it came in. False when it is larger than all that may wait.
  bool hold(const Frame& frame, const Item& item, uint64_t group, Micros now);

  bool is_empty() const { return waiting_.empty(); }
  bool has_waited(const Held& held, Micros now) const { return now - held.since >= limits_.patience; }
  // Has the oldest of those that wait?
  bool has_any_waited(Micros now) const {
    return !waiting_.empty() && has_waited(pool_[waiting_.front()], now);
  }
  // How many gave way since the last call.
  size_t take_displaced() { return std::exchange(displaced_, 0); }

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
  // Room for one more of `group`, made if that may be.
  bool make_room(uint64_t group, size_t size_bytes);

  const HoldLimits limits_;
  ReservedArray<uint8_t> bytes_;  // kMaxFrameCapacity for each; what no frame has touched is no memory
  size_t held_bytes_ = 0;
  std::vector<Held> pool_;
  size_t displaced_ = 0;
  // Places in the pool; capacity for all is reserved once. `waiting_` stands in order of arrival.
  std::vector<uint16_t> free_, waiting_, lent_;
};

}  // namespace uvs

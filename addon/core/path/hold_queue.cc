// Copying in and handing back; the searches are linear because the pool is small and holding is
// rare. Larger frames than the pool's are refused rather than cut: a GSO frame that opens a
// connection does not exist.
#include "core/path/hold_queue.h"

#include <algorithm>
#include <cstring>

namespace uvs {

HoldQueue::HoldQueue() : bytes_(kFrames * kFrameSize), pool_(kFrames) {
  free_.reserve(kFrames);
  waiting_.reserve(kFrames);
  lent_.reserve(kFrames);
  for (size_t place = kFrames; place-- > 0;) free_.push_back(static_cast<uint16_t>(place));
}

bool HoldQueue::hold(const Frame& frame, const Item& item, Micros now) {
  if (frame.length > kFrameSize || free_.empty()) return false;
  const NeighbourIndex hop = item.decision.passage.hop;
  const auto is_same_hop = [&](uint16_t place) {
    return pool_[place].item.decision.passage.hop == hop;
  };
  if (static_cast<size_t>(std::ranges::count_if(waiting_, is_same_hop)) >= kFramesPerHop) {
    return false;
  }
  const uint16_t place = free_.back();
  free_.pop_back();
  waiting_.push_back(place);
  Held& held = pool_[place];
  held.frame = frame;
  held.frame.data = bytes_.data() + place * kFrameSize;
  held.frame.capacity = kFrameSize;
  std::memcpy(held.frame.data, frame.data, frame.length);
  held.item = item;
  held.item.service = nullptr;  // of a table that may be gone by then
  held.since = now;
  return true;
}

void HoldQueue::recycle() {
  free_.insert(free_.end(), lent_.begin(), lent_.end());
  lent_.clear();
}

}  // namespace uvs

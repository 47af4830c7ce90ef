// Copying in and handing back; the searches are linear because the pool is small and holding is
// rare.
#include "core/path/hold_queue.h"

#include <algorithm>
#include <cstring>

namespace uvs {

HoldQueue::HoldQueue(const HoldLimits& limits)
    : limits_(limits), bytes_(limits.frames * kMaxFrameCapacity), pool_(limits.frames) {
  free_.reserve(limits.frames);
  waiting_.reserve(limits.frames);
  lent_.reserve(limits.frames);
  for (size_t place = limits.frames; place-- > 0;) free_.push_back(static_cast<uint16_t>(place));
}

bool HoldQueue::make_room(uint64_t group, size_t size_bytes) {
  const auto is_of_group = [&](uint16_t place) { return pool_[place].group == group; };
  size_t count = 0, share_bytes = 0;
  for (const uint16_t place : waiting_) {
    if (!is_of_group(place)) continue;
    count++;
    share_bytes += pool_[place].size_bytes;
  }
  for (;;) {
    const bool is_share_used =
        count >= limits_.frames_per_group || share_bytes + size_bytes > limits_.bytes_per_group;
    if (!is_share_used && !free_.empty() && held_bytes_ + size_bytes <= limits_.bytes) return true;
    const auto oldest =
        is_share_used ? std::ranges::find_if(waiting_, is_of_group) : waiting_.begin();
    if (oldest == waiting_.end()) return false;
    const Held& displaced = pool_[*oldest];
    if (displaced.group == group) {
      count--;
      share_bytes -= displaced.size_bytes;
    }
    held_bytes_ -= displaced.size_bytes;
    free_.push_back(*oldest);
    waiting_.erase(oldest);
    displaced_++;
  }
}

bool HoldQueue::hold(const Frame& frame, const Item& item, uint64_t group, Micros now) {
  if (frame.length > kMaxFrameCapacity || !make_room(group, frame.length)) return false;
  const uint16_t place = free_.back();
  free_.pop_back();
  waiting_.push_back(place);
  Held& held = pool_[place];
  held.frame = frame;
  held.frame.data = bytes_.data() + place * kMaxFrameCapacity;
  held.frame.capacity = static_cast<uint32_t>(kMaxFrameCapacity);
  std::memcpy(held.frame.data, frame.data, frame.length);
  held.item = item;
  held.item.service = nullptr;  // of a table that may be gone by then
  held.group = group;
  held.size_bytes = frame.length;
  held.since = now;
  held_bytes_ += frame.length;
  return true;
}

void HoldQueue::recycle() {
  for (const uint16_t place : lent_) held_bytes_ -= pool_[place].size_bytes;
  free_.insert(free_.end(), lent_.begin(), lent_.end());
  lent_.clear();
}

}  // namespace uvs

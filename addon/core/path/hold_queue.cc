// Copying in and handing back; the searches are linear because the pool is small and holding is
// rare. Larger frames than the pool's are refused rather than cut: a GSO frame that opens a
// connection does not exist.
#include "core/path/hold_queue.h"

#include <algorithm>
#include <cstring>

namespace uvs {

HoldQueue::HoldQueue(const HoldLimits& limits)
    : limits_(limits), bytes_(limits.frames * limits.frame_size_bytes), pool_(limits.frames) {
  free_.reserve(limits.frames);
  waiting_.reserve(limits.frames);
  lent_.reserve(limits.frames);
  for (size_t place = limits.frames; place-- > 0;) free_.push_back(static_cast<uint16_t>(place));
}

bool HoldQueue::make_room(uint64_t group) {
  const auto is_of_group = [&](uint16_t place) { return pool_[place].group == group; };
  const auto count = static_cast<size_t>(std::ranges::count_if(waiting_, is_of_group));
  const bool is_share_used = count >= limits_.frames_per_group;
  if (!free_.empty() && !is_share_used) return true;
  if (!limits_.does_oldest_give_way || waiting_.empty()) return false;
  const auto oldest =
      is_share_used ? std::ranges::find_if(waiting_, is_of_group) : waiting_.begin();
  free_.push_back(*oldest);
  waiting_.erase(oldest);
  displaced_++;
  return true;
}

bool HoldQueue::hold(const Frame& frame, const Item& item, uint64_t group, Micros now) {
  if (frame.length > limits_.frame_size_bytes || !make_room(group)) return false;
  const uint16_t place = free_.back();
  free_.pop_back();
  waiting_.push_back(place);
  Held& held = pool_[place];
  held.frame = frame;
  held.frame.data = bytes_.data() + place * limits_.frame_size_bytes;
  held.frame.capacity = static_cast<uint32_t>(limits_.frame_size_bytes);
  std::memcpy(held.frame.data, frame.data, frame.length);
  held.item = item;
  held.item.service = nullptr;  // of a table that may be gone by then
  held.group = group;
  held.since = now;
  return true;
}

void HoldQueue::recycle() {
  free_.insert(free_.end(), lent_.begin(), lent_.end());
  lent_.clear();
}

}  // namespace uvs

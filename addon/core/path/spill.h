// Frames that the path makes beside the batch: the fragments of packets too large for the way out.
// A fixed arena, emptied with every batch; what finds no room is the caller's to drop.
#pragma once

#include <cstdint>
#include <vector>

#include "core/net/frame.h"
#include "core/net/reserved_array.h"

namespace uvs {

class Spill {
 public:
  // A batch of 64 packets of 9000 bytes cut for 1500 fits.
  static constexpr size_t kBytes = 1 << 20;
  static constexpr size_t kFrames = 1024;

  Spill() : bytes_(kBytes) { frames_.reserve(kFrames); }

  bool is_ready() const { return bytes_.is_ready(); }

  void clear() {
    frames_.clear();
    used_bytes_ = 0;
    taken_ = 0;
  }

  // `count` more frames of up to `capacity` bytes?
  bool has_room(size_t count, size_t capacity) const {
    return frames_.size() + count <= kFrames && used_bytes_ + count * capacity <= kBytes;
  }
  // has_room() was asked.
  Frame& add(uint32_t capacity) {
    frames_.push_back({.data = bytes_.data() + used_bytes_, .capacity = capacity, .offload = {}});
    used_bytes_ += capacity;
    return frames_.back();
  }

  // The next frames, up to a batch; false: there are none left.
  bool take(Batch& batch) {
    batch.count = 0;
    while (batch.count < kBatchSize && taken_ < frames_.size()) {
      batch.frames[batch.count++] = frames_[taken_++];
    }
    return batch.count > 0;
  }

 private:
  ReservedArray<uint8_t> bytes_;
  std::vector<Frame> frames_;
  size_t used_bytes_ = 0;
  size_t taken_ = 0;
};

}  // namespace uvs

#include "io/memory_link.h"

#include <algorithm>
#include <utility>

namespace uvs {

namespace {
// What a frame may grow by: a tunnel's header. As in packet_ring.
constexpr size_t kRoom_bytes = 512;
}  // namespace

MemoryLink::MemoryLink() { lent_.reserve(kBatchSize); }

bool MemoryLink::inject(uint32_t ifindex, std::span<const uint8_t> bytes,
                        const OffloadHeader& offload) {
  if (waiting_.size() >= kQueueLimit) {
    counters_.receive_lost.add(1);
    return false;
  }
  Injected frame{
      ifindex, static_cast<uint32_t>(bytes.size()), offload, {bytes.begin(), bytes.end()}};
  frame.memory.resize(std::max(bytes.size() + kRoom_bytes, kMinFrameCapacity));
  waiting_.push_back(std::move(frame));
  return true;
}

std::vector<TransmittedFrame> MemoryLink::take() { return std::exchange(transmitted_, {}); }

void MemoryLink::receive(Batch& batch) {
  batch.count = 0;
  while (batch.count < kBatchSize && !waiting_.empty()) {
    lent_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    Injected& injected = lent_.back();
    Frame& frame = batch.frames[batch.count++];
    frame = {};
    frame.data = injected.memory.data();
    frame.length = injected.length;
    frame.capacity = static_cast<uint32_t>(injected.memory.size());
    frame.ifindex = injected.ifindex;
    frame.offload = injected.offload;
  }
  counters_.received.add(batch.count);
}

void MemoryLink::transmit(Batch& batch) {
  for (size_t i = 0; i < batch.count; i++) {
    const Frame& frame = batch.frames[i];
    const bool is_for_host = frame.verdict == Verdict::kToHost;
    if (!is_for_host && frame.verdict != Verdict::kForward && frame.verdict != Verdict::kAnswer)
      continue;
    if (transmitted_.size() >= kQueueLimit) {
      counters_.transmit_failed.add(1);
      continue;
    }
    transmitted_.push_back({frame.verdict,
                            is_for_host ? 0 : frame.egress_ifindex,
                            frame.ifindex,
                            frame.offload,
                            {frame.data, frame.data + frame.length}});
    (is_for_host ? counters_.reinjected : counters_.transmitted).add(1);
  }
}

void MemoryLink::release(Batch& batch) {
  lent_.clear();
  batch.count = 0;
}

}  // namespace uvs

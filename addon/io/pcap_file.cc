#include "io/pcap_file.h"

#include <algorithm>
#include <utility>

namespace uvs {

namespace {
// The largest GSO frame and room for a tunnel's header, as in packet_ring.
constexpr size_t kSlot_bytes = (64 << 10) + 512;
}  // namespace

PcapFile::PcapFile(std::unique_ptr<CaptureReader> reader, std::unique_ptr<CaptureWriter> writer,
                   uint32_t ifindex)
    : reader_(std::move(reader)),
      writer_(std::move(writer)),
      ifindex_(ifindex),
      memory_(kBatchSize * kSlot_bytes) {}

Result<std::unique_ptr<PcapFile>> PcapFile::open(const std::string& input,
                                                 const std::string& output, uint32_t ifindex) {
  auto reader = CaptureReader::open(input);
  if (!reader.ok()) return reader.status();
  std::unique_ptr<CaptureWriter> writer;
  if (!output.empty()) {
    auto created = CaptureWriter::create(output);
    if (!created.ok()) return created.status();
    writer = std::move(created.value());
  }
  return std::unique_ptr<PcapFile>(
      new PcapFile(std::move(reader.value()), std::move(writer), ifindex));
}

void PcapFile::receive(Batch& batch) {
  batch.count = 0;
  while (batch.count < kBatchSize) {
    const auto captured = reader_->next();
    if (!captured) {
      at_end_ = true;
      break;
    }
    last_timestamp_ = captured->timestamp;
    // A frame that the capture cut is no frame that the path could forward.
    if (captured->bytes.size() < captured->original_length ||
        captured->bytes.size() > kSlot_bytes) {
      counters_.receive_lost.add(1);
      continue;
    }
    Frame& frame = batch.frames[batch.count];
    frame = {};
    frame.data = memory_.data() + batch.count * kSlot_bytes;
    frame.length = static_cast<uint32_t>(captured->bytes.size());
    frame.capacity = kSlot_bytes;
    frame.ifindex = ifindex_;
    std::copy(captured->bytes.begin(), captured->bytes.end(), frame.data);
    batch.count++;
  }
  counters_.received.add(batch.count);
}

void PcapFile::transmit(Batch& batch) {
  for (size_t i = 0; i < batch.count; i++) {
    const Frame& frame = batch.frames[i];
    const bool is_for_host = frame.verdict == Verdict::kToHost;
    if (!is_for_host && frame.verdict != Verdict::kForward && frame.verdict != Verdict::kAnswer)
      continue;
    (is_for_host ? counters_.reinjected : counters_.transmitted).add(1);
    // What goes to the host leaves no device: it is not in the output.
    if (writer_ && !is_for_host) writer_->write(last_timestamp_, {frame.data, frame.length});
  }
  if (writer_ && !writer_->flush().ok()) counters_.transmit_failed.add(1);
}

void PcapFile::release(Batch& batch) { batch.count = 0; }

}  // namespace uvs

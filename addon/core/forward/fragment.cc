// IPv4 fragmentation (RFC 791 3.2): the first fragment keeps the header as it is, the others take
// the options that ask to be copied; offsets count on from the packet's own when it is a fragment
// already.
#include "core/forward/fragment.h"

#include <algorithm>

#include "core/forward/rewrite.h"
#include "core/net/checksum.h"
#include "core/net/headers.h"

namespace uvs {
namespace {

constexpr uint32_t kMinHeader = Ipv4Header::kMinSize;

// Copies the options whose copied flag is set (RFC 791 3.1) and pads to 32 bits with end-of-list.
// Returns the size. The packet was parsed: lengths are sound.
uint32_t copy_options(const uint8_t* from, uint32_t size, uint8_t* to) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kCopied = 0x80;
  uint32_t copied = 0;
  for (uint32_t at = 0; at < size && from[at] != kEnd;) {
    const uint32_t length = from[at] == kNoOperation ? 1 : from[at + 1];
    if ((from[at] & kCopied) != 0) {
      std::memcpy(to + copied, from + at, length);
      copied += length;
    }
    at += length;
  }
  const uint32_t padded = (copied + 3) & ~3u;
  std::memset(to + copied, kEnd, padded - copied);
  return padded;
}

// Payload bytes a fragment may carry behind `header_size` bytes of header.
uint32_t step(uint32_t mtu, uint32_t header_size) {
  return mtu <= header_size ? 0 : (mtu - header_size) & ~7u;
}

}  // namespace

Ipv4Fragmenter::Ipv4Fragmenter(Frame& frame, const ParsedPacket& packet, uint32_t mtu)
    : frame_(frame) {
  if (packet.family != Family::kIpv4 || !packet.may_fragment || frame.offload.is_gso()) return;
  complete_checksum(frame, packet);
  if (frame.offload.needs_checksum()) return;  // not a checksum of ours to finish: cut, it would be lost
  const uint8_t* l3 = frame.data + packet.l3_offset;
  l3_offset_ = packet.l3_offset;
  header_size_ = static_cast<uint32_t>(load<Ipv4Header>(l3).size());
  payload_size_ = packet.l3_length - header_size_;
  std::memcpy(later_header_, l3, kMinHeader);
  later_header_size_ = kMinHeader + copy_options(l3 + kMinHeader, header_size_ - kMinHeader,
                                                 later_header_ + kMinHeader);
  later_header_[0] = static_cast<uint8_t>(0x40 | later_header_size_ / 4);
  first_step_ = step(mtu, header_size_);
  later_step_ = step(mtu, later_header_size_);
  if (first_step_ == 0) return;
  // The last fragment may fill the MTU to the byte; the others end at a multiple of 8.
  count_ = 1;
  for (uint32_t left = packet.l3_length <= mtu ? 0 : payload_size_ - first_step_; left > 0;
       count_++) {
    left = later_header_size_ + left <= mtu ? 0 : left - later_step_;
  }
}

bool Ipv4Fragmenter::next(Frame& to) {
  if (written_ == count_) return false;
  const bool is_first = written_ == 0;
  const bool is_last = written_ + 1 == count_;
  const uint8_t* original = frame_.data + l3_offset_;
  const uint8_t* header = is_first ? original : later_header_;
  const uint32_t header_size = is_first ? header_size_ : later_header_size_;
  const uint32_t size =
      is_last ? payload_size_ - position_ : (is_first ? first_step_ : later_step_);
  const uint32_t length = l3_offset_ + header_size + size;
  if (to.capacity < length) return false;

  std::memcpy(to.data, frame_.data, l3_offset_);
  uint8_t* l3 = to.data + l3_offset_;
  std::memcpy(l3, header, header_size);
  std::memcpy(l3 + header_size, original + header_size_ + position_, size);

  const auto old_header = load<Ipv4Header>(original);
  const uint16_t old_flags = old_header.flags_and_offset.host();
  const auto offset = static_cast<uint16_t>((old_flags & Ipv4Header::kOffsetMask) + position_ / 8);
  // The last piece is followed by more when the packet was a fragment that is.
  const uint16_t more =
      is_last ? old_flags & Ipv4Header::kMoreFragments : Ipv4Header::kMoreFragments;
  store(l3 + offsetof(Ipv4Header, total_length), Be16{static_cast<uint16_t>(header_size + size)});
  store(l3 + offsetof(Ipv4Header, flags_and_offset), Be16{static_cast<uint16_t>(offset | more)});
  store(l3 + offsetof(Ipv4Header, checksum), uint16_t{0});
  store(l3 + offsetof(Ipv4Header, checksum), static_cast<uint16_t>(~ones_sum({l3, header_size})));

  to.length = length;
  to.ifindex = frame_.ifindex;
  to.offload = {};
  to.verdict = frame_.verdict;
  to.drop_reason = frame_.drop_reason;
  to.egress_ifindex = frame_.egress_ifindex;
  to.egress_layer = frame_.egress_layer;
  position_ += size;
  written_++;
  return true;
}

}  // namespace uvs

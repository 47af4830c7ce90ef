// The itinerary of a batch:
//
//   parse -> classify -> find connection -> schedule misses -> rewrite -> account
//
// One short loop each, in this order, so that the memory waits of 64 packets overlap. The table is
// the one that adopt() took up: no packet of a batch sees another.
#include "core/path/director.h"

#include "core/path/director_impl.h"

namespace uvs {

namespace {

// Frames ahead of the one being parsed whose headers are fetched.
constexpr size_t kPrefetchAhead = 4;

}  // namespace

void Director::process(Batch& batch, Micros now) {
  impl_->context.now = now;
  impl_->rewriter.spill().clear();
  impl_->parse(batch);
  impl_->classify();
  impl_->find_connections();
  impl_->schedule_misses();
  impl_->rewrite(batch);
  impl_->account(batch);
}

void Director::Impl::parse(Batch& batch) {
  for (size_t i = 0; i < batch.count && i < kPrefetchAhead; i++) {
    __builtin_prefetch(batch.frames[i].data);
  }
  for (size_t i = 0; i < batch.count; i++) {
    if (i + kPrefetchAhead < batch.count) __builtin_prefetch(batch.frames[i + kPrefetchAhead].data);
    Item& item = items[i];
    item.packet = uvs::parse(batch.frames[i]);
    item.ifindex = batch.frames[i].ifindex;
    item.service = nullptr;
    item.counted_by = kNoSlot;
  }
  item_count = batch.count;
}

void Director::Impl::classify() {
  for (size_t i = 0; i < item_count; i++) {
    Item& item = items[i];
    const ParsedPacket& packet = item.packet;
    if (packet.kind != ParsedKind::kTransport) continue;
    item.service = context.table->find(packet.protocol, packet.family, packet.destination,
                                       packet.destination_port);
    packet.family == Family::kIpv4 ? ipv4.classify(item) : ipv6.classify(item);
  }
}

void Director::Impl::find_connections() {
  for (size_t i = 0; i < item_count; i++) {
    const Item& item = items[i];
    if (item.packet.kind != ParsedKind::kTransport) continue;
    item.packet.family == Family::kIpv4 ? ipv4.prefetch_first(item) : ipv6.prefetch_first(item);
  }
  for (size_t i = 0; i < item_count; i++) {
    const Item& item = items[i];
    if (item.packet.kind != ParsedKind::kTransport) continue;
    item.packet.family == Family::kIpv4 ? ipv4.prefetch_second(item) : ipv6.prefetch_second(item);
  }
}

// Packet by packet: each choice must see what the packets before it did to the servers' counts, as
// in the kernel.
void Director::Impl::schedule_misses() {
  for (size_t i = 0; i < item_count; i++) {
    Item& item = items[i];
    const ParsedPacket& packet = item.packet;
    const bool is_ipv4 = packet.family == Family::kIpv4;
    switch (packet.kind) {
      case ParsedKind::kTransport:
        is_ipv4 ? ipv4.settle(item) : ipv6.settle(item);
        break;
      case ParsedKind::kIcmpError:
        is_ipv4 ? ipv4.settle_icmp_error(item) : ipv6.settle_icmp_error(item);
        break;
      case ParsedKind::kLaterFragment:
        settle_later_fragment(item, true);
        break;
      case ParsedKind::kOther:
        item.decision = to_host();
        break;
      case ParsedKind::kInvalid:
        item.decision = drop(packet.reason);
        break;
    }
    if (!packet.is_fragment || packet.fragment_offset != 0) continue;
    if (!fragments.remember(packet, item.decision, context.now)) context.reached(Limit::kFragments);
    has_new_first_fragment = true;
  }
}

// The rest of a packet goes where its first fragment went, and waits for that when it comes too
// early: steering sends us first fragments as well wherever it sends us later ones, so what is the
// host's is known to be. Answers are given once a packet.
void Director::Impl::settle_later_fragment(Item& item, bool may_wait) {
  const ParsedPacket& packet = item.packet;
  const Decision* first = fragments.find(packet, context.now);
  if (first == nullptr) {
    item.decision = may_wait ? wait_for_first_fragment() : drop(DropReason::kUnknownFragment);
    return;
  }
  item.decision = *first;
  Decision& decision = item.decision;
  if (decision.verdict == Verdict::kAnswer) decision = drop(decision.reason);
  if (decision.verdict != Verdict::kForward && !decision.is_to_local_server) return;

  Passage& passage = decision.passage;
  item.counted_by = passage.destination;
  item.direction = passage.direction;
  if (decision.is_to_local_server) return;
  const bool is_request = passage.direction == Direction::kRequest;
  const IpAddress& target = is_request ? passage.server : packet.destination;
  const NextHops::Found found = context.hops.find(packet.family, target, passage.flow_hash);
  passage.hop = found.index;
  if (found.kind != RouteKind::kUnicast) {
    decision = drop(DropReason::kNoRoute);
  } else if (found.index == kNoNeighbour) {
    decision = drop(DropReason::kNeighbourFailed);
  }
}

void Director::Impl::rewrite(Batch& batch) {
  for (size_t i = 0; i < item_count; i++) {
    items[i].outcome = rewriter.carry_out(batch.frames[i], items[i], true);
  }
  count_displaced(rewriter.early_fragments(), Limit::kFragments, DropReason::kFragmentTableFull);
  count_displaced(rewriter.held(), Limit::kHoldQueue, DropReason::kHoldQueueFull);
}

void Director::Impl::count_displaced(HoldQueue& queue, Limit limit, DropReason reason) {
  for (size_t gone = queue.take_displaced(); gone > 0; gone--) {
    context.reached(limit);
    count_drop(reason);
  }
}

void Director::Impl::account(const Batch& batch) {
  for (size_t i = 0; i < item_count; i++) {
    count(batch.frames[i], items[i].outcome);
    count_traffic(items[i]);
  }
}

void Director::Impl::count(const Frame& frame, Verdict outcome) {
  if (outcome == Verdict::kDrop) return count_drop(frame.drop_reason);
  verdicts[static_cast<size_t>(outcome)].add(1);
}

void Director::Impl::count_drop(DropReason reason) {
  verdicts[static_cast<size_t>(Verdict::kDrop)].add(1);
  drops[static_cast<size_t>(reason)].add(1);
}

// Whatever belongs to a connection is its server's traffic, even when it could not be sent; a
// removed server counts nothing.
void Director::Impl::count_traffic(const Item& item) {
  if (item.counted_by == kNoSlot) return;
  DestinationState& destination = context.tables.destination_state(item.counted_by);
  if (destination.current == nullptr) return;
  ServiceState& service = context.tables.service_state(destination.service_slot);
  const uint32_t size_bytes = item.packet.l3_length;
  for (TrafficState* traffic : {&destination.traffic, &service.traffic}) {
    if (item.direction == Direction::kRequest) {
      traffic->in_packets.add(1);
      traffic->in_bytes.add(size_bytes);
    } else {
      traffic->out_packets.add(1);
      traffic->out_bytes.add(size_bytes);
    }
  }
}

bool Director::take_extra(Batch& extra) { return impl_->rewriter.spill().take(extra); }

// Fragments first: they may have to wait on for their next hop.
bool Director::release_held(Batch& batch, Micros now) {
  batch.count = 0;
  impl_->context.now = now;
  impl_->rewriter.spill().clear();
  impl_->release_fragments(batch);
  if (batch.count == 0) impl_->release_to_next_hops(batch);
  return batch.count > 0;
}

void Director::Impl::release_to_next_hops(Batch& batch) {
  const Micros now = context.now;
  HoldQueue& held = rewriter.held();
  held.release([&](const HoldQueue::Held& packet) {
    const NeighbourIndex hop = packet.item.decision.passage.hop;
    return held.has_waited(packet, now) ||
           context.hops.answer(hop, now).state != NeighbourState::kRequested;
  });
  for (size_t i = 0; i < held.lent_count(); i++) {
    HoldQueue::Held& packet = held.lent(i);
    const bool may_wait_on = !held.has_waited(packet, now);
    count(packet.frame, rewriter.carry_out(packet.frame, packet.item, may_wait_on));
    batch.frames[batch.count++] = packet.frame;
  }
}

// All that wait are looked at, so not at each turn: after a batch that had first fragments, and when
// the oldest has waited long enough.
void Director::Impl::release_fragments(Batch& batch) {
  HoldQueue& early = rewriter.early_fragments();
  if (!has_new_first_fragment && !early.has_any_waited(context.now)) return;
  early.release([&](const HoldQueue::Held& packet) {
    return early.has_waited(packet, context.now) ||
           fragments.find(packet.item.packet, context.now) != nullptr;
  });
  has_new_first_fragment = early.lent_count() == kBatchSize;
  for (size_t i = 0; i < early.lent_count(); i++) {
    HoldQueue::Held& packet = early.lent(i);
    settle_later_fragment(packet.item, false);
    count(packet.frame, rewriter.carry_out(packet.frame, packet.item, true));
    count_traffic(packet.item);
    batch.frames[batch.count++] = packet.frame;
  }
}

}  // namespace uvs

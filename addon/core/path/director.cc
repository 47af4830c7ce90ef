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
        if (packet.is_fragment && !fragments.remember(packet, item.decision, context.now)) {
          context.reached(Limit::kFragments);
        }
        break;
      case ParsedKind::kIcmpError:
        is_ipv4 ? ipv4.settle_icmp_error(item) : ipv6.settle_icmp_error(item);
        break;
      case ParsedKind::kLaterFragment:
        settle_later_fragment(item);
        break;
      case ParsedKind::kOther:
        item.decision = to_host();
        break;
      case ParsedKind::kInvalid:
        item.decision = drop(packet.reason);
        break;
    }
  }
}

// The rest of a packet goes where its first fragment went. Answers are given once a packet.
void Director::Impl::settle_later_fragment(Item& item) {
  const ParsedPacket& packet = item.packet;
  const Decision* first = fragments.find(packet, context.now);
  item.decision = first != nullptr ? *first : to_host();
  Decision& decision = item.decision;
  if (decision.verdict == Verdict::kAnswer) decision = drop(decision.reason);
  if (decision.verdict != Verdict::kForward) return;

  Passage& passage = decision.passage;
  item.counted_by = passage.destination;
  item.direction = passage.direction;
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
}

// Whatever belongs to a connection is its server's traffic, even when it could not be sent; a
// removed server counts nothing.
void Director::Impl::account(const Batch& batch) {
  for (size_t i = 0; i < item_count; i++) {
    const Item& item = items[i];
    count(batch.frames[i], item.outcome);
    if (item.counted_by == kNoSlot) continue;
    DestinationState& destination = context.tables.destination_state(item.counted_by);
    if (destination.current == nullptr) continue;
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
}

void Director::Impl::count(const Frame& frame, Verdict outcome) {
  verdicts[static_cast<size_t>(outcome)].add(1);
  if (outcome == Verdict::kDrop) drops[static_cast<size_t>(frame.drop_reason)].add(1);
}

bool Director::take_extra(Batch& extra) { return impl_->rewriter.spill().take(extra); }

bool Director::release_held(Batch& batch, Micros now) {
  batch.count = 0;
  PathContext& context = impl_->context;
  context.now = now;
  impl_->rewriter.spill().clear();
  HoldQueue& held = impl_->rewriter.held();
  const auto has_waited = [&](const HoldQueue::Held& packet) {
    return now - packet.since >= HoldQueue::kPatience;
  };
  held.release([&](const HoldQueue::Held& packet) {
    const NeighbourIndex hop = packet.item.decision.passage.hop;
    return has_waited(packet) || context.hops.answer(hop, now).state != NeighbourState::kRequested;
  });
  for (size_t i = 0; i < held.lent_count(); i++) {
    HoldQueue::Held& packet = held.lent(i);
    const bool may_wait_on = !has_waited(packet);
    const Verdict outcome = impl_->rewriter.carry_out(packet.frame, packet.item, may_wait_on);
    impl_->count(packet.frame, outcome);
    batch.frames[batch.count++] = packet.frame;
  }
  return batch.count > 0;
}

}  // namespace uvs

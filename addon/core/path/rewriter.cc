// The order matters: everything that may end in an answer is asked before the first byte changes,
// because an answer quotes the packet as its sender sent it.
#include "core/path/rewriter.h"

#include "core/forward/fragment.h"
#include "core/forward/rewrite.h"
#include "core/net/headers.h"

namespace uvs {

namespace {

Verdict set(Frame& frame, Verdict verdict) {
  frame.verdict = verdict;
  frame.drop_reason = DropReason::kNone;
  return verdict;
}

Verdict set_drop(Frame& frame, DropReason reason) {
  frame.verdict = Verdict::kDrop;
  frame.drop_reason = reason;
  return Verdict::kDrop;
}

}  // namespace

Verdict Rewriter::carry_out(Frame& frame, const Item& item, bool may_hold) {
  const Decision& decision = item.decision;
  switch (decision.verdict) {
    case Verdict::kForward:
      return send_on(frame, item, may_hold);
    case Verdict::kAnswer:
      return answer(frame, item.packet, decision.answer, decision.reason);
    case Verdict::kDrop:
      return set_drop(frame, decision.reason);
    case Verdict::kHeld:
      return hold_fragment(frame, item);
    case Verdict::kToHost:
      if (decision.is_to_local_server) translate(frame, item.packet, decision.passage);
      break;
  }
  return set(frame, Verdict::kToHost);
}

Verdict Rewriter::hold_fragment(Frame& frame, const Item& item) {
  const uint8_t* source = item.packet.source.bytes.data();
  const uint64_t sender = load<uint64_t>(source) ^ load<uint64_t>(source + 8) * 31;
  if (early_fragments_.hold(frame, item, sender, context_.now)) return set(frame, Verdict::kHeld);
  context_.reached(Limit::kFragments);
  return set_drop(frame, DropReason::kFragmentTableFull);
}

Verdict Rewriter::send_on(Frame& frame, const Item& item, bool may_hold) {
  const ParsedPacket& packet = item.packet;
  const Passage& passage = item.decision.passage;
  const Egress* egress = context_.hops.egress(passage.hop);
  if (egress == nullptr) return set_drop(frame, DropReason::kNoRoute);

  if (packet.ttl <= 1) {
    return answer(frame, packet, Answer::kTtlExceeded, DropReason::kTtlExceeded);
  }
  bool is_cut = false;
  if (exceeds_mtu(frame, packet, egress->mtu)) {
    if (!packet.may_fragment) {
      return answer(frame, packet, Answer::kTooBig, DropReason::kTooBig, egress->mtu);
    }
    is_cut = !shrink_segments(frame, packet, egress->mtu);
  }
  const NeighbourAnswer neighbour = context_.hops.answer(passage.hop, context_.now);
  if (neighbour.state != NeighbourState::kResolved) {
    if (neighbour.state == NeighbourState::kFailed || !may_hold) {
      return answer(frame, packet, Answer::kHostUnreachable, DropReason::kNeighbourFailed);
    }
    if (held_.hold(frame, item, passage.hop, context_.now)) return set(frame, Verdict::kHeld);
    context_.reached(Limit::kHoldQueue);
    return set_drop(frame, DropReason::kHoldQueueFull);
  }

  if (passage.method == ForwardingMethod::kNat) translate(frame, packet, passage);
  if (!decrement_ttl(frame, packet)) return set_drop(frame, DropReason::kTtlExceeded);
  set_ethernet(frame, neighbour.mac, egress->mac);
  frame.egress_ifindex = egress->ifindex;
  frame.egress_layer = egress->layer;
  return is_cut ? send_fragments(frame, packet, *egress) : set(frame, Verdict::kForward);
}

void Rewriter::translate(Frame& frame, const ParsedPacket& packet, const Passage& passage) {
  const bool is_request = passage.direction == Direction::kRequest;
  if (packet.kind == ParsedKind::kIcmpError) {
    is_request ? nat_icmp_to_server(frame, packet, passage.server, passage.server_port)
               : nat_icmp_to_client(frame, packet, passage.virtual_address, passage.virtual_port);
    return;
  }
  is_request ? nat_request(frame, packet, passage.server, passage.server_port)
             : nat_reply(frame, packet, passage.virtual_address, passage.virtual_port);
}

Verdict Rewriter::send_fragments(Frame& frame, const ParsedPacket& packet, const Egress& egress) {
  Ipv4Fragmenter fragmenter(frame, packet, egress.mtu);
  const auto capacity = static_cast<uint32_t>(kEthernetHeaderSize + egress.mtu);
  if (fragmenter.count() == 0 || !spill_.has_room(fragmenter.count(), capacity)) {
    return set_drop(frame, DropReason::kTooBig);
  }
  set(frame, Verdict::kForward);  // the fragments take it over
  for (uint32_t i = 0; i < fragmenter.count(); i++) {
    if (!fragmenter.next(spill_.add(capacity))) break;
  }
  set_drop(frame, DropReason::kNone);
  return Verdict::kForward;
}

// Back where the packet came from, by the device that it came in by.
Verdict Rewriter::answer(Frame& frame, const ParsedPacket& packet, Answer kind,
                         DropReason otherwise, uint32_t mtu) {
  const HostView& view = context_.hops.view();
  // In the name of the service when that is what refuses, else in our own.
  const IpAddress from = kind == Answer::kPortUnreachable
                             ? packet.destination
                             : view.source_address(packet.family, frame.ifindex);
  MacAddress sender;
  std::memcpy(sender.bytes.data(), frame.data + offsetof(EthernetHeader, source), 6);
  if (!answer_with_icmp(frame, packet, kind, from, mtu)) return set_drop(frame, otherwise);
  if (!answers_.allow(kind, packet.family, packet.source, context_.now)) {
    return set_drop(frame, DropReason::kAnswerRateLimited);
  }
  // On the slow path the frame's own destination is a tag, not the device's address.
  frame.egress_layer = LinkLayer::kEthernet;
  if (const Link* link = view.find_link(frame.ifindex)) {
    set_ethernet(frame, sender, link->mac);
    frame.egress_layer = link->layer;
  }
  frame.egress_ifindex = frame.ifindex;
  return set(frame, Verdict::kAnswer);
}

}  // namespace uvs

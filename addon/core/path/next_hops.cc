// Route lookup happens once a connection and direction; the rest is one array access a packet.
// A neighbour is touched at most once a second: host does not need it more often, and the word is
// shared.
#include "core/path/next_hops.h"

namespace uvs {

NextHops::Found NextHops::find(Family family, const IpAddress& destination, uint64_t flow_hash) {
  const RouteLookup route = view_->routes.lookup(family, destination, flow_hash);
  if (route.kind != RouteKind::kUnicast) return {.kind = route.kind};
  const Link* link = view_->find_link(route.ifindex);
  const LinkLayer layer = link == nullptr ? LinkLayer::kEthernet : link->layer;
  if (layer == LinkLayer::kOther) return {.kind = RouteKind::kUnreachable};
  if (layer == LinkLayer::kNone) {
    const size_t index = kFirstLink + static_cast<size_t>(link - view_->links.data());
    return {.kind = RouteKind::kUnicast,
            .index = index < kNoNeighbour ? static_cast<NeighbourIndex>(index) : kNoNeighbour};
  }
  const NeighbourIndex index = neighbours_.find_or_request(
      {.ifindex = route.ifindex, .family = route.next_hop_family, .address = route.next_hop});
  if (index != kNoNeighbour && egresses_[index].ifindex != route.ifindex) {
    egresses_[index] = Egress{};
    egresses_[index].ifindex = route.ifindex;
  }
  return {.kind = RouteKind::kUnicast, .index = index};
}

const Egress* NextHops::egress(NeighbourIndex index) {
  Egress& egress = egresses_[index];
  if (egress.view_generation != view_->generation || egress.mtu == 0) {
    const Link* link = index >= kFirstLink ? &view_->links[index - kFirstLink]
                                           : view_->find_link(egress.ifindex);
    if (link == nullptr) return nullptr;
    egress.ifindex = link->ifindex;
    egress.mtu = link->mtu;
    egress.mac = link->mac;
    egress.layer = link->layer;
    egress.view_generation = view_->generation;
  }
  return &egress;
}

NeighbourAnswer NextHops::answer(NeighbourIndex index, Micros now) {
  if (index >= kFirstLink) return {.state = NeighbourState::kResolved, .mac = {}};
  Egress& egress = egresses_[index];
  if (now - egress.touched_at >= kMicrosPerSecond) {
    neighbours_.touch(index, now);
    egress.touched_at = now;
  }
  return neighbours_.answer(index);
}

}  // namespace uvs

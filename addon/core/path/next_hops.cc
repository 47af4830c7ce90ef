// Route lookup happens once a connection and direction; the rest is one array access a packet.
// A neighbour is touched at most once a second: host does not need it more often, and the word is
// shared.
#include "core/path/next_hops.h"

#include <algorithm>

namespace uvs {

NextHops::Found NextHops::find(Family family, const IpAddress& destination, uint64_t flow_hash) {
  const RouteLookup route = view_->routes.lookup(family, destination, flow_hash);
  if (route.kind != RouteKind::kUnicast) return {.kind = route.kind};
  const Link* link = view_->find_link(route.ifindex);
  const LinkLayer layer = link == nullptr ? LinkLayer::kEthernet : link->layer;
  if (layer == LinkLayer::kOther) return {.kind = RouteKind::kUnreachable};
  NeighbourIndex index = kNoNeighbour;
  if (layer == LinkLayer::kNone) {
    const size_t place = kFirstLink + static_cast<size_t>(link - view_->links.data());
    if (place < kFirstNarrow) index = static_cast<NeighbourIndex>(place);
  } else {
    index = neighbours_.find_or_request(
        {.ifindex = route.ifindex, .family = route.next_hop_family, .address = route.next_hop});
    if (index != kNoNeighbour && egresses_[index].ifindex != route.ifindex) {
      egresses_[index] = Egress{};
      egresses_[index].ifindex = route.ifindex;
    }
  }
  if (index != kNoNeighbour && route.mtu != 0) index = narrowed(index, route.mtu);
  return {.kind = RouteKind::kUnicast, .index = index};
}

NeighbourIndex NextHops::narrowed(NeighbourIndex index, uint32_t mtu) {
  const Narrow narrow{index, mtu};
  const auto found = narrow_places_.find(narrow);
  if (found != narrow_places_.end()) return found->second;
  if (narrow_.size() == kNarrowWays) return index;
  const auto place = static_cast<NeighbourIndex>(kFirstNarrow + narrow_.size());
  narrow_.push_back(narrow);
  narrow_places_.emplace(narrow, place);
  return place;
}

const Egress* NextHops::egress(NeighbourIndex index) {
  Egress& egress = egresses_[index];
  if (index >= kFirstNarrow) {
    const Narrow& narrow = narrow_[index - kFirstNarrow];
    const Egress* whole = this->egress(narrow.way);
    if (whole == nullptr) return nullptr;
    egress = *whole;
    egress.mtu = std::min(egress.mtu, narrow.mtu);
    return &egress;
  }
  if (egress.view_generation == view_->generation && egress.mtu != 0) return &egress;
  const Link* link = index >= kFirstLink ? &view_->links[index - kFirstLink]
                                         : view_->find_link(egress.ifindex);
  if (link == nullptr) return nullptr;
  egress.ifindex = link->ifindex;
  egress.mtu = link->mtu;
  egress.mac = link->mac;
  egress.layer = link->layer;
  egress.view_generation = view_->generation;
  return &egress;
}

NeighbourAnswer NextHops::answer(NeighbourIndex index, Micros now) {
  index = way_of(index);
  if (index >= kFirstLink) return {.state = NeighbourState::kResolved, .mac = {}};
  Egress& egress = egresses_[index];
  if (now - egress.touched_at >= kMicrosPerSecond) {
    neighbours_.touch(index, now);
    egress.touched_at = now;
  }
  return neighbours_.answer(index);
}

}  // namespace uvs

// The worker's own view of next hops: routes from the host view, MACs from the neighbour table, and
// per neighbour the device that leads there. A device without a link layer has one far end and no
// neighbours: it is itself the next hop, whatever the address. A route with an MTU of its own makes a narrower way of
// its next hop. Connections keep the index that find() gave, as long as epoch() is what it was.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/forward/host_view.h"
#include "core/forward/neighbour_table.h"
#include "core/net/reserved_array.h"
#include "core/net/time.h"

namespace uvs {

struct Egress {
  uint32_t ifindex = 0;
  uint32_t mtu = 0;
  MacAddress mac;
  LinkLayer layer = LinkLayer::kEthernet;
  uint32_t view_generation = 0;  // of the two above
  Micros touched_at = 0;
};

class NextHops {
 public:
  explicit NextHops(NeighbourTable& neighbours)
      : neighbours_(neighbours), egresses_(kNoNeighbour) {}

  bool is_ready() const { return egresses_.is_ready() && neighbours_.is_ready(); }

  void adopt(const HostView& view) {
    view_ = &view;
    epoch_++;
  }
  const HostView& view() const { return *view_; }

  // Changes when routes did, or when neighbours were given up: what was found before is to be found
  // again. Never 0.
  uint32_t epoch() {
    if (neighbours_.recycled() != recycled_) {
      recycled_ = neighbours_.recycled();
      epoch_++;
    }
    return epoch_;
  }

  struct Found {
    RouteKind kind = RouteKind::kUnreachable;
    NeighbourIndex index = kNoNeighbour;  // for kUnicast; kNoNeighbour: the neighbour table is full
  };
  // When there are more than kNarrowWays of them, the device's MTU counts.
  // kUnreachable also when the route leads by a device that we can't send by. `flow_hash` picks among equal routes.
  Found find(Family family, const IpAddress& destination, uint64_t flow_hash);

  // The way out to `index`; null when its device is gone.
  const Egress* egress(NeighbourIndex index);

  // What is known of the neighbour; marks it as in use.
  NeighbourAnswer answer(NeighbourIndex index, Micros now);

 private:
  // Indices from here on are places in the view's links: they are as good as epoch() is.
  static constexpr size_t kFirstLink = NeighbourTable::kCapacity;
  // From here on they are narrower ways of the indices before. They stay: packets that wait know them,
  // and one MTU for each neighbour has room.
  static constexpr size_t kFirstNarrow = 3 * NeighbourTable::kCapacity;
  static constexpr size_t kNarrowWays = kNoNeighbour - kFirstNarrow;
  struct Narrow {
    NeighbourIndex way = kNoNeighbour;
    uint32_t mtu = 0;
    auto operator<=>(const Narrow&) const = default;
  };

  NeighbourIndex narrowed(NeighbourIndex index, uint32_t mtu);
  NeighbourIndex way_of(NeighbourIndex index) const {
    return index < kFirstNarrow ? index : narrow_[index - kFirstNarrow].way;
  }

  NeighbourTable& neighbours_;
  const HostView* view_ = nullptr;
  ReservedArray<Egress> egresses_;  // by index
  std::vector<Narrow> narrow_;
  std::map<Narrow, NeighbourIndex> narrow_places_;
  uint32_t epoch_ = 0;
  uint32_t recycled_ = 0;
};

}  // namespace uvs

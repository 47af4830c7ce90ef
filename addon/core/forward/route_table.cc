// Building: sort by prefix, then sweep over the addresses once with a stack of the prefixes that
// are open. n prefixes give at most 2n + 1 ranges. Finding: binary search, then the flow's share
// among equal next hops.
#include "core/forward/route_table.h"

#include <algorithm>
#include <unordered_map>

namespace uvs {
namespace {

constexpr unsigned kBits32 = 32, kBits64 = 64;

// Addresses as numbers. `successor` of the last address is address 0: the sweep takes that for
// "nothing behind it".
uint32_t key_of(const IpAddress& address, uint32_t) { return address.ipv4_host(); }
uint32_t masked(uint32_t key, unsigned length) {
  return length == 0 ? 0 : key & ~uint32_t{0} << (kBits32 - length);
}
uint32_t last_of(uint32_t key, unsigned length) {
  return length == kBits32 ? key : key | ~uint32_t{0} >> length;
}
uint32_t successor(uint32_t key) { return key + 1; }

template <typename Key>
Key key_of(const IpAddress& address, Key) {
  const uint8_t* bytes = address.bytes.data();
  return {__builtin_bswap64(load<uint64_t>(bytes)), __builtin_bswap64(load<uint64_t>(bytes + 8))};
}
template <typename Key>
Key masked(Key key, unsigned length) {
  const auto mask = [](uint64_t word, unsigned bits) {
    return bits == 0 ? 0 : word & ~uint64_t{0} << (kBits64 - bits);
  };
  return {mask(key.high, std::min(length, kBits64)),
          length <= kBits64 ? 0 : mask(key.low, length - kBits64)};
}
template <typename Key>
Key last_of(Key key, unsigned length) {
  const auto fill = [](uint64_t word, unsigned bits) {
    return bits >= kBits64 ? word : word | ~uint64_t{0} >> bits;
  };
  return {fill(key.high, length),
          length <= kBits64 ? ~uint64_t{0} : fill(key.low, length - kBits64)};
}
template <typename Key>
Key successor(Key key) {
  return {key.low == ~uint64_t{0} ? key.high + 1 : key.high, key.low + 1};
}

}  // namespace

template <typename Key>
uint32_t RouteTable::Ranges<Key>::find(const Key& key) const {
  const auto next = std::upper_bound(starts.begin(), starts.end(), key);
  return next == starts.begin() ? kNoRoute
                                : entries[static_cast<size_t>(next - starts.begin()) - 1];
}

// What is needed while building only.
class RouteTable::Builder {
 public:
  Builder(RouteTable& table, std::span<const Route> routes) : table_(table), routes_(routes) {}

  template <typename Key>
  void build(Family family, Ranges<Key>& ranges);

 private:
  uint32_t entry_of(const Route& route);
  bool leads_there(const Entry& entry, const Route& route) const;

  RouteTable& table_;
  std::span<const Route> routes_;
  std::unordered_multimap<uint64_t, uint32_t> entries_by_hash_;
};

bool RouteTable::Builder::leads_there(const Entry& entry, const Route& route) const {
  if (entry.kind != route.kind) return false;
  if (entry.kind != RouteKind::kUnicast) return true;
  const auto first = table_.next_hops_.begin() + entry.first_hop;
  return std::equal(first, first + entry.hop_count, route.next_hops.begin(), route.next_hops.end());
}

// The entry that `route` leads to, made when there is none yet.
uint32_t RouteTable::Builder::entry_of(const Route& route) {
  uint64_t hash = static_cast<uint64_t>(route.kind);
  for (const NextHop& hop : route.next_hops) {
    hash = (hash ^ hop.ifindex ^ load<uint64_t>(hop.gateway.bytes.data()) ^
            load<uint64_t>(&hop.gateway.bytes[8])) *
           0x9e3779b97f4a7c15u;
  }
  const auto [begin, end] = entries_by_hash_.equal_range(hash);
  for (auto found = begin; found != end; ++found) {
    if (leads_there(table_.entries_[found->second], route)) return found->second;
  }

  Entry entry{route.kind, 0, static_cast<uint32_t>(table_.next_hops_.size()), 0};
  if (route.kind == RouteKind::kUnicast) {
    for (const NextHop& hop : route.next_hops) {
      table_.next_hops_.push_back(hop);
      entry.total_weight += std::max<uint32_t>(hop.weight, 1);
      if (++entry.hop_count == 0xffff) break;
    }
    if (entry.hop_count == 0) entry.kind = RouteKind::kUnreachable;
  }
  const auto index = static_cast<uint32_t>(table_.entries_.size());
  table_.entries_.push_back(entry);
  entries_by_hash_.emplace(hash, index);
  return index;
}

template <typename Key>
void RouteTable::Builder::build(Family family, Ranges<Key>& ranges) {
  struct Prefix {
    Key first, last;
    uint32_t route;  // place in `routes`
  };
  std::vector<Prefix> prefixes;
  for (size_t i = 0; i < routes_.size(); i++) {
    const Route& route = routes_[i];
    if (route.family != family || route.prefix_length > address_size(family) * 8) continue;
    const Key first = masked(key_of(route.prefix, Key{}), route.prefix_length);
    prefixes.push_back({first, last_of(first, route.prefix_length), static_cast<uint32_t>(i)});
  }
  if (prefixes.empty()) return;
  // A prefix before those inside it; equal ones by metric, then as they came.
  std::sort(prefixes.begin(), prefixes.end(), [this](const Prefix& a, const Prefix& b) {
    if (a.first != b.first) return a.first < b.first;
    if (a.last != b.last) return a.last > b.last;
    if (routes_[a.route].metric != routes_[b.route].metric)
      return routes_[a.route].metric < routes_[b.route].metric;
    return a.route < b.route;
  });

  struct Open {
    Key last;
    uint32_t entry;
  };
  std::vector<Open> open;  // each inside the one below it
  const auto start = [&ranges](const Key& key, uint32_t entry) {
    if (!ranges.starts.empty() && ranges.starts.back() == key) {
      ranges.entries.back() = entry;  // a longer prefix begins where the shorter one does
    } else if (ranges.entries.empty() || ranges.entries.back() != entry) {
      ranges.starts.push_back(key);
      ranges.entries.push_back(entry);
    }
  };
  const auto close = [&] {
    const Key behind = successor(open.back().last);
    open.pop_back();
    if (behind != Key{}) start(behind, open.empty() ? kNoRoute : open.back().entry);
  };
  start(Key{}, kNoRoute);
  for (size_t i = 0; i < prefixes.size(); i++) {
    const Prefix& prefix = prefixes[i];
    if (i > 0 && prefix.first == prefixes[i - 1].first && prefix.last == prefixes[i - 1].last)
      continue;
    while (!open.empty() && open.back().last < prefix.first) close();
    const uint32_t entry = entry_of(routes_[prefix.route]);
    table_.size_++;
    start(prefix.first, entry);
    open.push_back({prefix.last, entry});
  }
  while (!open.empty()) close();
  ranges.starts.shrink_to_fit();
  ranges.entries.shrink_to_fit();
}

RouteTable::RouteTable(std::span<const Route> routes) {
  Builder builder(*this, routes);
  builder.build(Family::kIpv4, ipv4_);
  builder.build(Family::kIpv6, ipv6_);
  entries_.shrink_to_fit();
  next_hops_.shrink_to_fit();
}

const RouteTable::Entry* RouteTable::find(Family family, const IpAddress& destination) const {
  const uint32_t index = family == Family::kIpv4 ? ipv4_.find(key_of(destination, uint32_t{}))
                                                 : ipv6_.find(key_of(destination, Ipv6Key{}));
  return index == kNoRoute ? nullptr : &entries_[index];
}

SourceWay RouteTable::way_to(Family family, const IpAddress& source, uint32_t ifindex) const {
  const Entry* entry = find(family, source);
  if (entry == nullptr) return {};
  SourceWay way{.kind = entry->kind};
  const std::span<const NextHop> hops{next_hops_.data() + entry->first_hop, entry->hop_count};
  way.is_by_device = std::ranges::any_of(
      hops, [ifindex](const NextHop& hop) { return hop.ifindex == ifindex; });
  return way;
}

RouteLookup RouteTable::lookup(Family family, const IpAddress& destination,
                               uint64_t flow_hash) const {
  RouteLookup result;
  const Entry* found = find(family, destination);
  if (found == nullptr) return result;
  const Entry& entry = *found;
  result.kind = entry.kind;
  if (entry.kind != RouteKind::kUnicast) return result;

  const NextHop* hop = &next_hops_[entry.first_hop];
  if (entry.hop_count > 1) {
    // The multiplication spreads a hash of which only some bits are good; its upper half becomes
    // the share.
    const uint64_t mixed = flow_hash * 0x9e3779b97f4a7c15u >> 32;
    const auto share = static_cast<uint32_t>(mixed * entry.total_weight >> 32);
    uint32_t behind = std::max<uint32_t>(hop->weight, 1);
    while (share >= behind) {
      hop++;
      behind += std::max<uint32_t>(hop->weight, 1);
    }
  }
  result.ifindex = hop->ifindex;
  result.next_hop_family = hop->is_on_link ? family : hop->gateway_family;
  result.next_hop = hop->is_on_link ? destination : hop->gateway;
  return result;
}

}  // namespace uvs

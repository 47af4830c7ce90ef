// Building a part: sweep over its addresses once with a stack of the prefixes that are open. n
// prefixes give at most 2n + 1 ranges. Finding: binary search, then the flow's share among equal next
// hops.
#include "core/forward/route_table.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace uvs {
namespace {

constexpr unsigned kBits32 = 32, kBits64 = 64;

// Addresses as numbers.
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
uint32_t RouteTable::Part<Key>::find(const Key& key) const {
  const auto next = std::upper_bound(starts.begin(), starts.end(), key);
  return places[static_cast<size_t>(next - starts.begin()) - 1];
}

template <typename Key>
const RouteTable::Part<Key>* RouteTable::Parts<Key>::of(const IpAddress& address) const {
  if (!narrow.empty()) {
    if (const Part<Key>* part = narrow[part_of(address)].get()) return part;
  }
  return wide.get();
}

template <typename Key>
size_t RouteTable::Parts<Key>::size() const {
  size_t sum = wide ? wide->size : 0;
  for (const auto& part : narrow) sum += part ? part->size : 0;
  return sum;
}

// Makes the part from `first` to `last`. Routes come with a prefix before those inside it, equal ones
// by table and metric.
template <typename Key>
class RouteTable::Builder {
 public:
  Builder(const Key& first, const Key& last, bool is_local_first)
      : first_(first), last_(last), is_local_first_(is_local_first) {
    start(first, kNoRoute);
  }

  // `is_own`: the prefix belongs to this part alone.
  void add(const Route& route, bool is_own);
  std::shared_ptr<const Part<Key>> finish();

 private:
  // What the tables say inside a prefix: the one that is asked first, and the other.
  struct Said {
    uint32_t first = kNoRoute, then = kNoRoute;
    uint32_t entry() const { return first != kNoRoute ? first : then; }
  };
  struct Open {
    Key last;
    Said said;
  };

  void start(const Key& key, uint32_t entry);
  void close();
  Said said() const { return open_.empty() ? Said{} : open_.back().said; }
  bool is_asked_first(const Route& route) const { return is_local_first_ && route.is_in_local_table; }
  bool is_decided(const Route& route) const;
  uint32_t entry_of(const Route& route);
  bool leads_there(const Entry& entry, const Route& route) const;

  const Key first_, last_;
  const bool is_local_first_;
  std::shared_ptr<Part<Key>> part_ = std::make_shared<Part<Key>>();
  std::vector<Open> open_;  // each inside the one below it
  const Route* before_ = nullptr;
  std::unordered_multimap<uint64_t, uint32_t> entries_by_hash_;
};

template <typename Key>
bool RouteTable::Builder<Key>::leads_there(const Entry& entry, const Route& route) const {
  if (entry.kind != route.kind) return false;
  if (entry.kind != RouteKind::kUnicast) return true;
  if (entry.mtu != route.mtu) return false;
  const auto first = part_->ways.next_hops.begin() + entry.first_hop;
  return std::equal(first, first + entry.hop_count, route.next_hops.begin(), route.next_hops.end());
}

// The entry that `route` leads to, made when there is none yet.
template <typename Key>
uint32_t RouteTable::Builder<Key>::entry_of(const Route& route) {
  uint64_t hash = static_cast<uint64_t>(route.kind);
  for (const NextHop& hop : route.next_hops) {
    hash = (hash ^ hop.ifindex ^ load<uint64_t>(hop.gateway.bytes.data()) ^
            load<uint64_t>(&hop.gateway.bytes[8])) *
           0x9e3779b97f4a7c15u;
  }
  Ways& ways = part_->ways;
  const auto [begin, end] = entries_by_hash_.equal_range(hash);
  for (auto found = begin; found != end; ++found) {
    if (leads_there(ways.entries[found->second], route)) return found->second;
  }

  Entry entry{route.kind, 0, static_cast<uint32_t>(ways.next_hops.size()), 0, route.mtu};
  if (route.kind == RouteKind::kUnicast) {
    for (const NextHop& hop : route.next_hops) {
      ways.next_hops.push_back(hop);
      entry.total_weight += std::max<uint32_t>(hop.weight, 1);
      if (++entry.hop_count == 0xffff) break;
    }
  }
  const auto index = static_cast<uint32_t>(ways.entries.size());
  ways.entries.push_back(entry);
  entries_by_hash_.emplace(hash, index);
  return index;
}

template <typename Key>
void RouteTable::Builder<Key>::start(const Key& key, uint32_t entry) {
  if (!part_->starts.empty() && part_->starts.back() == key) {
    part_->places.back() = entry;  // a longer prefix begins where the shorter one does
  } else if (part_->places.empty() || part_->places.back() != entry) {
    part_->starts.push_back(key);
    part_->places.push_back(entry);
  }
}

template <typename Key>
void RouteTable::Builder<Key>::close() {
  const Key last = open_.back().last;
  open_.pop_back();
  if (last != last_) start(successor(last), said().entry());
}

// Another route of the same prefix and table was there before it.
template <typename Key>
bool RouteTable::Builder<Key>::is_decided(const Route& route) const {
  return before_ != nullptr && before_->prefix == route.prefix && before_->prefix_length == route.prefix_length &&
         is_asked_first(*before_) == is_asked_first(route);
}

template <typename Key>
void RouteTable::Builder<Key>::add(const Route& route, bool is_own) {
  const bool is_dead = route.kind == RouteKind::kUnicast && route.next_hops.empty();
  if (is_dead || is_decided(route)) return;
  before_ = &route;
  const Key key = masked(key_of(route.prefix, Key{}), route.prefix_length);
  const Key first = std::max(key, first_), last = std::min(last_of(key, route.prefix_length), last_);
  while (!open_.empty() && open_.back().last < first) close();
  Said inside = said();
  (is_asked_first(route) ? inside.first : inside.then) =
      route.kind == RouteKind::kThrow ? kNoRoute : entry_of(route);
  if (is_own) part_->size++;
  start(first, inside.entry());
  open_.push_back({last, inside});
}

template <typename Key>
std::shared_ptr<const RouteTable::Part<Key>> RouteTable::Builder<Key>::finish() {
  while (!open_.empty()) close();
  part_->starts.shrink_to_fit();
  part_->places.shrink_to_fit();
  part_->ways.entries.shrink_to_fit();
  part_->ways.next_hops.shrink_to_fit();
  return part_;
}

RouteTable::RouteTable(std::span<const Route> routes) {
  RouteSet set;
  set.assign({routes.begin(), routes.end()});
  *this = set.table();
}

size_t RouteTable::size() const { return ipv4_.size() + ipv6_.size(); }

template <typename Key>
RouteTable::Found RouteTable::find(const Parts<Key>& parts, const IpAddress& destination) {
  const Part<Key>* part = parts.of(destination);
  if (part == nullptr) return {};
  const uint32_t place = part->find(key_of(destination, Key{}));
  if (place == kNoRoute) return {};
  return {&part->ways, &part->ways.entries[place]};
}

RouteTable::Found RouteTable::find(Family family, const IpAddress& destination) const {
  return family == Family::kIpv4 ? find(ipv4_, destination) : find(ipv6_, destination);
}

SourceWay RouteTable::way_to(Family family, const IpAddress& source, uint32_t ifindex) const {
  const Found found = find(family, source);
  if (found.entry == nullptr) return {};
  SourceWay way{.kind = found.entry->kind};
  const std::span<const NextHop> hops{found.ways->next_hops.data() + found.entry->first_hop, found.entry->hop_count};
  way.is_by_device = std::ranges::any_of(
      hops, [ifindex](const NextHop& hop) { return hop.ifindex == ifindex; });
  return way;
}

RouteLookup RouteTable::lookup(Family family, const IpAddress& destination,
                               uint64_t flow_hash) const {
  RouteLookup result;
  const Found found = find(family, destination);
  if (found.entry == nullptr) return result;
  const Entry& entry = *found.entry;
  result.kind = entry.kind;
  if (entry.kind != RouteKind::kUnicast) return result;

  const NextHop* hop = &found.ways->next_hops[entry.first_hop];
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
  result.mtu = entry.mtu;
  result.next_hop_family = hop->is_on_link ? family : hop->gateway_family;
  result.next_hop = hop->is_on_link ? destination : hop->gateway;
  return result;
}

// --- RouteSet --------------------------------------------------------------------------------------

namespace {

auto rank(const Route& route) {
  return std::tuple(route.prefix.bytes, route.prefix_length, !route.is_in_local_table, route.metric);
}
bool is_before(const Route& a, const Route& b) { return rank(a) < rank(b); }

// Without bits behind the prefix, so that equal prefixes are equal.
IpAddress masked(const Route& route) {
  IpAddress prefix = route.prefix;
  for (size_t i = 0; i < prefix.bytes.size(); i++) {
    const size_t kept = std::clamp<size_t>(route.prefix_length, i * 8, i * 8 + 8) - i * 8;
    prefix.bytes[i] = static_cast<uint8_t>(prefix.bytes[i] & 0xff00 >> kept);
  }
  return prefix;
}

// A route with the prefix as it stands in a set.
Route with_masked_prefix(Route route) {
  route.prefix = masked(route);
  return route;
}

}  // namespace

bool RouteSet::is_good(const Route& route) {
  return route.prefix_length <= address_size(route.family) * 8;
}

bool RouteSet::assign(std::vector<Route> routes) {
  struct Fresh {
    std::vector<Route> wide;
    std::vector<std::vector<Route>> narrow;
  };
  Fresh fresh[2];
  for (Route& route : routes) {
    if (!is_good(route)) continue;
    route.prefix = masked(route);
    Fresh& into = fresh[route.family == Family::kIpv4 ? 0 : 1];
    if (route.prefix_length < RouteTable::kPartBits) {
      into.wide.push_back(std::move(route));
    } else {
      into.narrow.resize(RouteTable::kParts);
      into.narrow[RouteTable::part_of(route.prefix)].push_back(std::move(route));
    }
  }
  const bool has_ipv4_changed = assign(ipv4_, std::move(fresh[0].wide), std::move(fresh[0].narrow));
  const bool has_ipv6_changed = assign(ipv6_, std::move(fresh[1].wide), std::move(fresh[1].narrow));
  return has_ipv4_changed || has_ipv6_changed;
}

bool RouteSet::assign(Sorted& sorted, std::vector<Route> wide, std::vector<std::vector<Route>> narrow) {
  std::stable_sort(wide.begin(), wide.end(), is_before);
  for (std::vector<Route>& part : narrow) std::stable_sort(part.begin(), part.end(), is_before);
  sorted.narrow.resize(std::max(sorted.narrow.size(), narrow.size()));
  narrow.resize(sorted.narrow.size());
  bool has_changed = false;
  for (size_t i = 0; i < narrow.size(); i++) {
    if (narrow[i] == sorted.narrow[i]) continue;
    sorted.narrow[i] = std::move(narrow[i]);
    sorted.changed.push_back(i);
    has_changed = true;
  }
  if (wide == sorted.wide) return has_changed;
  sorted.wide = std::move(wide);
  note_all_changed(sorted);
  return true;
}

void RouteSet::note_all_changed(Sorted& sorted) {
  sorted.has_wide_changed = true;
  for (size_t i = 0; i < sorted.narrow.size(); i++) sorted.changed.push_back(i);
}

void RouteSet::ask_local_table_first(Family family, bool is_first) {
  Sorted& sorted = of(family);
  if (std::exchange(sorted.is_local_first, is_first) != is_first) note_all_changed(sorted);
}

std::vector<Route> RouteSet::equals(const Route& like) const {
  const Route key = with_masked_prefix(like);
  const Sorted& sorted = key.family == Family::kIpv4 ? ipv4_ : ipv6_;
  if (!is_good(key)) return {};
  const bool is_wide = key.prefix_length < RouteTable::kPartBits;
  if (!is_wide && sorted.narrow.empty()) return {};
  const std::vector<Route>& part = is_wide ? sorted.wide : sorted.narrow[RouteTable::part_of(key.prefix)];
  const auto [begin, end] = std::equal_range(part.begin(), part.end(), key, is_before);
  return {begin, end};
}

void RouteSet::replace_equals(const Route& like, const std::vector<Route>& routes) {
  const Route key = with_masked_prefix(like);
  if (!is_good(key)) return;
  Sorted& sorted = of(key.family);
  const bool is_wide = key.prefix_length < RouteTable::kPartBits;
  if (!is_wide) sorted.narrow.resize(RouteTable::kParts);
  std::vector<Route>& part = is_wide ? sorted.wide : sorted.narrow[RouteTable::part_of(key.prefix)];
  const auto [begin, end] = std::equal_range(part.begin(), part.end(), key, is_before);
  const auto place = part.erase(begin, end);
  const auto first = part.insert(place, routes.begin(), routes.end());
  for (size_t i = 0; i < routes.size(); i++) (first + static_cast<ptrdiff_t>(i))->prefix = key.prefix;
  note_change(sorted, key);
}

void RouteSet::note_change(Sorted& sorted, const Route& route) {
  const size_t first = RouteTable::part_of(route.prefix);
  if (route.prefix_length >= RouteTable::kPartBits) {
    sorted.changed.push_back(first);
    return;
  }
  sorted.has_wide_changed = true;
  const size_t count = RouteTable::kParts >> route.prefix_length;
  for (size_t i = first; i < std::min(first + count, sorted.narrow.size()); i++) sorted.changed.push_back(i);
}

template <typename Key>
void RouteSet::build(Sorted& sorted, RouteTable::Parts<Key>& parts) {
  if (sorted.has_wide_changed) {
    RouteTable::Builder<Key> builder(Key{}, last_of(Key{}, 0), sorted.is_local_first);
    for (const Route& route : sorted.wide) builder.add(route, true);
    parts.wide = builder.finish();
  }
  std::ranges::sort(sorted.changed);
  sorted.changed.erase(std::unique(sorted.changed.begin(), sorted.changed.end()), sorted.changed.end());
  if (!sorted.changed.empty()) parts.narrow.resize(RouteTable::kParts);
  for (const size_t i : sorted.changed) {
    if (sorted.narrow[i].empty()) {
      parts.narrow[i] = nullptr;
      continue;
    }
    const Key first = RouteTable::start_of(i, Key{});
    RouteTable::Builder<Key> builder(first, last_of(first, RouteTable::kPartBits), sorted.is_local_first);
    for (const Route& route : sorted.wide) {
      const size_t from = RouteTable::part_of(route.prefix), count = RouteTable::kParts >> route.prefix_length;
      if (from <= i && i - from < count) builder.add(route, false);
    }
    for (const Route& route : sorted.narrow[i]) builder.add(route, true);
    parts.narrow[i] = builder.finish();
  }
  sorted.changed.clear();
  sorted.has_wide_changed = false;
}

const RouteTable& RouteSet::table() {
  build(ipv4_, table_.ipv4_);
  build(ipv6_, table_.ipv6_);
  return table_;
}

}  // namespace uvs

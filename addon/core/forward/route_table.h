// Longest-prefix table of both families, immutable once built: mirrored from the kernel's local and
// main table by host. Lookup happens once a connection and direction (the connection keeps the answer),
// so it is built for size and clarity before speed: the prefixes are flattened into ranges of
// addresses, and a lookup is one binary search. In parts by the first bits of an address, so that a
// table with some other routes shares all parts but theirs: see RouteSet.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/net/address.h"

namespace uvs {

// kBroadcast: of a network of ours. Nothing is sent there, and nothing comes from there. kThrow: the search in
// this table ends; no lookup says so.
enum class RouteKind : uint8_t { kUnicast, kLocal, kUnreachable, kBroadcast, kThrow };

struct NextHop {
  uint32_t ifindex = 0;
  bool is_on_link = true;  // the packet's own destination is the neighbour; else `gateway`
  IpAddress gateway;
  Family gateway_family = Family::kIpv4;  // an IPv4 route may have an IPv6 gateway (RFC 8950)
  uint32_t weight = 1;                    // ECMP share; the kernel's has 16 bits, and counts from 1
  bool operator==(const NextHop&) const = default;
};

struct Route {
  Family family = Family::kIpv4;
  IpAddress prefix;
  uint8_t prefix_length = 0;
  bool is_in_local_table = false;  // else in the main table; of equal prefixes the one of the local table wins
  uint32_t metric = 0;             // the lowest wins among equal prefixes of a table
  RouteKind kind = RouteKind::kUnicast;
  uint32_t mtu = 0;  // of the route itself (RTAX_MTU); 0: that of the device
  std::vector<NextHop> next_hops;
  bool operator==(const Route&) const = default;
};

struct RouteLookup {
  RouteKind kind = RouteKind::kUnreachable;
  uint32_t ifindex = 0;
  Family next_hop_family = Family::kIpv4;
  IpAddress next_hop;  // the gateway, or the destination itself when it is on the link
  uint32_t mtu = 0;    // as Route::mtu
};

// How what is sent to a source would leave.
struct SourceWay {
  RouteKind kind = RouteKind::kUnreachable;
  bool is_by_device = false;  // by the device that was asked about, or by it among others
};

class RouteTable {
 public:
  RouteTable() = default;
  // Control side: allocates. Bits of a prefix behind its length are ignored, so is a route whose
  // length is beyond its family's. Of two routes that differ in nothing but next hops the first
  // counts. A unicast route without next hops (they are dead) is passed over, as the kernel does: the next
  // metric or a shorter prefix counts. A weight of 0 counts as 1.
  explicit RouteTable(std::span<const Route> routes);

  // `flow_hash` picks among equal next hops, so that a connection keeps to one. No route:
  // kUnreachable.
  RouteLookup lookup(Family family, const IpAddress& destination, uint64_t flow_hash) const;
  SourceWay way_to(Family family, const IpAddress& source, uint32_t ifindex) const;
  // Routes that can be found: one for each prefix.
  size_t size() const;

 private:
  friend class RouteSet;
  static constexpr uint32_t kNoRoute = 0xffffffff;
  // Prefixes that are shorter lie in many parts.
  static constexpr unsigned kPartBits = 12;
  static constexpr size_t kParts = size_t{1} << kPartBits;

  // What prefixes lead to; the next hops stand in Ways::next_hops from `first_hop` on. Routes that lead
  // the same way share one: a full table has a hundred thousand routes and a handful of ways.
  struct Entry {
    RouteKind kind;
    uint16_t hop_count;
    uint32_t first_hop;
    uint32_t total_weight;
    uint32_t mtu;
  };
  struct Ways {
    std::vector<Entry> entries;
    std::vector<NextHop> next_hops;
  };
  struct Ipv6Key {
    uint64_t high = 0, low = 0;  // host order
    auto operator<=>(const Ipv6Key&) const = default;
  };
  // The entry of an address is that of the last start at or below it: two parallel arrays, since
  // the search walks through the starts alone.
  template <typename Key>
  struct Part {
    std::vector<Key> starts;       // the first is that of the part
    std::vector<uint32_t> places;  // in ways.entries, or kNoRoute
    Ways ways;
    size_t size = 0;  // prefixes that belong to this part alone

    uint32_t find(const Key& key) const;
  };
  template <typename Key>
  struct Parts {
    std::shared_ptr<const Part<Key>> wide;                 // of prefixes shorter than kPartBits
    std::vector<std::shared_ptr<const Part<Key>>> narrow;  // by those bits; null: `wide` says it. Empty: none

    const Part<Key>* of(const IpAddress& address) const;
    size_t size() const;
  };
  struct Found {
    const Ways* ways = nullptr;
    const Entry* entry = nullptr;  // null: no route
  };
  template <typename Key>
  class Builder;

  static size_t part_of(const IpAddress& address) {
    return size_t{address.bytes[0]} << 4 | address.bytes[1] >> 4;
  }
  static uint32_t start_of(size_t part, uint32_t) { return static_cast<uint32_t>(part) << (32 - kPartBits); }
  static Ipv6Key start_of(size_t part, const Ipv6Key&) { return {uint64_t{part} << (64 - kPartBits), 0}; }
  template <typename Key>
  static Found find(const Parts<Key>& parts, const IpAddress& destination);
  Found find(Family family, const IpAddress& destination) const;

  Parts<uint32_t> ipv4_;
  Parts<Ipv6Key> ipv6_;
};

// The routes that tables are made of, as they change. A change costs what the part costs that it is in.
class RouteSet {
 public:
  RouteSet() = default;

  // True: the whole local table is asked before the main one. False: both are one, and the longest prefix of
  // them wins. Both is the kernel's doing: see RouteMirror.
  void ask_local_table_first(Family family, bool is_first);

  // All routes anew, in any order; of equals the first counts. False: they are what they were.
  bool assign(std::vector<Route> routes);
  // Those with family, prefix and metric of `like`; the first counts.
  std::vector<Route> equals(const Route& like) const;
  // These in the place of the equals of `like`.
  void replace_equals(const Route& like, const std::vector<Route>& routes);
  // Shares with the one before what is the same.
  const RouteTable& table();

 private:
  // One family's, each part sorted by prefix, length and metric.
  struct Sorted {
    std::vector<Route> wide;
    std::vector<std::vector<Route>> narrow;  // by part; empty: none
    std::vector<size_t> changed;             // parts
    bool has_wide_changed = false;
    bool is_local_first = false;
  };

  static bool is_good(const Route& route);
  Sorted& of(Family family) { return family == Family::kIpv4 ? ipv4_ : ipv6_; }
  static bool assign(Sorted& sorted, std::vector<Route> wide, std::vector<std::vector<Route>> narrow);
  static void note_change(Sorted& sorted, const Route& route);
  static void note_all_changed(Sorted& sorted);
  template <typename Key>
  static void build(Sorted& sorted, RouteTable::Parts<Key>& parts);

  Sorted ipv4_, ipv6_;
  RouteTable table_;
};

}  // namespace uvs

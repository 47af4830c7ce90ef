// Longest-prefix table of both families, immutable once built: mirrored from the kernel's main
// table by host. Lookup happens once a connection and direction (the connection keeps the answer),
// so it is built for size and clarity before speed: the prefixes are flattened into ranges of
// addresses, and a lookup is one binary search.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "core/net/address.h"

namespace uvs {

// kBroadcast: of a network of ours. Nothing is sent there, and nothing comes from there.
enum class RouteKind : uint8_t { kUnicast, kLocal, kUnreachable, kBroadcast };

struct NextHop {
  uint32_t ifindex = 0;
  bool is_on_link = true;  // the packet's own destination is the neighbour; else `gateway`
  IpAddress gateway;
  Family gateway_family = Family::kIpv4;  // an IPv4 route may have an IPv6 gateway (RFC 8950)
  uint16_t weight = 1;                    // ECMP share
  bool operator==(const NextHop&) const = default;
};

struct Route {
  Family family = Family::kIpv4;
  IpAddress prefix;
  uint8_t prefix_length = 0;
  uint32_t metric = 0;  // the lowest wins among equal prefixes
  RouteKind kind = RouteKind::kUnicast;
  std::vector<NextHop> next_hops;
};

struct RouteLookup {
  RouteKind kind = RouteKind::kUnreachable;
  uint32_t ifindex = 0;
  Family next_hop_family = Family::kIpv4;
  IpAddress next_hop;  // the gateway, or the destination itself when it is on the link
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
  // counts. A unicast route without next hops is unreachable; a weight of 0 counts as 1.
  explicit RouteTable(std::span<const Route> routes);

  // `flow_hash` picks among equal next hops, so that a connection keeps to one. No route:
  // kUnreachable.
  RouteLookup lookup(Family family, const IpAddress& destination, uint64_t flow_hash) const;
  SourceWay way_to(Family family, const IpAddress& source, uint32_t ifindex) const;
  // Routes that can be found: one for each prefix.
  size_t size() const { return size_; }

 private:
  static constexpr uint32_t kNoRoute = 0xffffffff;

  // What prefixes lead to; the next hops stand in next_hops_ from `first_hop` on. Routes that lead
  // the same way share one: a full table has a hundred thousand routes and a handful of ways.
  struct Entry {
    RouteKind kind;
    uint16_t hop_count;
    uint32_t first_hop;
    uint32_t total_weight;
  };
  struct Ipv6Key {
    uint64_t high = 0, low = 0;  // host order
    auto operator<=>(const Ipv6Key&) const = default;
  };
  // The entry of an address is that of the last start at or below it: two parallel arrays, since
  // the search walks through the starts alone. Empty, or its first start is address 0.
  template <typename Key>
  struct Ranges {
    std::vector<Key> starts;
    std::vector<uint32_t> entries;  // into entries_, or kNoRoute

    uint32_t find(const Key& key) const;
  };

  class Builder;

  // Null: no route.
  const Entry* find(Family family, const IpAddress& destination) const;

  Ranges<uint32_t> ipv4_;
  Ranges<Ipv6Key> ipv6_;
  std::vector<Entry> entries_;
  std::vector<NextHop> next_hops_;
  size_t size_ = 0;
};

}  // namespace uvs

// RouteTable against a slow model: the first match in a list that is sorted by table, length and metric.
#include "core/forward/route_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <tuple>

#include "packet_builder.h"

namespace uvs::test {
namespace {

bool has_prefix(const IpAddress& address, const IpAddress& prefix, unsigned length) {
  for (unsigned bit = 0; bit < length; bit++) {
    const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
    if ((address.bytes[bit / 8] & mask) != (prefix.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

class SlowTable {
 public:
  explicit SlowTable(std::vector<Route> routes, bool is_local_first = false)
      : routes_(std::move(routes)), is_local_first_(is_local_first) {
    std::stable_sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
      return std::tuple(b.prefix_length, !a.is_in_local_table, a.metric) <
             std::tuple(a.prefix_length, !b.is_in_local_table, b.metric);
    });
  }
  // Null: none, or one that ends the search.
  const Route* find(Family family, const IpAddress& address) const {
    if (is_local_first_) {
      const Route* local = find(family, address, [](const Route& route) { return route.is_in_local_table; });
      if (local != nullptr) return local;
      return find(family, address, [](const Route& route) { return !route.is_in_local_table; });
    }
    return find(family, address, [](const Route&) { return true; });
  }

 private:
  template <typename IsAsked>
  const Route* find(Family family, const IpAddress& address, IsAsked is_asked) const {
    for (const Route& route : routes_) {
      if (route.kind == RouteKind::kUnicast && route.next_hops.empty()) continue;
      if (!is_asked(route) || route.family != family || !has_prefix(address, route.prefix, route.prefix_length)) continue;
      return route.kind == RouteKind::kThrow ? nullptr : &route;
    }
    return nullptr;
  }

  std::vector<Route> routes_;
  bool is_local_first_;
};

struct Chance {
  std::mt19937_64 random;

  // `spread` bits of freedom in each byte: with few of them prefixes nest and collide.
  IpAddress address(Family family, unsigned spread) {
    IpAddress result;
    for (size_t i = 0; i < address_size(family); i++) {
      const uint64_t value = random();
      result.bytes[i] = static_cast<uint8_t>(value % 5 == 0   ? 0xff
                                             : value % 5 == 1 ? 0
                                                              : value >> 8 & ((1u << spread) - 1));
    }
    return result;
  }
  std::vector<Route> routes(size_t count, unsigned spread) {
    std::vector<Route> routes(count);
    for (size_t i = 0; i < count; i++) {
      Route& route = routes[i];
      route.family = random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
      route.prefix = address(route.family, spread);
      route.prefix_length = static_cast<uint8_t>(random() % (address_size(route.family) * 8 + 1));
      route.metric = static_cast<uint32_t>(random() % 3);
      route.is_in_local_table = random() % 3 == 0;
      const RouteKind kinds[] = {RouteKind::kUnreachable, RouteKind::kThrow, RouteKind::kLocal};
      route.kind = random() % 8 == 0 ? kinds[random() % 3] : RouteKind::kUnicast;
      NextHop hop;
      hop.ifindex = static_cast<uint32_t>(i % 50 + 1);
      if (random() % 16 != 0) route.next_hops = {hop};
    }
    return routes;
  }
};

void check_same(const RouteTable& table, const SlowTable& model, Family family,
                const IpAddress& address) {
  const RouteLookup found = table.lookup(family, address, 0);
  const Route* expected = model.find(family, address);
  REQUIRE(found.kind == (expected == nullptr ? RouteKind::kUnreachable : expected->kind));
  if (found.kind == RouteKind::kUnicast) REQUIRE(found.ifindex == expected->next_hops[0].ifindex);
}

// The address itself and its neighbours, where ranges begin and end.
template <typename Check>
void around(IpAddress address, Family family, const Check& check) {
  const size_t last = address_size(family) - 1;
  check(address);
  address.bytes[last]++;
  check(address);
  address.bytes[last] = static_cast<uint8_t>(address.bytes[last] - 2);
  check(address);
}

}  // namespace

TEST_CASE("property: RouteTable finds what a linear search finds, in many small tables") {
  Chance chance{std::mt19937_64(1)};
  for (int turn = 0; turn < 400; turn++) {
    CAPTURE(turn);
    const std::vector<Route> routes = chance.routes(chance.random() % 60, 1 + chance.random() % 8);
    RouteSet set;
    set.assign(routes);
    const bool is_local_first = turn % 2 == 1;
    if (turn % 4 > 1) (void)set.table();
    for (const Family family : {Family::kIpv4, Family::kIpv6}) set.ask_local_table_first(family, is_local_first);
    const RouteTable& table = set.table();
    const SlowTable model(routes, is_local_first);
    for (const Route& route : routes) {
      IpAddress last = route.prefix;
      for (unsigned bit = route.prefix_length; bit < address_size(route.family) * 8; bit++) {
        last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | 0x80 >> bit % 8);
      }
      const auto check = [&](const IpAddress& address) {
        check_same(table, model, route.family, address);
      };
      around(route.prefix, route.family, check);
      around(last, route.family, check);
    }
    for (int i = 0; i < 60; i++) {
      const Family family = i % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
      check_same(table, model, family, chance.address(family, 8));
    }
  }
}

TEST_CASE("property: RouteTable finds what a linear search finds, among 100,000 routes") {
  Chance chance{std::mt19937_64(2)};
  const std::vector<Route> routes = chance.routes(100'000, 8);
  const RouteTable table(routes);
  const SlowTable model(routes);
  for (int i = 0; i < 400; i++) {
    const Route& route = routes[chance.random() % routes.size()];
    around(route.prefix, route.family,
           [&](const IpAddress& address) { check_same(table, model, route.family, address); });
  }
}

TEST_CASE("property: a RouteSet after many changes makes the table that its routes make anew") {
  Chance chance{std::mt19937_64(3)};
  for (int turn = 0; turn < 40; turn++) {
    CAPTURE(turn);
    const unsigned spread = 1 + chance.random() % 8;
    std::vector<Route> routes = chance.routes(40, spread);
    RouteSet set;
    CHECK(set.assign(routes));
    CHECK_FALSE(set.assign(routes));
    for (int change = 0; change < 40; change++) {
      const RouteTable before = set.table();
      const SlowTable model_before(routes);
      for (size_t count = chance.random() % 3; count > 0; count--) {
        Route route = chance.random() % 2 == 0 ? routes[chance.random() % routes.size()] : chance.routes(1, spread)[0];
        NextHop hop;
        hop.ifindex = static_cast<uint32_t>(100 + chance.random() % 50);
        route.next_hops = {hop};
        std::erase_if(routes, [&](const Route& other) {
          return other.family == route.family && other.prefix_length == route.prefix_length &&
                 other.metric == route.metric && other.is_in_local_table == route.is_in_local_table &&
                 has_prefix(other.prefix, route.prefix, route.prefix_length);
        });
        const bool is_kept = routes.empty() || chance.random() % 3 != 0;
        if (is_kept) routes.push_back(route);
        set.replace_equals(route, is_kept ? std::vector{route} : std::vector<Route>{});
      }
      const SlowTable model(routes);
      const RouteTable table = set.table(), anew(routes);
      CHECK(table.size() == anew.size());
      for (int i = 0; i < 20; i++) {
        const Route& route = routes[chance.random() % routes.size()];
        around(route.prefix, route.family, [&](const IpAddress& address) {
          check_same(table, model, route.family, address);
          check_same(before, model_before, route.family, address);
        });
      }
    }
    CHECK_FALSE(set.assign(routes));
  }
}

}  // namespace uvs::test

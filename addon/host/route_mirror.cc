// How the kernel orders routes that differ in kind and next hops alone (fib_table_insert,
// fib6_add_rt2node): IPv4 puts a new one before the others unless it is appended, and replaces the first;
// IPv6 puts one without a gateway behind the others, and makes one with a gateway a leg of another.
#include "host/route_mirror.h"

#include <algorithm>

namespace uvs {

Status RouteMirror::dump(NetlinkSocket& netlink, bool& is_whole) {
  auto dumped = dump_routes(netlink, reader_, is_whole);
  if (!dumped.ok()) return dumped.status();
  has_changed_ |= routes_.assign(std::move(dumped.value()));
  is_in_doubt_ = true;
  return {};
}

void RouteMirror::settle() {
  is_in_doubt_ = false;
  reader_.forget_objects();
}

bool RouteMirror::apply(const NetlinkMessage& message) {
  const auto route = reader_.read(message);
  if (!route) return true;
  return message.type == RTM_NEWROUTE ? add(*route, message.flags) : remove(*route);
}

void RouteMirror::replace_equals(const Route& like, const std::vector<Route>& routes) {
  routes_.replace_equals(like, routes);
  has_changed_ = true;
}

bool RouteMirror::add(const Route& route, uint16_t flags) {
  std::vector<Route> equals = routes_.equals(route);
  const bool is_ipv4 = route.family == Family::kIpv4;
  const bool is_replacing = (flags & NLM_F_REPLACE) != 0;
  if (is_in_doubt_) {
    // Whatever came before and after it: the last word about a prefix with one route is the right one.
    if (equals.size() == 1 && equals[0] == route) return true;
    if (equals.size() > 1 || (equals.size() == 1 && !is_replacing)) return false;
    equals = {route};
  } else if (is_replacing) {
    if (equals.empty() || (equals.size() > 1 && !is_ipv4)) return false;
    if (equals[0] == route) return true;
    equals[0] = route;
  } else if (is_ipv4) {
    equals.insert((flags & NLM_F_APPEND) != 0 ? equals.end() : equals.begin(), route);
  } else {
    const bool has_gateway = std::ranges::any_of(route.next_hops, [](const NextHop& hop) { return !hop.is_on_link; });
    const bool is_there = std::ranges::find(equals, route) != equals.end();
    if (is_there || (has_gateway && !equals.empty())) return false;
    equals.push_back(route);
  }
  replace_equals(route, equals);
  return true;
}

bool RouteMirror::remove(const Route& route) {
  std::vector<Route> equals = routes_.equals(route);
  const auto count = std::ranges::count(equals, route);
  if (count == 0 && is_in_doubt_) return true;
  if (count != 1 || (equals.size() > 1 && is_in_doubt_)) return false;
  std::erase(equals, route);
  replace_equals(route, equals);
  return true;
}

}  // namespace uvs

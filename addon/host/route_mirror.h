// The kernel's routes, followed. A change is taken up from its event where that tells all there is to
// know; where it does not (routes that vanish with a device or an address without a word, legs of IPv6
// multipath routes one by one) all routes are dumped anew. Housekeeping thread only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/forward/route_table.h"
#include "host/routes.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

class RouteMirror {
 public:
  // IPv6 asks its local table first. IPv4's and its main table are one until a policy rule is added, and two from
  // then on, also when the rule is gone (fib_unmerge).
  explicit RouteMirror(NetlinkSocket objects_socket) : reader_(std::move(objects_socket)) {
    routes_.ask_local_table_first(Family::kIpv6, true);
  }

  void note_policy_rules() {
    routes_.ask_local_table_first(Family::kIpv4, true);
    has_changed_ = true;
  }

  // Everything anew. Events from before its end may come after it: they are taken for such until settle().
  // `is_whole` becomes false when routes changed meanwhile: something may be lacking.
  Status dump(NetlinkSocket& netlink, bool& is_whole);
  // RTM_NEWROUTE or RTM_DELROUTE. False: it does not tell what the routes are now, and a dump is due.
  bool apply(const NetlinkMessage& message);
  // All events that were there are read.
  void settle();

  // Since the last table().
  bool has_changed() const { return has_changed_; }
  const RouteTable& table() {
    has_changed_ = false;
    return routes_.table();
  }
  const std::vector<std::string>& warnings() const { return reader_.warnings(); }

 private:
  bool add(const Route& route, uint16_t flags);
  bool remove(const Route& route);
  void replace_equals(const Route& like, const std::vector<Route>& routes);

  RouteReader reader_;
  RouteSet routes_;
  bool is_in_doubt_ = true;  // events may be of before the dump
  bool has_changed_ = true;
};

}  // namespace uvs

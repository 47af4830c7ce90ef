// The kernel's routes (main and local table, both families) as core's route table wants them, and
// the policy rules that it can't honour.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/forward/route_table.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

// Makes routes of the kernel's messages. Next hops that are objects of their own are asked for when one
// names them, and known until forget_objects().
class RouteReader {
 public:
  explicit RouteReader(NetlinkSocket objects_socket) : objects_socket_(std::move(objects_socket)) {}

  // Of RTM_NEWROUTE and RTM_DELROUTE; nothing: it does not count for us (another table, a cache entry, …).
  std::optional<Route> read(const NetlinkMessage& message);
  void forget_objects() { objects_.reset(); }
  // One sentence for each kind of route that is not honoured.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  using NextHops = std::vector<NextHop>;
  using NextHopObjects = std::map<uint32_t, NextHops>;  // by nexthop id; a blackhole has none

  NextHops next_hops(Family family, const rtmsg& body, const NetlinkAttributes& attributes);
  NextHops object(uint32_t id);
  void warn(const char* text);

  NetlinkSocket objects_socket_;
  std::optional<NextHopObjects> objects_;
  std::vector<std::string> warnings_;
};

// In the kernel's order. `is_whole` becomes false when they changed meanwhile: something may be lacking.
Result<std::vector<Route>> dump_routes(NetlinkSocket& netlink, RouteReader& reader, bool& is_whole);

// The device by which the kernel would send to `address` now; 0: by none.
uint32_t device_towards(NetlinkSocket& netlink, Family family, const IpAddress& address);

// One sentence for each policy rule other than the kernel's three defaults.
Result<std::vector<std::string>> dump_policy_rules(NetlinkSocket& netlink);

}  // namespace uvs

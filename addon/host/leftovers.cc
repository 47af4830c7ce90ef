#include "host/leftovers.h"

#include <algorithm>
#include <vector>

#include "host/addresses.h"
#include "host/virtual_mac.h"
#include "host/virtual_routes.h"
#include "io/namespace_lock.h"
#include "io/rtnetlink.h"
#include "io/slow_path_pair.h"
#include "io/steer_attachment.h"

namespace uvs {

Status remove_leftovers() {
  const auto lock = NamespaceLock::take();
  if (!lock.ok()) return lock.status();
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const auto addresses = dump_addresses(netlink.value());
  if (!addresses.ok()) return addresses.status();
  const bool is_restart = std::ranges::any_of(addresses.value(), &AddressRecord::is_left_for_us);
  if (Status status = remove_leftover_addresses({}); !status.ok()) return status;
  if (Status status = remove_leftover_virtual_macs(); !status.ok()) return status;
  if (!is_restart) {
    if (Status status = remove_leftover_routes(); !status.ok()) return status;
  }
  auto filters = find_leftover_filters(netlink.value());
  std::erase_if(filters, &LeftoverFilter::is_held);
  if (Status status = remove_filters(filters); !status.ok()) return status;
  return remove_slow_path_pair(netlink.value());
}

}  // namespace uvs

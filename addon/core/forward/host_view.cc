// Questions to the snapshot of this machine. The vectors are sorted by whoever built the snapshot.
#include "core/forward/host_view.h"

#include <algorithm>

namespace uvs {
namespace {

bool is_before(const LocalAddress& a, Family family, const IpAddress& address) {
  return a.family != family ? a.family < family : a.address.bytes < address.bytes;
}

bool is_link_local(Family family, const IpAddress& address) {
  const uint8_t* bytes = address.bytes.data();
  if (family == Family::kIpv4) return bytes[0] == 169 && bytes[1] == 254;  // RFC 3927
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;                    // RFC 4291 2.5.6
}

}  // namespace

const Link* HostView::find_link(uint32_t ifindex) const {
  const auto found =
      std::lower_bound(links.begin(), links.end(), ifindex,
                       [](const Link& link, uint32_t wanted) { return link.ifindex < wanted; });
  return found != links.end() && found->ifindex == ifindex ? &*found : nullptr;
}

bool HostView::is_local(Family family, const IpAddress& address) const {
  const auto found = std::lower_bound(local_addresses.begin(), local_addresses.end(), address,
                                      [family](const LocalAddress& local, const IpAddress& wanted) {
                                        return is_before(local, family, wanted);
                                      });
  return found != local_addresses.end() && found->family == family && found->address == address;
}

bool HostView::has_address(Family family, uint32_t ifindex) const {
  return std::any_of(local_addresses.begin(), local_addresses.end(), [&](const LocalAddress& local) {
    return local.family == family && local.ifindex == ifindex;
  });
}

IpAddress HostView::source_address(Family family, uint32_t ifindex) const {
  const LocalAddress* global = nullptr;
  const LocalAddress* link_local = nullptr;
  for (const LocalAddress& local : local_addresses) {
    if (local.family != family || is_loopback(family, local.address)) continue;
    const bool is_on_device = local.ifindex == ifindex;
    if (is_link_local(family, local.address)) {
      if (is_on_device && link_local == nullptr) link_local = &local;
      continue;
    }
    if (is_on_device) return local.address;
    if (global == nullptr) global = &local;
  }
  if (global != nullptr) return global->address;
  return link_local != nullptr ? link_local->address : IpAddress{};
}

}  // namespace uvs

#include "host/addresses.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace uvs {

namespace {

constexpr uint16_t kIfaProto = 11;  // IFA_PROTO, kernel 5.18; older headers lack it
constexpr uint32_t kForever = 0xffffffff;  // a lifetime without end

std::optional<Family> family_of(uint8_t family) {
  if (family == AF_INET) return Family::kIpv4;
  if (family == AF_INET6) return Family::kIpv6;
  return std::nullopt;
}

std::optional<AddressRecord> read_address(const NetlinkMessage& message) {
  const auto* body = message.body<ifaddrmsg>();
  if (!body || message.type != RTM_NEWADDR) return std::nullopt;
  const auto family = family_of(body->ifa_family);
  if (!family) return std::nullopt;
  const auto attributes = message.attributes<ifaddrmsg>();
  // IFA_ADDRESS is the peer's on a point-to-point device; IPv6 has IFA_LOCAL only there.
  auto bytes = attributes.find(IFA_LOCAL);
  if (!bytes) bytes = attributes.find(IFA_ADDRESS);
  if (!bytes || bytes->size() != address_size(*family)) return std::nullopt;
  AddressRecord record;
  record.flags = attributes.value<uint32_t>(IFA_FLAGS).value_or(body->ifa_flags);
  if ((record.flags & IFA_F_DADFAILED) != 0) return std::nullopt;
  record.local.family = *family;
  std::copy(bytes->begin(), bytes->end(), record.local.address.bytes.begin());
  record.local.ifindex = body->ifa_index;
  record.local.prefix_length = body->ifa_prefixlen;
  record.protocol = attributes.value<uint8_t>(kIfaProto).value_or(0);
  const auto lifetimes = attributes.value<ifa_cacheinfo>(IFA_CACHEINFO);
  record.is_temporary = lifetimes && lifetimes->ifa_valid != kForever;
  return record;
}

ifaddrmsg address_body(Family family, uint8_t prefix_length, uint32_t ifindex) {
  ifaddrmsg body{};
  body.ifa_family = family == Family::kIpv4 ? AF_INET : AF_INET6;
  body.ifa_prefixlen = prefix_length;
  body.ifa_index = ifindex;
  return body;
}

int delete_address(NetlinkSocket& netlink, Family family, const IpAddress& address,
                   uint8_t prefix_length, uint32_t ifindex) {
  NetlinkRequest request(RTM_DELADDR, NLM_F_ACK, address_body(family, prefix_length, ifindex));
  request.bytes(IFA_LOCAL, address.bytes.data(), address_size(family));
  // Only with it does the kernel compare the prefix length: the same address may be there with another one.
  request.bytes(IFA_ADDRESS, address.bytes.data(), address_size(family));
  return netlink.request(request);
}

bool is_gone(int error) { return error == EADDRNOTAVAIL || error == ENODEV; }

// On which device each address was put, by what that was called then: it may be called otherwise when the address is to go.
class Places {
 public:
  void note(const HostAddress& address, uint32_t ifindex) {
    const std::lock_guard lock(mutex_);
    places_[key_of(address)] = ifindex;
  }
  void forget(const HostAddress& address) {
    const std::lock_guard lock(mutex_);
    places_.erase(key_of(address));
  }
  // 0: nobody knows.
  uint32_t find(const HostAddress& address) const {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key_of(address));
    return found == places_.end() ? 0 : found->second;
  }

 private:
  using Key = std::tuple<std::string, std::vector<uint8_t>, uint8_t>;
  static Key key_of(const HostAddress& address) {
    const auto* bytes = address.address.bytes.data();
    return {address.device, {bytes, bytes + address_size(address.family)}, address.prefix_length};
  }

  mutable std::mutex mutex_;
  std::map<Key, uint32_t> places_;
};

Places& places() {
  static Places all;
  return all;
}

// Deletes the addresses with our mark that `is_wanted` chooses.
template <typename IsWanted>
Status delete_marked(NetlinkSocket& netlink, const char* what, IsWanted is_wanted) {
  const auto addresses = dump_addresses(netlink);
  if (!addresses.ok()) return addresses.status();
  for (const AddressRecord& record : addresses.value()) {
    if (record.protocol != kAddressProtocol || !is_wanted(record)) continue;
    const int error = delete_address(netlink, record.local.family, record.local.address,
                                     record.local.prefix_length, record.local.ifindex);
    if (error != 0 && !is_gone(error)) return errno_status(error, what);
  }
  return {};
}

}  // namespace

Result<std::vector<AddressRecord>> dump_addresses(NetlinkSocket& netlink) {
  std::vector<AddressRecord> addresses;
  NetlinkRequest request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
  const int error = netlink.dump(
      request, [&] { addresses.clear(); },
      [&](const NetlinkMessage& message) {
        if (auto record = read_address(message)) addresses.push_back(*record);
      });
  if (error != 0 && error != EINTR)
    return errno_status(error, "cannot list this machine's addresses");
  return addresses;
}

namespace {

// RTM_NEWADDR for it with `flags`; `lifetime`: what IPv4 and IPv6 have, kForever or seconds. An errno.
int put_address(NetlinkSocket& netlink, const HostAddress& address, uint32_t ifindex, uint16_t flags,
                uint32_t lifetime) {
  ifaddrmsg body = address_body(address.family, address.prefix_length, ifindex);
  body.ifa_scope = static_cast<uint8_t>(address.scope);
  const size_t size = address_size(address.family);
  const bool is_ipv6 = address.family == Family::kIpv6;
  // A kernel before 5.18 refuses IFA_PROTO only under strict checking; then the address goes
  // without our mark.
  int error = 0;
  for (const bool is_marked : {true, false}) {
    NetlinkRequest request(RTM_NEWADDR, static_cast<uint16_t>(flags | NLM_F_ACK), body);
    request.bytes(IFA_LOCAL, address.address.bytes.data(), size);
    request.bytes(IFA_ADDRESS, address.address.bytes.data(), size);
    // No duplicate detection: a VIP is to answer at once, and the other director may still hold it.
    if (is_ipv6) request.value(IFA_FLAGS, uint32_t{IFA_F_NODAD});
    // Deprecated: never chosen as the source of our own packets. Otherwise the kernel prefers it towards its
    // neighbours, and a probe from the VIP is answered by a DR server to itself. keepalived does the same.
    const bool is_deprecated = is_ipv6 && address.prefix_length == 128;
    if (is_deprecated || lifetime != kForever || (flags & NLM_F_REPLACE) != 0) {
      request.value(IFA_CACHEINFO, ifa_cacheinfo{is_deprecated ? 0 : lifetime, lifetime, 0, 0});
    }
    if (!is_ipv6 && address.broadcast)
      request.bytes(IFA_BROADCAST, address.broadcast->bytes.data(), size);
    if (!is_ipv6 && !address.label.empty()) request.text(IFA_LABEL, address.label);
    if (is_marked) request.value(kIfaProto, kAddressProtocol);
    error = netlink.request(request);
    if (error != EINVAL) break;
  }
  return error;
}

}  // namespace

bool AddressRecord::is_left_for_us() const { return protocol == kAddressProtocol && is_temporary; }

Result<bool> ensure_address(NetlinkSocket& netlink, const HostAddress& address) {
  const uint32_t ifindex = if_nametoindex(address.device.c_str());
  if (ifindex == 0) return Status{ErrorCode::kDeviceMissing, "no such device: " + address.device};
  const int error = put_address(netlink, address, ifindex, NLM_F_CREATE | NLM_F_EXCL, kForever);
  if (error == 0 || error == EEXIST) places().note(address, ifindex);
  if (error == 0) return true;
  if (error == EEXIST) return false;
  return errno_status(error, "cannot add an address to " + address.device);
}

Status add_address(const HostAddress& address) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const Result<bool> added = ensure_address(netlink.value(), address);
  if (!added.ok()) return added.status();
  if (added.value()) return {};
  // One that was left for us would go when its time is over.
  const auto taken = take_up_address(address);
  return taken.ok() ? Status{} : taken.status();
}

Status leave_address(const HostAddress& address, uint32_t seconds) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const uint32_t ifindex = if_nametoindex(address.device.c_str());
  const int error =
      ifindex == 0 ? ENODEV : put_address(netlink.value(), address, ifindex, NLM_F_REPLACE, seconds);
  if (error == 0 || error == ENOENT || is_gone(error)) return {};
  return errno_status(error, "cannot leave an address on " + address.device);
}

Result<bool> take_up_address(const HostAddress& address) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  const uint32_t ifindex = if_nametoindex(address.device.c_str());
  const auto addresses = dump_addresses(netlink.value());
  if (!addresses.ok()) return addresses.status();
  const bool is_left = std::any_of(
      addresses.value().begin(), addresses.value().end(), [&](const AddressRecord& record) {
        return record.is_left_for_us() && record.local.ifindex == ifindex &&
               record.local.family == address.family && record.local.address == address.address &&
               record.local.prefix_length == address.prefix_length;
      });
  if (!is_left) return false;
  const int error = put_address(netlink.value(), address, ifindex, NLM_F_REPLACE, kForever);
  if (error == 0) return true;
  if (error == ENOENT || is_gone(error)) return false;  // its time has run out in between
  return errno_status(error, "cannot take up an address on " + address.device);
}

void remember_place(const HostAddress& address) {
  if (const uint32_t ifindex = if_nametoindex(address.device.c_str())) places().note(address, ifindex);
}

Status remove_address(const HostAddress& address) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  for (const uint32_t ifindex : {uint32_t{if_nametoindex(address.device.c_str())}, places().find(address)}) {
    const int error = ifindex == 0 ? ENODEV
                                   : delete_address(netlink.value(), address.family, address.address,
                                                    address.prefix_length, ifindex);
    if (error == 0) break;
    if (!is_gone(error)) return errno_status(error, "cannot remove an address from " + address.device);
  }
  places().forget(address);
  return {};
}

Status remove_leftover_addresses(const std::vector<LocalAddress>& keep) {
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return netlink.status();
  return delete_marked(
      netlink.value(), "cannot remove an address that a dead director left",
      [&](const AddressRecord& record) {
        return !record.is_left_for_us() && std::none_of(keep.begin(), keep.end(), [&](const LocalAddress& kept) {
          return kept.family == record.local.family && kept.address == record.local.address;
        });
      });
}

}  // namespace uvs

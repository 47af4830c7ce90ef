// Addresses on this machine's devices: what the kernel has, and ours among them, added and removed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/forward/host_view.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

struct AddressRecord {
  LocalAddress local;
  uint32_t flags = 0;         // IFA_F_*
  bool is_temporary = false;  // the kernel removes it by itself some day
  uint8_t protocol = 0;       // IFA_PROTO: who put it there; 0 on kernels before 5.18

  bool is_left_for_us() const;  // by the director before: see leave_address
};

// In the kernel's order: the one reader of RTM_NEWADDR. Without addresses that failed duplicate detection.
Result<std::vector<AddressRecord>> dump_addresses(NetlinkSocket& netlink);

struct HostAddress {
  enum class Scope : uint8_t { kGlobal = 0, kSite = 200, kLink = 253, kHost = 254 };

  Family family = Family::kIpv4;
  IpAddress address;
  uint8_t prefix_length = 32;
  std::string device;
  std::string label;  // empty: none (IPv4 only)
  Scope scope = Scope::kGlobal;
  std::optional<IpAddress> broadcast;  // IPv4 only
};

// Addresses of ours on devices, marked with our IFA_PROTO where the kernel has it (5.18). Any
// thread; each call uses a socket of its own and waits for the kernel's answer (well under a
// millisecond).
inline constexpr uint8_t kAddressProtocol = 0x75;  // 'u'

// Fine when the address is there already; one that was left for us stays from then on. DEVICE_MISSING, PRIVILEGE_MISSING, IO.
Status add_address(const HostAddress& address);
// True: it was not there, and is now. False: it is there already, whoever added it. Asks for this one alone: the kernel has
// no other question about a single IPv4 address. Errors as add_address.
Result<bool> ensure_address(NetlinkSocket& netlink, const HostAddress& address);
// Leaves an address of ours for the next director: the kernel removes it after `seconds` (1 or more)
// unless that takes it up. Fine when it is gone.
Status leave_address(const HostAddress& address, uint32_t seconds);
// True: the director before has left it for us, and it stays now. Else nothing has changed.
Result<bool> take_up_address(const HostAddress& address);
// From now on remove_address() finds the device of that name also when it is renamed, as it does that of an address which this
// process has put somewhere.
void remember_place(const HostAddress& address);
// Fine when the address or the device is gone. The same address on another device stays: it is somebody else's.
Status remove_address(const HostAddress& address);
// Removes every address with our mark from this namespace, except those in `keep` (family and
// address count) and those that were left for us with a lifetime.
Status remove_leftover_addresses(const std::vector<LocalAddress>& keep);

}  // namespace uvs

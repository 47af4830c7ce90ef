#include "io/privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace uvs {

Status check_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0)
    return errno_status(errno, "cannot read this process's capabilities");
  const auto has = [&](unsigned capability) {
    return (sets[capability / 32].effective & (1u << (capability % 32))) != 0;
  };
  std::string missing;
  const auto need = [&](bool is_there, const char* capability) {
    if (is_there) return;
    if (!missing.empty()) missing += ", ";
    missing += capability;
  };
  need(has(CAP_NET_ADMIN), "CAP_NET_ADMIN");
  need(has(CAP_NET_RAW), "CAP_NET_RAW");
  need(has(CAP_BPF) || has(CAP_SYS_ADMIN), "CAP_BPF");
  if (missing.empty()) return {};
  return {ErrorCode::kPrivilegeMissing,
          "missing " + missing +
              ": run as root, or grant them (systemd: AmbientCapabilities=; else setcap on the "
              "Node binary)"};
}

}  // namespace uvs

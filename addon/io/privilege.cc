#include "io/privilege.h"

#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

namespace uvs {

namespace {

// The leading zero byte makes it abstract: no file, and one name space for each network namespace.
constexpr std::string_view kLockName{"\0uvs-director", 13};

}  // namespace

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

Result<FileDescriptor> lock_namespace() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open())
    return errno_status(errno, "cannot open the socket that locks this network namespace");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, kLockName.data(), kLockName.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kLockName.size());
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    if (errno == EADDRINUSE) {
      return Status{ErrorCode::kAlreadyRunning,
                    "another director is running in this network namespace; stop it first (`ss -xa "
                    "| grep uvs-director` finds it)"};
    }
    return errno_status(errno, "cannot lock this network namespace");
  }
  return socket;
}

}  // namespace uvs

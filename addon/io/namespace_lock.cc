#include "io/namespace_lock.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "io/monotonic_clock.h"

namespace uvs {

namespace {

// The leading zero byte makes it abstract: no file, and one name space for each network namespace.
constexpr std::string_view kPresence{"\0uvs-director", 13};
constexpr useconds_t kRetry_us = 20'000;
constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

Status check_directory(const std::string& directory) {
  const std::string remedy =
      "; make it writable for the director (systemd: RuntimeDirectory=uvs; in a container: a tmpfs at /run)";
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return {ErrorCode::kIo, "cannot make " + directory + ", where the lock of this network namespace belongs: " +
                                error_text(errno) + remedy};
  }
  struct stat there;
  if (lstat(directory.c_str(), &there) != 0)
    return {ErrorCode::kIo, "cannot look at " + directory + ": " + error_text(errno)};
  const bool is_ours = S_ISDIR(there.st_mode) && (there.st_uid == 0 || there.st_uid == geteuid()) &&
                       (there.st_mode & kOthersMayWrite) == 0;
  if (!is_ours) {
    return {ErrorCode::kIo, directory + " is no directory that only root and the director may write: whoever else can "
                                        "would decide whether a director starts; remove it, it is made anew"};
  }
  if (access(directory.c_str(), W_OK) != 0)
    return {ErrorCode::kIo, "cannot write to " + directory + ": " + error_text(errno) + remedy};
  return {};
}

// The holder of the name is a director, or may be: root, or whoever we are.
bool is_held_by_a_director(const sockaddr_un& address, socklen_t size) {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return false;
  ucred holder{};
  socklen_t holder_size = sizeof(holder);
  return getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &holder, &holder_size) == 0 &&
         (holder.uid == 0 || holder.uid == geteuid());
}

Result<FileDescriptor> take_presence() {
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open())
    return errno_status(errno, "cannot open the socket that marks this network namespace");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, kPresence.data(), kPresence.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + kPresence.size());
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(socket.get(), SOMAXCONN) == 0)
    return socket;
  if (errno != EADDRINUSE) return errno_status(errno, "cannot mark this network namespace");
  if (!is_held_by_a_director(address, size)) return FileDescriptor();
  return Status{ErrorCode::kAlreadyRunning,
                "another director is running in this network namespace, with another /run than ours; stop it first "
                "(`ss -xlp | grep uvs-director` finds it)"};
}

// Asked of a socket, since /proc may not be mounted. Needs CAP_NET_ADMIN, as all that follows.
Result<ino_t> this_namespace() {
  FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  FileDescriptor space(socket.is_open() ? ioctl(socket.get(), SIOCGSKNS) : -1);
  struct stat status;
  if (!space.is_open() || fstat(space.get(), &status) != 0)
    return errno_status(errno, "cannot find out which network namespace this is");
  return status.st_ino;
}

}  // namespace

Result<NamespaceLock> NamespaceLock::take(const std::string& directory, Micros patience) {
  for (const Micros until = monotonic_now() + patience;;) {
    auto taken = attempt(directory);
    if (taken.ok() || taken.status().code != ErrorCode::kAlreadyRunning || monotonic_now() >= until) return taken;
    usleep(kRetry_us);
  }
}

Result<NamespaceLock> NamespaceLock::attempt(const std::string& directory) {
  if (Status status = check_directory(directory); !status.ok()) return status;
  const auto space = this_namespace();
  if (!space.ok()) return space.status();
  auto file = FileLock::take(directory + "/netns-" + std::to_string(space.value()) + ".lock",
                             "another director in this network namespace");
  if (!file.ok()) return file.status();
  auto presence = take_presence();
  if (!presence.ok()) return presence.status();
  return NamespaceLock(std::move(file.value()), std::move(presence.value()));
}

}  // namespace uvs

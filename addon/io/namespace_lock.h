// One director for each network namespace. The lock is a file in root's directory that bears the namespace's number, since
// namespaces share /run. Beside it an abstract socket, which belongs to the namespace itself, tells directors that do not
// share /run (containers with the host's network) of each other; any user can take its name, so it counts only for
// holders with root's rights or ours.
#pragma once

#include <string>

#include "core/net/time.h"
#include "io/file_descriptor.h"
#include "io/file_lock.h"
#include "io/status.h"

namespace uvs {

inline constexpr const char* kRunDirectory = "/run/uvs";

class NamespaceLock {
 public:
  // Of the calling thread's namespace; makes `directory` when it is not there. A holder has `patience` to end: the start
  // may come beside a director that is about to. ALREADY_RUNNING; IO when the directory can't be made or written, or is
  // not ours alone.
  static Result<NamespaceLock> take(const std::string& directory = kRunDirectory, Micros patience = 0);

 private:
  static Result<NamespaceLock> attempt(const std::string& directory);
  NamespaceLock(FileLock file, FileDescriptor presence)
      : file_(std::move(file)), presence_(std::move(presence)) {}

  FileLock file_;
  FileDescriptor presence_;  // not open: somebody without rights has the name
};

}  // namespace uvs

// Starting the guardian's process and ending it. It is a child with a session of its own: what stops or kills the
// director's process group does not reach it.
#pragma once

#include <sys/types.h>

#include <string>

#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

class GuardianProcess {
 public:
  // Starts `path` with our end's counterpart on its descriptor 3 and `board` on 4. It gets CAP_NET_ADMIN and CAP_NET_RAW
  // of this process, whoever runs it. Takes about a millisecond. IO.
  static Result<GuardianProcess> start(const std::string& path, int board);
  GuardianProcess(GuardianProcess&&) = default;
  GuardianProcess& operator=(GuardianProcess&&) = default;

  // Non-blocking, SOCK_SEQPACKET. At its end the guardian is gone.
  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }

  // Waits for its end, which it has been told to come to; after `patience_ms` it is killed, which wakes no will.
  void wait(int patience_ms);

 private:
  GuardianProcess(pid_t pid, FileDescriptor socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_;
  FileDescriptor socket_;
};

}  // namespace uvs

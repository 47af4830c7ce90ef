#include "host/signal_pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace uvs {
namespace {

// Read by the handler, in whatever thread the signal finds; written once, before the first handler is there.
int write_end = -1;

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<uint8_t>(number);
  if (write(write_end, &byte, 1) < 0) {
    // Full: as many signals wait already.
  }
  errno = saved;
}

}  // namespace

Result<FileDescriptor> take_signals(std::span<const int> numbers) {
  if (write_end >= 0) return Status{ErrorCode::kAlreadyRunning, "signals are taken already"};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return errno_status(errno, "no pipe for signals");
  write_end = ends[1];
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  for (const int number : numbers) {
    if (sigaction(number, &action, nullptr) != 0) return errno_status(errno, "a signal can't be taken");
  }
  return FileDescriptor(ends[0]);
}

}  // namespace uvs

// Signals that Node can't take (real-time ones), as bytes of a pipe: a handler writes the number, and whoever reads the
// pipe acts on it. Not a signalfd: that would need the signal blocked in the threads of V8, which are there before us.
#pragma once

#include <span>

#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

// Takes the signals from now until the process ends, and gives the end to read, non-blocking: one byte a signal. Once in
// a process; the second call gives kAlreadyRunning. A signal that finds 64 KiB unread is lost.
Result<FileDescriptor> take_signals(std::span<const int> numbers);

}  // namespace uvs

// Writes the lines of a log to a descriptor from a thread of its own, so that whatever the descriptor leads to (a full
// pipe, a full disk, a mount that hangs, a reader that went away) costs lines and never time. What waits is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/net/time.h"

namespace uvs {

struct LineLoss {
  uint64_t count = 0;  // lines, since the start
  int error = 0;       // errno of the newest loss; ENOBUFS: more waited than `limit_bytes`
  bool is_over = true;  // something was written since
};

class LineWriter {
 public:
  static constexpr size_t kLimit_bytes = 1 << 20;

  // `fd` stays the caller's and open; its flags are not touched.
  explicit LineWriter(int fd, size_t limit_bytes = kLimit_bytes);
  // What waits is still written, if it can be; nobody waits for that.
  ~LineWriter();

  // Whole lines. Never waits; a line for which there is no room is lost.
  void write(std::string lines);
  LineLoss loss() const;
  // Waits until all is written or lost, at most for `patience`; false when something still waits.
  bool drain(Micros patience) const;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace uvs

// The file by which connections get from one director to the next on this machine: written when the one has stopped to
// move packets, read once and removed by the other. Beside the control socket, in a directory of root's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/path/connection_snapshot.h"
#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

class Director;

// How many the next director takes up in one turn of its worker: some milliseconds.
inline constexpr size_t kConnectionsAtOnce = 4096;

// All connections of `director`, whose worker has ended, into `path`: mode 0600, whole or not at all. Memory: one page of
// rows. Nothing is written when there are none. IO.
Status write_connections(const std::string& path, const Director& director);

class ConnectionFile {
 public:
  // Opens and removes it, so that nobody takes it up twice, and checks all of it. Null: there is none. IO: it is refused,
  // with the reason (checksum, version, age, or somebody else could have written it).
  static Result<std::unique_ptr<ConnectionFile>> take(const std::string& path);

  // The next page, at most `limit`; empty at the end. What lies idle meanwhile ages.
  std::vector<ConnectionView> next(size_t limit);
  // Rows that were no connections.
  uint64_t malformed() const { return malformed_; }

 private:
  ConnectionFile(FileDescriptor file, uint64_t rows, uint64_t age_ms)
      : file_(std::move(file)), rows_(rows), age_ms_(age_ms) {}

  FileDescriptor file_;
  uint64_t rows_;
  uint64_t age_ms_;
  uint64_t at_ = 0;
  uint64_t malformed_ = 0;
};

}  // namespace uvs

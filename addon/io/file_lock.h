// A lock that dies with its holder: an flock() on a file of its own, which says who holds it and goes when it is
// released. For whoever must be alone: on a machine's network namespace, at a path.
#pragma once

#include <string>

#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

class FileLock {
 public:
  // ALREADY_RUNNING when somebody lives who has it: `holder` says what that is then ("another director"), and its number
  // follows. IO when the file can't be made. The file is never followed as a link, and nobody else can open it.
  static Result<FileLock> take(const std::string& path, const std::string& holder);
  FileLock(FileLock&&) = default;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(FileDescriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  FileDescriptor file_;
  std::string path_;
};

}  // namespace uvs

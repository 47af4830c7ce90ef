#include "io/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace uvs {

namespace {

// Each attempt meets a holder that has just gone; so many in a row do not happen.
constexpr int kAttempts = 100;

// " (pid 4711)", or nothing when the file doesn't say.
std::string number_in(int file) {
  char text[16];
  const ssize_t size = pread(file, text, sizeof(text), 0);
  pid_t pid = 0;
  if (size <= 0 || std::from_chars(text, text + size, pid).ec != std::errc{}) return {};
  return " (pid " + std::to_string(pid) + ")";
}

bool is_still_at(int file, const std::string& path) {
  struct stat opened, there;
  return fstat(file, &opened) == 0 && lstat(path.c_str(), &there) == 0 && opened.st_ino == there.st_ino &&
         opened.st_dev == there.st_dev;
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path, const std::string& holder) {
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (!file.is_open()) {
      const Status failed = errno_status(errno, "cannot make the lock " + path, "the right to write there");
      return Status{ErrorCode::kIo, failed.message};
    }
    if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK)
        return Status{ErrorCode::kAlreadyRunning, holder + number_in(file.get()) + " has the lock " + path};
      return errno_status(errno, "cannot lock " + path);
    }
    // Whoever had it removes the file: then this lock is on a file that nobody finds any more.
    if (!is_still_at(file.get(), path)) continue;
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), pid.data(), pid.size(), 0) < 0)
      return errno_status(errno, "cannot write " + path);
    return FileLock(std::move(file), path);
  }
  return Status{ErrorCode::kIo, "cannot lock " + path + ": it changes hands all the time"};
}

FileLock::~FileLock() {
  // Removed first: once it is released the next holder may have it.
  if (file_.is_open()) (void)unlink(path_.c_str());
}

}  // namespace uvs

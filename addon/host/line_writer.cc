#include "host/line_writer.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace uvs {
namespace {

uint64_t lines_in(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

// Outlives the writer while its thread is inside a write that does not return.
struct LineWriter::Shared {
  Shared(int descriptor, size_t limit) : fd(descriptor), limit_bytes(limit) {}

  void loop();
  int put(std::string_view lines, size_t& written) const;

  const int fd;
  const size_t limit_bytes;
  mutable std::mutex mutex;  // guards what follows
  mutable std::condition_variable changed;
  std::string waiting;
  size_t under_way_bytes = 0;
  LineLoss loss;
  bool is_closing = false;
};

void LineWriter::Shared::loop() {
  // A line that broke off must not run into the next.
  bool is_torn = false;
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return !waiting.empty() || is_closing; });
    if (waiting.empty()) return;
    std::string lines = is_torn ? "\n" : "";
    lines += std::exchange(waiting, {});
    under_way_bytes = lines.size();
    lock.unlock();
    size_t written = 0;
    const int error = put(lines, written);
    lock.lock();
    under_way_bytes = 0;
    if (written > 0) is_torn = lines[written - 1] != '\n';
    if (error == 0) {
      loss.is_over = true;
    } else {
      loss = {loss.count + lines_in(std::string_view(lines).substr(written)), error, false};
    }
    changed.notify_all();
  }
}

// 0 or the errno; `written` bytes are out either way.
int LineWriter::Shared::put(std::string_view lines, size_t& written) const {
  while (written < lines.size()) {
    const ssize_t count = ::write(fd, lines.data() + written, lines.size() - written);
    if (count >= 0) {
      written += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      // Somebody who shares the descriptor has made it non-blocking.
      pollfd room{fd, POLLOUT, 0};
      (void)poll(&room, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

LineWriter::LineWriter(int fd, size_t limit_bytes) : shared_(std::make_shared<Shared>(fd, limit_bytes)) {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::thread thread([shared = shared_] { shared->loop(); });
  pthread_setname_np(thread.native_handle(), "uvs-log");
  thread.detach();
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

LineWriter::~LineWriter() {
  const std::lock_guard lock(shared_->mutex);
  shared_->is_closing = true;
  shared_->changed.notify_all();
}

void LineWriter::write(std::string lines) {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->waiting.size() + shared_->under_way_bytes + lines.size() > shared_->limit_bytes) {
    shared_->loss = {shared_->loss.count + lines_in(lines), ENOBUFS, false};
    return;
  }
  shared_->waiting += lines;
  shared_->changed.notify_all();
}

LineLoss LineWriter::loss() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->loss;
}

bool LineWriter::drain(Micros patience) const {
  std::unique_lock lock(shared_->mutex);
  return shared_->changed.wait_for(lock, std::chrono::microseconds(patience), [this] {
    return shared_->waiting.empty() && shared_->under_way_bytes == 0;
  });
}

}  // namespace uvs

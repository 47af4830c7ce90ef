// uvs-launcher: a small process that starts the operator's programs for the director and tells how they end.
// The director may not fork itself: a fork marks every page of it copy-on-write, and the worker that moves packets
// would pay for each of them with a fault. It obeys whoever holds its standard input, and ends with it:
//   request  u32 length (little endian), then words that each end with NUL:
//            run ID UID GID dies|outlives PROGRAM ARGUMENT…     end ID (TERM, KILL a second later)     kill ID
//   answer   one line: started ID PID | failed ID STEP ERRNO | exited ID STATUS | signalled ID SIGNAL

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "launcher/child.h"

namespace uvs {
namespace {

constexpr int64_t kGrace_ms = 1000;
constexpr size_t kMaxRequest_bytes = 1 << 21;

int64_t now_ms() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

void answer(const char* word, uint32_t id, const std::string& rest) {
  const std::string line = std::string(word) + ' ' + std::to_string(id) + ' ' + rest + '\n';
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t count = write(1, line.data() + sent, line.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;  // The director is gone; end of file on standard input follows.
    sent += static_cast<size_t>(count);
  }
}

struct Child {
  pid_t pid = -1;
  Account account;
  bool dies_with_us = true;
  int failure_fd = -1;
  bool has_failed = false;
  bool has_exited = false;  // and is told; its entry in the kernel stays until the group may be forgotten
  int64_t kill_at = 0;      // 0: nobody wants its end
};

class Launcher {
 public:
  explicit Launcher(int child_fd) : child_fd_(child_fd) {}

  void run() {
    while (!is_closing_ || has_dying()) {
      wait();
      read_failures();
      reap();
      kill_late();
    }
  }

 private:
  bool has_dying() const {
    return std::any_of(children_.begin(), children_.end(),
                       [](const auto& entry) { return entry.second.dies_with_us; });
  }

  void wait() {
    std::vector<pollfd> fds{{child_fd_, POLLIN, 0}};
    if (!is_closing_) fds.push_back({0, POLLIN, 0});
    int64_t deadline = 0;
    for (const auto& [id, child] : children_) {
      if (child.failure_fd >= 0) fds.push_back({child.failure_fd, POLLIN, 0});
      if (child.kill_at != 0 && (deadline == 0 || child.kill_at < deadline)) deadline = child.kill_at;
    }
    const int64_t rest_ms = deadline == 0 ? -1 : std::max<int64_t>(deadline - now_ms(), 0);
    if (poll(fds.data(), fds.size(), static_cast<int>(rest_ms)) <= 0) return;
    if (fds[0].revents != 0) {
      signalfd_siginfo ignored;
      while (read(child_fd_, &ignored, sizeof ignored) > 0) {
      }
    }
    if (!is_closing_ && fds[1].revents != 0) read_requests();
  }

  void read_requests() {
    char bytes[65536];
    const ssize_t count = read(0, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) return close_down();
    input_.append(bytes, static_cast<size_t>(count));
    uint32_t length = 0;
    while (input_.size() >= sizeof length) {
      memcpy(&length, input_.data(), sizeof length);
      if (length > kMaxRequest_bytes) return close_down();
      if (input_.size() < sizeof length + length) return;
      obey(words_of(input_.substr(sizeof length, length)));
      input_.erase(0, sizeof length + length);
    }
  }

  static std::vector<std::string> words_of(const std::string& request) {
    std::vector<std::string> words;
    for (size_t at = 0; at < request.size();) {
      words.emplace_back(request.c_str() + at);
      at += words.back().size() + 1;
    }
    return words;
  }

  void obey(const std::vector<std::string>& words) {
    if (words.size() < 2) return;
    const auto id = static_cast<uint32_t>(strtoul(words[1].c_str(), nullptr, 10));
    if (words[0] == "run" && words.size() > 5) {
      start(id, words);
    } else if (const auto entry = children_.find(id); entry != children_.end()) {
      if (words[0] == "end") end(entry->second);
      if (words[0] == "kill") entry->second.kill_at = now_ms();
    }
  }

  void start(uint32_t id, const std::vector<std::string>& words) {
    Child child;
    child.account = {static_cast<uid_t>(strtoul(words[2].c_str(), nullptr, 10)),
                     static_cast<gid_t>(strtoul(words[3].c_str(), nullptr, 10))};
    child.dies_with_us = words[4] == "dies";
    LaunchFailure failure{};
    const Launched launched =
        launch({words.begin() + 5, words.end()}, child.account, child.dies_with_us, failure);
    if (launched.pid < 0) return report_failure(id, failure);
    child.pid = launched.pid;
    child.failure_fd = launched.failure_fd;
    children_[id] = child;
    answer("started", id, std::to_string(child.pid));
  }

  static void report_failure(uint32_t id, LaunchFailure failure) {
    answer("failed", id, std::string(step_name(failure.step)) + ' ' + std::to_string(failure.error));
  }

  static void end(Child& child) {
    if (child.kill_at != 0) return;
    child.kill_at = now_ms() + kGrace_ms;
    if (!child.has_exited) signal_group(child.pid, SIGTERM, child.account);
  }

  void read_failures() {
    for (auto& [id, child] : children_) read_failure(id, child);
  }

  static void read_failure(uint32_t id, Child& child) {
    if (child.failure_fd < 0) return;
    LaunchFailure failure{};
    const ssize_t count = read(child.failure_fd, &failure, sizeof failure);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close(child.failure_fd);
    child.failure_fd = -1;
    if (count != sizeof failure) return;
    child.has_failed = true;
    report_failure(id, failure);
  }

  // Ends are told at once. While the rest of a group is given its time, the dead leader keeps the group's number taken.
  void reap() {
    for (auto entry = children_.begin(); entry != children_.end();) {
      auto& [id, child] = *entry;
      siginfo_t info{};
      if (!child.has_exited && waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
          info.si_pid == child.pid) {
        child.has_exited = true;
        read_failure(id, child);
        if (!child.has_failed) {
          answer(info.si_code == CLD_EXITED ? "exited" : "signalled", id, std::to_string(info.si_status));
        }
      }
      if (child.has_exited && child.kill_at == 0) {
        entry = forget(entry);
      } else {
        ++entry;
      }
    }
  }

  void kill_late() {
    const int64_t now = now_ms();
    for (auto entry = children_.begin(); entry != children_.end();) {
      Child& child = entry->second;
      if (child.kill_at == 0 || child.kill_at > now) {
        ++entry;
        continue;
      }
      signal_group(child.pid, SIGKILL, child.account);
      if (child.has_exited) {
        entry = forget(entry);
      } else {
        child.kill_at = now + kGrace_ms;  // Until it is dead: it may have forked while the signal went around.
        ++entry;
      }
    }
  }

  std::map<uint32_t, Child>::iterator forget(std::map<uint32_t, Child>::iterator entry) {
    waitpid(entry->second.pid, nullptr, 0);
    if (entry->second.failure_fd >= 0) close(entry->second.failure_fd);
    return children_.erase(entry);
  }

  // The director is done, or dead. What outlives it goes on alone.
  void close_down() {
    is_closing_ = true;
    for (auto& [id, child] : children_) {
      if (child.dies_with_us) end(child);
    }
  }

  const int child_fd_;
  std::string input_;
  std::map<uint32_t, Child> children_;
  bool is_closing_ = false;
};

}  // namespace
}  // namespace uvs

int main() {
  // The end of our input is the only end: a service manager signals every process of the service at once.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) {
    ::signal(signal, SIG_IGN);
  }
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  const int child_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  if (child_fd < 0) {
    perror("uvs-launcher: signalfd");
    return 1;
  }
  uvs::Launcher(child_fd).run();
  return 0;
}

#include "host/guardian_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "host/guardian_messages.h"

namespace uvs {

namespace {

constexpr unsigned kPassedOn[] = {CAP_NET_ADMIN, CAP_NET_RAW};
// Out of the way of the descriptors that the guardian wants.
constexpr int kLowestDescriptor = 10;

// What this thread may do passes through exec only if it is ambient (the Node binary may have its capabilities from its
// file). Refusals are fine: root needs none of it.
void make_ambient() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return;
  for (const unsigned capability : kPassedOn) {
    __user_cap_data_struct& set = sets[capability / 32];
    set.inheritable |= set.permitted & (1u << (capability % 32));
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0) return;
  for (const unsigned capability : kPassedOn)
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
}

class SpawnSetup {
 public:
  SpawnSetup(int socket, int board) {
    posix_spawn_file_actions_init(&actions);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
      posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&actions, socket, kGuardianSocket);
    posix_spawn_file_actions_adddup2(&actions, board, kGuardianBoard);
    posix_spawnattr_init(&attributes);
    // Blocked for good: a signal that comes before main() must not end it either.
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

int spawn(pid_t& pid, const std::string& path, int socket, int board) {
  const SpawnSetup setup(socket, board);
  char name[] = "uvs-guardian";
  char* arguments[] = {name, nullptr};
  char* environment[] = {nullptr};
  int error = 0;
  // A thread of its own, whose capabilities may change without a trace.
  std::thread([&] {
    make_ambient();
    error = posix_spawn(&pid, path.c_str(), &setup.actions, &setup.attributes, arguments, environment);
  }).join();
  return error;
}

}  // namespace

Result<GuardianProcess> GuardianProcess::start(const std::string& path, int board) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    return errno_status(errno, "cannot make a socket for the guardian");
  FileDescriptor ours(ends[0]), theirs(ends[1]);
  const FileDescriptor high_socket(fcntl(theirs.get(), F_DUPFD_CLOEXEC, kLowestDescriptor));
  const FileDescriptor high_board(fcntl(board, F_DUPFD_CLOEXEC, kLowestDescriptor));
  if (!high_socket.is_open() || !high_board.is_open())
    return errno_status(errno, "cannot make a socket for the guardian");
  pid_t pid = 0;
  if (const int error = spawn(pid, path, high_socket.get(), high_board.get()))
    return errno_status(error, "cannot start the guardian " + path, "execute permission");
  return GuardianProcess(pid, std::move(ours));
}

void GuardianProcess::wait(int patience_ms) {
  // Its end closes its socket; until then there may be answers that nobody wants any more.
  pollfd watched{socket_.get(), POLLRDHUP, 0};
  (void)poll(&watched, 1, patience_ms);
  if ((watched.revents & (POLLRDHUP | POLLHUP)) == 0) (void)kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace uvs

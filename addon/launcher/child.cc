#include "launcher/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

namespace uvs {
namespace {

constexpr unsigned kCloseOnExec = 1U << 2;  // CLOSE_RANGE_CLOEXEC

// Gives up every capability: a director that is not root passes its own on by the ambient set, and CAP_SETUID or
// CAP_NET_ADMIN in an operator's script would be root by another name.
bool drop_capabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return false;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

// The step that failed, with errno. The account's own group and no other, as keepalived does it: whatever groups this
// process is in are gone, and those that the account is in elsewhere are not given.
std::optional<LaunchStep> become(Account account) {
  const bool is_same = geteuid() == account.uid && getegid() == account.gid;
  if (setgroups(1, &account.gid) != 0 && !(is_same && errno == EPERM)) return LaunchStep::kGroups;
  if (setresgid(account.gid, account.gid, account.gid) != 0) return LaunchStep::kGroup;
  if (setresuid(account.uid, account.uid, account.uid) != 0) return LaunchStep::kUser;
  if (account.uid != 0 && !drop_capabilities()) return LaunchStep::kCapabilities;
  return std::nullopt;
}

// Nothing to read, nowhere to write, and no other descriptor once the program runs.
bool detach_streams() {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return false;
  for (int fd = 0; fd <= 2; fd++) {
    if (dup2(null, fd) < 0) return false;
  }
  // Whatever whoever started the director left open. Kernels before 5.11 can't; what is ours is marked anyway.
  syscall(SYS_close_range, 3U, ~0U, kCloseOnExec);
  return true;
}

void default_signals() {
  for (int signal = 1; signal < NSIG; signal++) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void fail(int fd, LaunchStep step) {
  const LaunchFailure failure{step, errno};
  // A pipe takes so little in one piece; when the launcher is gone nobody needs it.
  if (write(fd, &failure, sizeof failure) < 0) _exit(126);
  _exit(127);
}

[[noreturn]] void run(const std::vector<std::string>& words, Account account, bool dies_with_parent,
                      pid_t parent, int fd) {
  setsid();
  default_signals();
  // keepalived's own, which its scripts inherit: what they write is nobody else's to read.
  umask(0177);
  if (!detach_streams()) fail(fd, LaunchStep::kNull);
  if (const auto step = become(account)) fail(fd, *step);
  if (dies_with_parent) {
    // After the change of user, which clears it. A parent that died before it was set is seen by its pid.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) raise(SIGTERM);
  }
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execve(arguments[0], arguments.data(), environ);
  if (errno == ENOEXEC) {
    // A script without #! is one for sh, as execvp and every shell take it.
    char shell[] = "/bin/sh";
    arguments.insert(arguments.begin(), shell);
    execve(shell, arguments.data(), environ);
  }
  fail(fd, LaunchStep::kExec);
}

}  // namespace

const char* step_name(LaunchStep step) {
  switch (step) {
    case LaunchStep::kFork: return "fork";
    case LaunchStep::kNull: return "null";
    case LaunchStep::kGroups:
    case LaunchStep::kGroup:
    case LaunchStep::kUser:
    case LaunchStep::kCapabilities: return "account";
    case LaunchStep::kExec: return "exec";
  }
  return "exec";
}

Launched launch(const std::vector<std::string>& words, Account account, bool dies_with_parent,
                LaunchFailure& failure) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
    failure = {LaunchStep::kFork, errno};
    return {};
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) run(words, account, dies_with_parent, parent, fds[1]);
  const int error = errno;
  close(fds[1]);
  if (pid > 0) return {pid, fds[0]};
  close(fds[0]);
  failure = {LaunchStep::kFork, error};
  return {};
}

void signal_group(pid_t group, int signal, Account account) {
  // Before its setsid a child has no group of its own.
  if (kill(-group, signal) == 0 || (errno == ESRCH && kill(group, signal) == 0) || errno != EPERM) return;
  const pid_t pid = fork();
  if (pid == 0) {
    if (!become(account)) kill(-group, signal);
    _exit(0);
  }
  if (pid > 0) waitpid(pid, nullptr, 0);
}

}  // namespace uvs

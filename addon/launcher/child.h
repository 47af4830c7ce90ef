// One program, started as an account in a session of its own. What happens between fork and exec is here; what
// becomes of the program afterwards is the launcher's (launcher.cc).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace uvs {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
};

// The first step that did not work, as the parent reads it from the pipe. The order is that of the steps.
enum class LaunchStep : int { kFork, kNull, kGroups, kGroup, kUser, kCapabilities, kExec };

const char* step_name(LaunchStep step);

struct LaunchFailure {
  LaunchStep step;
  int error;  // errno
};

struct Launched {
  pid_t pid = -1;
  // Reads one LaunchFailure, or the end of file when the program runs. Non-blocking, close-on-exec.
  int failure_fd = -1;
};

// Forks. `words` are the program (a path) and its arguments. With `dies_with_parent` the kernel ends the program by
// SIGTERM when this process dies. A failure of fork itself is in `failure`.
Launched launch(const std::vector<std::string>& words, Account account, bool dies_with_parent,
                LaunchFailure& failure);

// Signals the group of a child that was not reaped yet, by its account when we may not (no CAP_KILL). Ok when nobody is
// left in it.
void signal_group(pid_t group, int signal, Account account);

}  // namespace uvs

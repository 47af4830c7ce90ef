// early-signals.so: loaded into Node before Node itself (LD_PRELOAD, scripts/director), so that a signal of keepalived's
// does not end a director that is still starting. Ignoring them before the exec is not enough: Node puts ignored signals
// back to their default, but leaves handlers alone. Our own handlers come later and replace these (early-signals.ts).

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace {

// Nothing is lost: the configuration is read later than this. A handler and not SIG_IGN, so that no child inherits it.
void nothing(int) {}

// What a director starts is not to load this. The launcher has put it first.
void forget_preload() {
  const char* list = std::getenv("LD_PRELOAD");
  const char* rest = list == nullptr ? nullptr : std::strchr(list, ':');
  if (rest == nullptr) {
    unsetenv("LD_PRELOAD");
  } else {
    setenv("LD_PRELOAD", rest + 1, 1);
  }
}

[[gnu::constructor]] void take_signals() {
  struct sigaction action {};
  action.sa_handler = nothing;
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGSTKFLT, SIGVTALRM, SIGPROF, SIGIO, SIGPWR}) {
    sigaction(number, &action, nullptr);
  }
  for (int number = SIGRTMIN; number <= SIGRTMAX; number++) sigaction(number, &action, nullptr);
  forget_preload();
}

}  // namespace

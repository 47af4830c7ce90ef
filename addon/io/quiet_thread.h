// Threads of ours beside the control plane's: with a name that `ps -L` and a debugger show, and with every signal blocked,
// since signals are the control plane's.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <thread>
#include <utility>

namespace uvs {

// `name` has at most 15 characters. The mask is inherited: it is set around the creation, so that no signal slips in.
template <typename Body>
std::thread start_quiet_thread(const char* name, Body body) {
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace uvs

// Threads that sleep until a moment counts ask to be run before others then: adverts and goodbyes that are late on a busy
// machine cost what they are there to save.
#pragma once

#include <sys/resource.h>

namespace uvs {

// The calling thread. Granted to root, and within RLIMIT_NICE (systemd: LimitNICE=); fine when it is refused.
inline void be_urgent() { (void)setpriority(PRIO_PROCESS, 0, -10); }

}  // namespace uvs

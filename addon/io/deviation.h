// Something of ours in the kernel that is not as we made it: somebody else has changed it. Whoever owns the object finds
// the deviation by asking for that object alone, and knows how it is put back.
#pragma once

#include <functional>
#include <string>

#include "io/status.h"

namespace uvs {

struct Deviation {
  std::string object;                 // as users know it: "uvs0", "the program on eth0"
  std::string what;                   // "is down", "is gone"
  std::function<Status()> put_back;   // called at most once, by whoever asked
};

}  // namespace uvs

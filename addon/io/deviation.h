// Something of ours in the kernel that is not, or may not be, as we made it: somebody else has changed it. Whoever owns
// the object finds the deviation by asking for that object alone, and knows how it is put back.
#pragma once

#include <functional>
#include <string>

#include "io/status.h"

namespace uvs {

struct Deviation {
  std::string object;                 // as users know it: "uvs0", "the program on eth0"
  std::string what;                   // "is down", "is gone"
  // Called at most once, by whoever asked. False: it was as it should be, since the kernel answers that only to who tries.
  std::function<Result<bool>()> put_back;
};

}  // namespace uvs

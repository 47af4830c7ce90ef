// Custody of what is ours in the kernel: deviations are put back, counted and told, each object at most kPutBacks times
// in a minute, so that two who both insist do not fight for ever. It knows no object: whoever owns some says what
// deviates. One thread at a time looks; any thread reads.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/net/time.h"
#include "io/deviation.h"

namespace uvs {

struct CustodyReport {
  uint64_t put_back = 0;                // since the start
  std::vector<std::string> deviations;  // "uvs0 is down: …", as of the last look; left as they are
};

// What became of a deviation.
struct CustodyOutcome {
  enum class State : uint8_t { kInPlace, kPutBack, kLeft };
  State state = State::kInPlace;
  std::string text;     // what deviated, and why it is left so
  bool is_new = false;  // to be told: it was put back, or is left for a reason that was not told yet
};

class Custody {
 public:
  static constexpr uint32_t kPutBacks = 10;
  static constexpr Micros kPeriod = 60 * kMicrosPerSecond;
  // What could not be put back is not tried again sooner, however often somebody looks.
  static constexpr Micros kRetryPause = kMicrosPerSecond / 2;

  // `deviations` is all that deviates, or may, now. Puts back what may be; the outcomes stand in the same order.
  std::vector<CustodyOutcome> look(const std::vector<Deviation>& deviations, Micros now);
  CustodyReport report() const;

 private:
  struct Budget {
    Micros period_began = 0;
    uint32_t used = 0;
    Micros failed_at = 0;  // 0: the last try went well
    std::string why_left;  // as it was told; empty: it is in its place
  };

  CustodyOutcome treat(const Deviation& deviation, Micros now);

  std::map<std::string, Budget> budgets_;  // by object
  mutable std::mutex mutex_;               // guards the report
  CustodyReport report_;
};

}  // namespace uvs

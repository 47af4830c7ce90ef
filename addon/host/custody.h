// Custody of what is ours in the kernel: deviations are put back, counted and told, each object at most kPutBacks times
// in a minute, so that two who both insist do not fight for ever. It knows no object: whoever owns some says what
// deviates. One thread calls look(); any thread reads.
#pragma once

#include <cstdint>
#include <functional>
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

class Custody {
 public:
  static constexpr uint32_t kPutBacks = 10;
  static constexpr Micros kPeriod = 60 * kMicrosPerSecond;

  // `tell` gets a sentence for each object that was put back, and once for each that can't be or was too often; on the
  // thread that looks.
  explicit Custody(std::function<void(const std::string&)> tell) : tell_(std::move(tell)) {}

  // `deviations` is all that deviates now. Puts back what may be; false when something is left.
  bool look(const std::vector<Deviation>& deviations, Micros now);
  CustodyReport report() const;

 private:
  struct Budget {
    Micros period_began = 0;
    uint32_t used = 0;
    std::string told;  // why it is left as it is; empty: it is not
  };

  // Why it is left as it is; empty: it was put back.
  std::string treat(const Deviation& deviation, Budget& budget, Micros now);

  const std::function<void(const std::string&)> tell_;
  std::map<std::string, Budget> budgets_;  // by object
  mutable std::mutex mutex_;               // guards the report
  CustodyReport report_;
};

}  // namespace uvs

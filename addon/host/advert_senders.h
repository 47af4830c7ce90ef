// What failover sends: the adverts of each virtual router with their repetition, its lease, and the guardian who has its
// last will. The port, src/dataplane/network.ts, says what the calls mean.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/advert_schedule.h"
#include "host/advert_socket.h"
#include "host/failover_events.h"
#include "host/guardian_link.h"
#include "io/status.h"

namespace uvs {

class AdvertSenders {
 public:
  using Done = GuardianOutcome::Done;

  // `events` outlives it; `guardian_path` is the guardian's executable.
  AdvertSenders(FailoverEvents& events, LeaseBoard board, std::string guardian_path)
      : events_(events), guardian_path_(std::move(guardian_path)), guardian_(std::move(board)) {}
  AdvertSenders(const AdvertSenders&) = delete;

  // Before the first call of any other. IO.
  Status start_guardian();
  // The guardian is dismissed, or carries out what it has. The process that is left to wait for, if any. Nothing is said
  // after it.
  std::optional<GuardianProcess> end(bool is_dismissed);

  // The control thread. Whoever waits as serve() said calls that anew after it.
  Status open(const std::string& name, const AdvertEgress& egress);
  void close(const std::string& name);
  std::string advertise(const std::string& name, std::vector<AdvertMessage> messages,
                        const std::optional<Repetition>& repetition);
  void acknowledge_expiry(const std::string& name);
  void entrust(const std::string& name, LastWill will, Done done);
  void revoke(const std::string& name);

  // What to wait for before serve() is called again.
  struct Wait {
    Micros deadline = kNever;
    int guardian = -1;  // descriptor
    bool is_for_writing = false;
  };
  // The network thread: repeats what is due, ends leases that have run out, hears the guardian and starts it anew.
  Wait serve();

  std::optional<pid_t> guardian_pid() const;

 private:
  struct Router {
    AdvertEgress egress;
    AdvertSender sender;
    LeaseSlot slot = 0;
    std::vector<AdvertMessage> messages;
    AdvertSchedule schedule;
    bool is_expired = false;    // and nobody has been told yet
    bool is_will_lost = false;  // the guardian has it, has done it, or does it right now
  };
  // What a call has to tell once the mutex is released.
  struct Reports {
    GuardianOutcome guardian;
    std::vector<std::string> expired;
  };

  void report(Reports& reports);
  std::optional<LeaseSlot> free_slot() const;
  void expire(const std::string& name, Router& router, Reports& reports);
  Micros repeat_due(Micros now, Reports& reports);

  FailoverEvents& events_;
  const std::string guardian_path_;
  mutable std::mutex mutex_;  // guards what follows; nothing waits and nobody is called under it
  bool is_ended_ = false;
  std::map<std::string, Router> routers_;
  GuardianLink guardian_;
};

}  // namespace uvs

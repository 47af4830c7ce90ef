// The director's end of its guardian: entrusts wills, keeps a copy of each for a successor, renews leases. Nothing here
// waits or calls back; what came of it is collected in a GuardianOutcome. One thread at a time (FailoverNetwork's mutex).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/net/time.h"
#include "host/advert_schedule.h"
#include "host/guardian_messages.h"
#include "host/guardian_process.h"
#include "host/lease_board.h"

namespace uvs {

// What to do once the mutex is released.
struct GuardianOutcome {
  using Done = std::function<void(Status)>;
  std::vector<std::pair<Done, Status>> done;
  std::vector<std::string> warnings;
};

class GuardianLink {
 public:
  using Done = GuardianOutcome::Done;

  explicit GuardianLink(LeaseBoard board) : board_(std::move(board)) {}
  ~GuardianLink();
  GuardianLink(const GuardianLink&) = delete;

  // Hands over to a guardian that has just been started: it gets every will.
  void adopt(GuardianProcess process, Micros now);
  // None could be started.
  void note_start_failure(const Status& status, Micros now, GuardianOutcome& outcome);
  // A guardian is to be started now, see GuardianProcess::start with board_descriptor().
  bool needs_process(Micros now) const { return !process_ && now >= start_at_; }
  int board_descriptor() const { return board_.descriptor(); }

  // `lease_end`: kNever for a will without a lease. Replaces the will of that slot; `done` hears when the guardian has it.
  void entrust(LeaseSlot slot, LastWill will, Micros lease_end, Micros now, Done done,
               GuardianOutcome& outcome);
  // The same will, spoken differently (its device was made anew).
  void change_egress(LeaseSlot slot, const AdvertEgress& egress, Micros now, GuardianOutcome& outcome);
  // At once, without a word to the guardian.
  void revoke(LeaseSlot slot, GuardianOutcome& outcome);
  // Revokes; the slot may be used again after it.
  void forget(LeaseSlot slot, GuardianOutcome& outcome);
  bool has_will(LeaseSlot slot) const { return wills_.contains(slot); }
  // False: the guardian has carried the will out.
  bool renew(LeaseSlot slot, Micros lease_end);

  std::optional<pid_t> pid() const;
  // For poll(); -1 without a guardian.
  int descriptor() const { return process_ ? process_->socket() : -1; }
  bool has_unsent() const { return !unsent_.empty(); }
  // Reads answers, sends what could not be sent before, gives up on a guardian that is dead or does not answer.
  void serve(Micros now, GuardianOutcome& outcome);
  Micros next_deadline() const;

  // All wills are void from here on. The process that is left to wait for, if any.
  std::optional<GuardianProcess> dismiss(GuardianOutcome& outcome);

 private:
  struct Pending {
    uint32_t sequence = 0;
    Micros deadline = 0;
    Done done;
  };

  void post(std::vector<uint8_t> bytes);
  void send_unsent();
  void send_will(LeaseSlot slot, Micros now, Done done, GuardianOutcome& outcome);
  void read_answers(GuardianOutcome& outcome);
  void settle(LeaseSlot slot, const Status& status, GuardianOutcome& outcome);
  void give_up_process(const std::string& why, Micros now, GuardianOutcome& outcome);
  void reap();

  LeaseBoard board_;
  std::map<LeaseSlot, LastWill> wills_;
  std::map<LeaseSlot, Pending> pending_;
  std::deque<std::vector<uint8_t>> unsent_;
  std::optional<GuardianProcess> process_;
  bool is_dead_ = false;
  std::vector<pid_t> dying_;  // killed, not yet waited for
  uint32_t last_sequence_ = 0;
  Micros started_at_ = 0, start_at_ = 0;
  Micros start_delay_ = 0;
  Micros reap_at_ = kNever;
  bool has_failed_to_start_ = false;
};

}  // namespace uvs

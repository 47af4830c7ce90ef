#include "host/guardian_link.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

namespace uvs {

namespace {

// A guardian answers within a millisecond; one that was stopped never does.
constexpr Micros kPatience = 1'000'000;
// One that dies as soon as it is started must not keep us busy.
constexpr Micros kShortestDelay = 100'000, kLongestDelay = 5'000'000, kLongLife = 10'000'000;
constexpr Micros kReapInterval = 100'000;

Status refusal(int error) {
  if (error == 0) return {};
  return errno_status(error, "the guardian cannot say goodbye in this director's place");
}

}  // namespace

void GuardianLink::adopt(GuardianProcess process, Micros now) {
  process_.emplace(std::move(process));
  is_dead_ = has_failed_to_start_ = false;
  started_at_ = now;
  GuardianOutcome none;
  for (const auto& [slot, will] : wills_) {
    if (board_.get(slot) == LeaseBoard::kClaimed) continue;  // done already
    // Whoever waits for an answer of the last guardian gets this one's.
    auto waiting = pending_.extract(slot);
    Done done = waiting.empty() ? Done{} : std::move(waiting.mapped().done);
    send_will(slot, now, std::move(done), none);
  }
}

void GuardianLink::note_start_failure(const Status& status, Micros now, GuardianOutcome& outcome) {
  if (!has_failed_to_start_) {
    outcome.warnings.push_back("there is no guardian: if this process dies, the addresses stay: " +
                               status.message);
  }
  has_failed_to_start_ = true;
  start_at_ = now + kLongestDelay;
  for (auto waiting = pending_.begin(); waiting != pending_.end(); waiting = pending_.erase(waiting))
    if (waiting->second.done) outcome.done.emplace_back(std::move(waiting->second.done), status);
}

void GuardianLink::send_will(LeaseSlot slot, Micros now, Done done, GuardianOutcome& outcome) {
  const uint32_t sequence = ++last_sequence_;
  Result<std::vector<uint8_t>> bytes = encode_entrust(slot, sequence, wills_.at(slot));
  if (!bytes.ok()) {
    wills_.erase(slot);
    board_.set(slot, LeaseBoard::kVoid);
    if (done) outcome.done.emplace_back(std::move(done), bytes.status());
    return;
  }
  pending_[slot] = {sequence, now + kPatience, std::move(done)};
  post(std::move(bytes.value()));
}

void GuardianLink::entrust(LeaseSlot slot, LastWill will, Micros lease_end, Micros now, Done done,
                           GuardianOutcome& outcome) {
  // Whoever waits for the will before this one has got what it wanted: it is replaced.
  settle(slot, {}, outcome);
  wills_.insert_or_assign(slot, std::move(will));
  board_.set(slot, lease_end == kNever ? LeaseBoard::kEndless : lease_end);
  if (!process_ && has_failed_to_start_) {
    if (done) {
      outcome.done.emplace_back(std::move(done), Status{ErrorCode::kIo, "there is no guardian"});
    }
    return;
  }
  send_will(slot, now, std::move(done), outcome);
}

void GuardianLink::change_egress(LeaseSlot slot, const AdvertEgress& egress, Micros now,
                                GuardianOutcome& outcome) {
  const auto found = wills_.find(slot);
  if (found == wills_.end()) return;
  found->second.egress = egress;
  auto waiting = pending_.extract(slot);
  send_will(slot, now, waiting.empty() ? Done{} : std::move(waiting.mapped().done), outcome);
}

void GuardianLink::revoke(LeaseSlot slot, GuardianOutcome& outcome) {
  board_.set(slot, LeaseBoard::kVoid);
  wills_.erase(slot);
  settle(slot, {}, outcome);
}

void GuardianLink::forget(LeaseSlot slot, GuardianOutcome& outcome) {
  revoke(slot, outcome);
  post(encode(ForgetMessage{slot}));
}

bool GuardianLink::renew(LeaseSlot slot, Micros lease_end) {
  return board_.renew(slot, lease_end == kNever ? LeaseBoard::kEndless : lease_end);
}

void GuardianLink::settle(LeaseSlot slot, const Status& status, GuardianOutcome& outcome) {
  auto waiting = pending_.extract(slot);
  if (!waiting.empty() && waiting.mapped().done)
    outcome.done.emplace_back(std::move(waiting.mapped().done), status);
}

void GuardianLink::post(std::vector<uint8_t> bytes) {
  if (!process_) return;  // its successor gets every will
  unsent_.push_back(std::move(bytes));
  send_unsent();
}

void GuardianLink::send_unsent() {
  while (!unsent_.empty()) {
    const std::vector<uint8_t>& bytes = unsent_.front();
    if (send(process_->socket(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      // Full: poll() says when there is room. Anything else: serve() finds out that it is dead.
      if (errno != EAGAIN && errno != EWOULDBLOCK) is_dead_ = true;
      return;
    }
    unsent_.pop_front();
  }
}

void GuardianLink::read_answers(GuardianOutcome& outcome) {
  std::array<uint8_t, 256> buffer;
  for (;;) {
    const ssize_t size = recv(process_->socket(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size <= 0) {
      is_dead_ = true;
      return;
    }
    const auto message = decode_guardian_message({buffer.data(), static_cast<size_t>(size)});
    const auto* answer = std::get_if<AnswerMessage>(&message);
    if (answer == nullptr) continue;
    const auto waiting = pending_.find(answer->slot);
    if (waiting != pending_.end() && waiting->second.sequence == answer->sequence)
      settle(answer->slot, refusal(answer->error), outcome);
  }
}

GuardianLink::~GuardianLink() {
  for (const pid_t pid : dying_) (void)waitpid(pid, nullptr, 0);
}

std::optional<pid_t> GuardianLink::pid() const {
  return process_ ? std::optional(process_->pid()) : std::nullopt;
}

// Never waits: whoever calls has adverts to send.
void GuardianLink::reap() {
  std::erase_if(dying_, [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
}

void GuardianLink::serve(Micros now, GuardianOutcome& outcome) {
  reap();
  reap_at_ = dying_.empty() ? kNever : now + kReapInterval;
  if (!process_) return;
  read_answers(outcome);
  if (!is_dead_) send_unsent();
  if (is_dead_) return give_up_process("the guardian has died", now, outcome);
  bool is_mute = false;
  for (auto waiting = pending_.begin(); waiting != pending_.end();) {
    const auto next = std::next(waiting);
    if (waiting->second.deadline <= now) {
      is_mute = true;
      settle(waiting->first, {ErrorCode::kIo, "the guardian does not answer"}, outcome);
    }
    waiting = next;
  }
  if (is_mute) give_up_process("the guardian does not answer", now, outcome);
}

void GuardianLink::give_up_process(const std::string& why, Micros now, GuardianOutcome& outcome) {
  // It may live on when it only hangs: two of them would carry out one will.
  (void)kill(process_->pid(), SIGKILL);
  dying_.push_back(process_->pid());
  reap_at_ = now + kReapInterval;
  process_.reset();
  is_dead_ = false;
  unsent_.clear();
  const bool has_lived = now - started_at_ >= kLongLife;
  start_at_ = now + (has_lived ? 0 : start_delay_);
  start_delay_ = has_lived ? 0 : std::clamp(start_delay_ * 2, kShortestDelay, kLongestDelay);
  outcome.warnings.push_back(why + "; another one is started and gets all last wills");
}

Micros GuardianLink::next_deadline() const {
  Micros next = process_ ? reap_at_ : std::min(reap_at_, start_at_);
  if (!process_) return next;
  for (const auto& [slot, waiting] : pending_) next = std::min(next, waiting.deadline);
  return next;
}

std::optional<GuardianProcess> GuardianLink::dismiss(GuardianOutcome& outcome) {
  for (LeaseSlot slot = 0; slot < LeaseBoard::kSlots; slot++)
    board_.set(slot, LeaseBoard::kVoid);
  wills_.clear();
  while (!pending_.empty()) settle(pending_.begin()->first, {}, outcome);
  if (!process_) return std::nullopt;
  unsent_.clear();
  post(encode(DismissMessage{}));
  std::optional<GuardianProcess> left(std::move(*process_));
  process_.reset();
  return left;
}

}  // namespace uvs

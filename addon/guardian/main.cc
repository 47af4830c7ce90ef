// uvs-guardian: waits for its director's death or silence and then does what the director can't do any more (priority 0,
// addresses away, routes away). Started by the addon with a socket on descriptor 3 and the board of leases on 4; prints
// nothing, ends with the director.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "guardian/keeper.h"
#include "host/urgency.h"
#include "io/monotonic_clock.h"

namespace uvs {

namespace {

// What a director of ours has no reason to send.
enum class Order { kGoOn, kDismissed, kDead };

void answer(const AnswerMessage& message) {
  const std::vector<uint8_t> bytes = encode(message);
  (void)send(kGuardianSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Order obey(Keeper& keeper, std::span<const uint8_t> bytes) {
  GuardianMessage message = decode_guardian_message(bytes);
  if (auto* entrusted = std::get_if<EntrustMessage>(&message)) {
    const int error = keeper.keep(entrusted->slot, std::move(entrusted->will));
    answer({entrusted->slot, entrusted->sequence, error});
  } else if (const auto* forgotten = std::get_if<ForgetMessage>(&message)) {
    keeper.forget(forgotten->slot);
  } else if (std::holds_alternative<DismissMessage>(message)) {
    return Order::kDismissed;
  } else if (const auto* broken = std::get_if<BrokenMessage>(&message)) {
    if (broken->refusal) answer(*broken->refusal);
  }
  return Order::kGoOn;
}

// Everything that the director has said so far: a will that it revoked just before is not carried out.
Order listen(Keeper& keeper) {
  static std::array<uint8_t, kMaxGuardianMessage> buffer;
  for (;;) {
    const ssize_t size = recv(kGuardianSocket, buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size == 0) return Order::kDead;
    if (size < 0) {
      // ECONNRESET: it died before it read our last answer; what it had said can still be read.
      if (errno == EINTR || errno == ECONNRESET) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Order::kGoOn : Order::kDead;
    }
    if (static_cast<size_t>(size) > buffer.size()) continue;
    const Order order = obey(keeper, {buffer.data(), static_cast<size_t>(size)});
    if (order != Order::kGoOn) return order;
  }
}

void wait(Micros until) {
  const Micros now = monotonic_now();
  const Micros left = until <= now ? 0 : until - now;
  const timespec timeout{static_cast<time_t>(left / kMicrosPerSecond),
                         static_cast<long>(left % kMicrosPerSecond * 1000)};
  pollfd watched{kGuardianSocket, POLLIN, 0};
  (void)ppoll(&watched, 1, until == UINT64_MAX ? nullptr : &timeout, nullptr);
}

int guard() {
  Result<LeaseBoard> board = LeaseBoard::attach(kGuardianBoard);
  if (!board.ok()) return 1;
  close(kGuardianBoard);
  Keeper keeper(std::move(board.value()));
  for (;;) {
    const Order order = listen(keeper);
    if (order == Order::kDismissed) return 0;
    if (order == Order::kDead) {
      keeper.carry_out(std::nullopt);
      return 0;
    }
    keeper.carry_out(monotonic_now());
    wait(keeper.next_deadline());
  }
}

void ignore_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM})
    (void)::signal(signal, SIG_IGN);
}

// Started by hand, it has nothing to guard.
bool has_director() {
  int type = 0;
  socklen_t size = sizeof(type);
  return getsockopt(kGuardianSocket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace

}  // namespace uvs

int main() {
  uvs::ignore_signals();
  if (!uvs::has_director()) return 2;
  // A descriptor that some library left inheritable would keep a file or a port in use.
  (void)syscall(SYS_close_range, uvs::kGuardianBoard + 1, ~0u, 0);
  uvs::be_urgent();
  return uvs::guard();
}

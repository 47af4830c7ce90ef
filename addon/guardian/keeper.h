// The wills that the guardian holds, and how it carries them out. It decides nothing but who is first: see LeaseBoard.
#pragma once

#include <map>
#include <optional>
#include <span>

#include "core/net/time.h"
#include "host/advert_socket.h"
#include "host/guardian_messages.h"
#include "host/lease_board.h"

namespace uvs {

class Keeper {
 public:
  explicit Keeper(LeaseBoard board) : board_(std::move(board)) {}

  // Opens the will's socket now: later there may be no memory, no descriptor, no time. 0, or an errno of why there is no
  // goodbye; addresses and routes are kept in any case. Replaces the will of that slot.
  int keep(LeaseSlot slot, LastWill will);
  void forget(LeaseSlot slot) { wills_.erase(slot); }

  // Carries out every will whose lease has run out; with `now` empty every will that is not void. Each goes once. All
  // goodbyes come before the first address: others take over meanwhile.
  void carry_out(std::optional<Micros> now);
  // When carry_out() is to be called next; a director that goes on renewing moves it without a word.
  Micros next_deadline() const;

 private:
  struct Kept {
    LastWill will;
    std::optional<AdvertSender> sender;
  };

  LeaseBoard board_;
  std::map<LeaseSlot, Kept> wills_;
};

}  // namespace uvs

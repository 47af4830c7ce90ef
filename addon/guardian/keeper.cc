#include "guardian/keeper.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace uvs {

int Keeper::keep(LeaseSlot slot, LastWill will) {
  Kept kept{std::move(will), std::nullopt};
  Result<AdvertSender> sender = AdvertSender::open(kept.will.egress);
  if (sender.ok()) kept.sender = std::move(sender.value());
  for (const HostAddress& address : kept.will.addresses) remember_place(address);
  wills_.insert_or_assign(slot, std::move(kept));
  if (sender.ok()) return 0;
  return sender.status().code == ErrorCode::kDeviceMissing ? ENODEV : EADDRNOTAVAIL;
}

void Keeper::carry_out(std::optional<Micros> now) {
  std::vector<Kept> due;
  for (auto held = wills_.begin(); held != wills_.end();) {
    if (board_.claim(held->first, now)) {
      due.push_back(std::move(held->second));
      held = wills_.erase(held);
    } else {
      ++held;
    }
  }
  for (const Kept& kept : due) {
    if (kept.sender) (void)kept.sender->send(kept.will.goodbye);
  }
  // Nobody is left to hear what fails, and nothing else can be tried.
  for (const Kept& kept : due) {
    for (const HostAddress& address : kept.will.addresses) (void)remove_address(address);
  }
  for (const Kept& kept : due) {
    for (const VirtualRouteSpec& route : kept.will.routes) (void)remove_route(route);
  }
}

Micros Keeper::next_deadline() const {
  Micros next = UINT64_MAX;
  for (const auto& [slot, kept] : wills_) {
    const uint64_t state = board_.get(slot);
    if (state != LeaseBoard::kVoid && state < LeaseBoard::kEndless) next = std::min(next, state);
  }
  return next;
}

}  // namespace uvs

#include "host/belongings.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "host/virtual_mac.h"

namespace uvs {

namespace {

// Asks for each thing, devices before what is on them, addresses before routes that come from them.
class Look {
 public:
  explicit Look(NetlinkSocket netlink) : netlink_(std::move(netlink)) {}

  Result<bool> ensure(const VirtualMacSpec& mac, bool) { return ensure_virtual_mac(mac.name, mac.parent, mac.mac); }
  Result<bool> ensure(const HostAddress& address, bool is_our_doing) {
    Result<bool> added = ensure_address(netlink_, address);
    // One that the director before has left is there, and would go when its time is over.
    if (added.ok() && !added.value() && is_our_doing && is_left_for_us(address)) return take_up_address(address);
    return added;
  }
  Result<bool> ensure(const VirtualRouteSpec& route, bool) { return ensure_route(netlink_, route); }

 private:
  // One list for the whole look.
  bool is_left_for_us(const HostAddress& address) {
    if (!left_) {
      left_.emplace();
      if (auto present = dump_addresses(netlink_); present.ok()) left_ = std::move(present.value());
      std::erase_if(*left_, [](const AddressRecord& record) { return !record.is_left_for_us(); });
    }
    return std::ranges::any_of(*left_, [&](const AddressRecord& record) {
      return record.local.family == address.family && record.local.address == address.address;
    });
  }

  NetlinkSocket netlink_;
  std::optional<std::vector<AddressRecord>> left_;
};

const char* what_deviates(const Belonging& belonging) {
  return std::holds_alternative<VirtualMacSpec>(belonging.thing) ? "is gone, down or changed" : "is gone";
}

CustodyOutcome treat_our_doing(const Deviation& deviation) {
  const Result<bool> done = deviation.put_back();
  if (!done.ok()) return {CustodyOutcome::State::kLeft, deviation.object + ": " + done.status().message, false};
  return {done.value() ? CustodyOutcome::State::kPutBack : CustodyOutcome::State::kInPlace, {}, false};
}

}  // namespace

std::vector<CustodyOutcome> look_after(Custody& custody, const std::vector<Belonging>& belongings, Micros now) {
  auto netlink = NetlinkSocket::open();
  // Out of descriptors: nothing is known, and nothing is said.
  if (!netlink.ok()) return std::vector<CustodyOutcome>(belongings.size());
  Look look(std::move(netlink.value()));
  std::vector<size_t> order(belongings.size());
  for (size_t i = 0; i < order.size(); i++) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](size_t i) { return belongings[i].thing.index(); });

  // What is our doing first: who takes the other's place must not be told to have been taken away.
  std::vector<CustodyOutcome> outcomes(belongings.size());
  std::vector<Deviation> deviations;
  std::vector<size_t> treated;
  for (const size_t i : order) {
    const Belonging& belonging = belongings[i];
    Deviation deviation{belonging.text, what_deviates(belonging), [&look, &belonging] {
                          return std::visit(
                              [&](const auto& thing) { return look.ensure(thing, belonging.is_our_doing); },
                              belonging.thing);
                        }};
    if (belonging.is_our_doing) {
      outcomes[i] = treat_our_doing(deviation);
    } else {
      deviations.push_back(std::move(deviation));
      treated.push_back(i);
    }
  }
  const std::vector<CustodyOutcome> looked = custody.look(deviations, now);
  for (size_t at = 0; at < treated.size(); at++) outcomes[treated[at]] = looked[at];
  return outcomes;
}

}  // namespace uvs

#include "host/neighbours.h"

#include <linux/neighbour.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace uvs {

namespace {

constexpr uint16_t kValid =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

}  // namespace

size_t NeighbourResolver::KeyHash::operator()(const NeighbourKey& key) const {
  uint64_t words[2];
  std::memcpy(words, key.address.bytes.data(), sizeof(words));
  // The neighbours of a link differ in their last bytes; odd multipliers spread them (Knuth).
  return (words[0] * 0x9e3779b97f4a7c15ULL) ^ (words[1] * 0xc2b2ae3d27d4eb4fULL) ^
         (uint64_t{key.ifindex} << 32);
}

std::optional<NeighbourKey> NeighbourResolver::key_of(const NetlinkMessage& message) const {
  const auto* body = message.body<ndmsg>();
  if (!body || (body->ndm_family != AF_INET && body->ndm_family != AF_INET6)) return std::nullopt;
  const Family family = body->ndm_family == AF_INET ? Family::kIpv4 : Family::kIpv6;
  const auto address = message.attributes<ndmsg>().find(NDA_DST);
  if (!address || address->size() != address_size(family) || (body->ndm_flags & NTF_PROXY) != 0)
    return std::nullopt;
  NeighbourKey key;
  key.ifindex = static_cast<uint32_t>(body->ndm_ifindex);
  key.family = family;
  std::copy(address->begin(), address->end(), key.address.bytes.begin());
  return key;
}

void NeighbourResolver::remember(const NetlinkMessage& message, const NeighbourKey& key) {
  if (message.type == RTM_DELNEIGH) {
    known_.erase(key);
    return;
  }
  Entry& entry = known_[key];
  entry.state = message.body<ndmsg>()->ndm_state;
  if (const auto mac = message.attributes<ndmsg>().value<MacAddress>(NDA_LLADDR)) entry.mac = *mac;
}

Status NeighbourResolver::dump(NetlinkSocket& netlink, Micros now, bool& has_answered) {
  NetlinkRequest request(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{});
  const int error = netlink.dump(
      request, [&] { known_.clear(); },
      [&](const NetlinkMessage& message) {
        if (const auto key = key_of(message)) remember(message, *key);
      });
  if (error != 0 && error != EINTR) return errno_status(error, "cannot list the neighbours");
  for (const auto& [key, slot] : slot_of_) has_answered |= compare(slot, now);
  return {};
}

bool NeighbourResolver::settle(Attempt& attempt, NeighbourState state, const MacAddress& mac) {
  attempt.waiting_since = 0;
  table_.update(attempt.key, state, mac);
  return true;
}

bool NeighbourResolver::apply(const NetlinkMessage& message, Micros now) {
  if (message.type != RTM_NEWNEIGH && message.type != RTM_DELNEIGH) return false;
  const auto key = key_of(message);
  if (!key) return false;
  remember(message, *key);
  const auto slot = slot_of_.find(*key);
  return slot != slot_of_.end() && compare(slot->second, now);
}

// Brings what the slot says in line with what the kernel knows. True as in apply().
bool NeighbourResolver::compare(size_t slot, Micros now) {
  Attempt& attempt = attempts_[slot];
  const auto known = known_.find(attempt.key);
  // The kernel forgot an entry (garbage collection, a device that went down): its MAC is as good as
  // it was, but unproven.
  if (known == known_.end()) {
    attempt.waiting_since = 0;
    attempt.asked_at = 0;
    return false;
  }
  const Entry& entry = known->second;
  const NeighbourAnswer told = table_.answer(static_cast<NeighbourIndex>(slot));
  if ((entry.state & kValid) != 0) {
    if (told.state == NeighbourState::kResolved && told.mac == entry.mac) return false;
    return settle(attempt, NeighbourState::kResolved, entry.mac);
  }
  // What was wanted again since it failed has not been asked for again yet.
  const bool is_old = told.state == NeighbourState::kRequested && attempt.waiting_since == 0;
  if ((entry.state & NUD_FAILED) == 0 || told.state == NeighbourState::kFailed || is_old) return false;
  attempt.asked_at = now;  // the next attempt may start a second from here
  return settle(attempt, NeighbourState::kFailed, {});
}

void NeighbourResolver::ask(NetlinkSocket& netlink, Attempt& attempt, Micros now) {
  ndmsg body{};
  body.ndm_family = attempt.key.family == Family::kIpv4 ? AF_INET : AF_INET6;
  body.ndm_ifindex = static_cast<int>(attempt.key.ifindex);
  body.ndm_state = NUD_NONE;
  body.ndm_flags = NTF_USE;
  NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE, body);
  request.bytes(NDA_DST, attempt.key.address.bytes.data(), address_size(attempt.key.family));
  // No acknowledgement: the answer is the event. A refusal (the device is gone) is silence, and
  // silence is a failure.
  (void)netlink.send(request);
  attempt.asked_at = now;
}

void NeighbourResolver::forget(size_t slot) {
  Attempt& attempt = attempts_[slot];
  if (!attempt.is_used) return;
  if (const auto found = slot_of_.find(attempt.key);
      found != slot_of_.end() && found->second == slot)
    slot_of_.erase(found);
  attempt = {};
}

bool NeighbourResolver::look_after(NetlinkSocket& netlink, Attempt& attempt, NeighbourIndex index,
                                   Micros now) {
  const NeighbourState state = table_.answer(index).state;
  const auto found = known_.find(attempt.key);
  const bool is_valid = found != known_.end() && (found->second.state & kValid) != 0;
  const bool may_ask = attempt.asked_at + kRetryInterval <= now;

  // Known before anybody asked, or asked for anew in another slot.
  if (is_valid && state != NeighbourState::kResolved)
    settle(attempt, NeighbourState::kResolved, found->second.mac);
  if (!is_valid && state == NeighbourState::kRequested) {
    if (attempt.waiting_since == 0) {
      attempt.waiting_since = now;
      ask(netlink, attempt, now);
    } else if (attempt.waiting_since + kSilence <= now) {
      return settle(attempt, NeighbourState::kFailed, {});
    }
    return false;
  }
  // Forwarding by AF_PACKET never confirms an entry, so a stale one stays stale until somebody
  // asks: a server that was replaced would stay a black hole. One that failed is asked for when the worker
  // wants it again: a flood from sources that are not there would keep the kernel's table full of questions.
  if (state != NeighbourState::kResolved) return is_valid;
  const bool wants_refresh = !is_valid || (found->second.state & NUD_STALE) != 0;
  if (wants_refresh && may_ask && table_.last_used(index) + kInUse > now)
    ask(netlink, attempt, now);
  return false;
}

bool NeighbourResolver::sweep(NetlinkSocket& netlink, Micros now) {
  netlink.discard();
  (void)table_.take_requests();
  const size_t bound = table_.bound();
  if (attempts_.size() < bound) attempts_.resize(bound);
  bool has_answered = false;
  for (size_t i = 0; i < bound; i++) {
    const auto index = static_cast<NeighbourIndex>(i);
    Attempt& attempt = attempts_[i];
    const auto key = table_.key(index);
    if (!key || (attempt.is_used && attempt.key != *key)) forget(i);
    if (!key) continue;
    if (!attempt.is_used) {
      attempt = Attempt{.key = *key, .is_used = true};
      slot_of_[*key] = i;
    }
    has_answered |= look_after(netlink, attempt, index, now);
  }
  return has_answered;
}

}  // namespace uvs

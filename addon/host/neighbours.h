// Resolves the next hops that the worker asks for, through the kernel: it does ARP and neighbour
// discovery, we ask (NTF_USE), mirror what it learns, and keep entries in use fresh. Housekeeping
// thread only.
//
//   asked --NTF_USE--> kernel: INCOMPLETE --answer--> REACHABLE ... STALE --in use: NTF_USE-->
//   DELAY, PROBE --> REACHABLE
//     |                          `--silence--> FAILED (asked again once a second while packets
//     still want it)
//     `-- 3 s without a word: failed
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/forward/neighbour_table.h"
#include "core/net/time.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

class NeighbourResolver {
 public:
  // How long a next hop may keep silent: the kernel's three attempts a second apart.
  static constexpr Micros kSilence = 3 * kMicrosPerSecond;
  static constexpr Micros kRetryInterval = kMicrosPerSecond;
  // A slot that was touched within it is in use.
  static constexpr Micros kInUse = 5 * kMicrosPerSecond;

  explicit NeighbourResolver(NeighbourTable& table) : table_(table) {}

  // Everything that the kernel knows; also after events were lost. `has_answered` becomes true as apply() does.
  Status dump(NetlinkSocket& netlink, Micros now, bool& has_answered);
  // RTM_NEWNEIGH or RTM_DELNEIGH. True when a next hop that is asked for was answered or failed.
  bool apply(const NetlinkMessage& message, Micros now);
  // Asks for new keys, retries failed ones, refreshes stale ones, gives up silent ones. `netlink`
  // sends only. True as in apply().
  bool sweep(NetlinkSocket& netlink, Micros now);
  // No next hop has been in use yet.
  bool is_idle() const { return attempts_.empty(); }

 private:
  struct Entry {
    uint16_t state = 0;  // NUD_*
    MacAddress mac;
  };
  struct KeyHash {
    size_t operator()(const NeighbourKey& key) const;
  };
  // What we did for slot i of the table.
  struct Attempt {
    NeighbourKey key;
    bool is_used = false;
    Micros asked_at = 0;
    Micros waiting_since = 0;  // 0: no question is open
  };

  void remember(const NetlinkMessage& message, const NeighbourKey& key);
  std::optional<NeighbourKey> key_of(const NetlinkMessage& message) const;
  bool settle(Attempt& attempt, NeighbourState state, const MacAddress& mac);
  bool compare(size_t slot, Micros now);
  void ask(NetlinkSocket& netlink, Attempt& attempt, Micros now);
  void forget(size_t slot);
  bool look_after(NetlinkSocket& netlink, Attempt& attempt, NeighbourIndex index, Micros now);

  NeighbourTable& table_;
  std::unordered_map<NeighbourKey, Entry, KeyHash> known_;
  std::unordered_map<NeighbourKey, size_t, KeyHash> slot_of_;
  std::vector<Attempt> attempts_;  // by slot
};

}  // namespace uvs

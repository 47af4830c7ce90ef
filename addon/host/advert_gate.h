// Which of the adverts that arrive go on to the control plane, so that a flood of them costs it a bounded time: no
// sockets, no clock, `now` is handed in. Sources can be forged, so what is remembered of them is bounded, too, and what
// all of them may ask for together. The master that a virtual router follows has a place of its own: whoever shed its
// adverts for others' would take over from a living master.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/net/address.h"
#include "core/net/time.h"

namespace uvs {

// Whose advert, and where it was heard.
struct AdvertOrigin {
  std::string device;
  IpAddress source;
  Family family = Family::kIpv4;
  uint8_t virtual_router_id = 0;
};

// So many at once, and so many a second.
class TokenBucket {
 public:
  explicit constexpr TokenBucket(uint32_t rate) : rate_(rate), micro_tokens_(uint64_t{rate} * kMicrosPerSecond) {}
  bool take(Micros now);

 private:
  uint32_t rate_;
  uint64_t micro_tokens_;
  Micros filled_at_ = 0;
};

class AdvertGate {
 public:
  // A second. The shortest interval of VRRPv3 makes a hundred.
  static constexpr uint32_t kFollowedRate = 200, kOriginRate = 50, kStrangersRate = 500;
  static constexpr size_t kMaxOrigins = 256;
  static constexpr Micros kReportPause = 30 * kMicrosPerSecond;

  // The virtual router `router` follows that master from now on; nothing: none.
  void follow(const std::string& router, const std::optional<AdvertOrigin>& master);
  bool admits(const AdvertOrigin& origin, Micros now);
  // In words, every kReportPause at most: what was shed since the last time.
  std::optional<std::string> report(Micros now);

 private:
  struct Key {
    std::array<uint8_t, 16> source;
    std::string device;
    uint8_t family, virtual_router_id;
    auto operator<=>(const Key&) const = default;
  };
  struct Followed {
    TokenBucket bucket{kFollowedRate};
    uint32_t routers = 0;
  };
  struct Origin {
    TokenBucket bucket{kOriginRate};
    Micros seen_at = 0;
  };
  static Key key_of(const AdvertOrigin& origin);
  bool admits_stranger(const Key& key, Micros now);

  std::map<std::string, Key> masters_;  // by virtual router
  std::map<Key, Followed> followed_;
  std::map<Key, Origin> origins_;
  TokenBucket strangers_{kStrangersRate};
  uint64_t shed_ = 0;
  AdvertOrigin last_shed_;
  std::optional<Micros> reported_at_;
};

}  // namespace uvs

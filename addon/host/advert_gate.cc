#include "host/advert_gate.h"

#include <arpa/inet.h>

#include <algorithm>

namespace uvs {

namespace {

std::string text_of(const AdvertOrigin& origin) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int domain = origin.family == Family::kIpv4 ? AF_INET : AF_INET6;
  const char* done = inet_ntop(domain, origin.source.bytes.data(), text.data(), text.size());
  return done ? done : "an unknown source";
}

}  // namespace

bool TokenBucket::take(Micros now) {
  const uint64_t full = uint64_t{rate_} * kMicrosPerSecond;
  const Micros passed = std::min<Micros>(now - std::min(filled_at_, now), kMicrosPerSecond);
  micro_tokens_ = std::min(full, micro_tokens_ + passed * rate_);
  filled_at_ = now;
  if (micro_tokens_ < kMicrosPerSecond) return false;
  micro_tokens_ -= kMicrosPerSecond;
  return true;
}

AdvertGate::Key AdvertGate::key_of(const AdvertOrigin& origin) {
  return {origin.source.bytes, origin.device, static_cast<uint8_t>(origin.family), origin.virtual_router_id};
}

void AdvertGate::follow(const std::string& router, const std::optional<AdvertOrigin>& master) {
  if (const auto before = masters_.extract(router); !before.empty()) {
    const auto found = followed_.find(before.mapped());
    if (found != followed_.end() && --found->second.routers == 0) followed_.erase(found);
  }
  if (!master) return;
  const Key key = key_of(*master);
  masters_.emplace(router, key);
  followed_[key].routers++;
}

bool AdvertGate::admits(const AdvertOrigin& origin, Micros now) {
  const Key key = key_of(origin);
  const auto found = followed_.find(key);
  if (found != followed_.end() ? found->second.bucket.take(now) : admits_stranger(key, now)) return true;
  shed_++;
  last_shed_ = origin;
  return false;
}

bool AdvertGate::admits_stranger(const Key& key, Micros now) {
  auto found = origins_.find(key);
  if (found == origins_.end()) {
    // Whoever is new takes the place of the one that was silent for longest; all of them share one bucket, too.
    if (!strangers_.take(now)) return false;
    if (origins_.size() >= kMaxOrigins) {
      origins_.erase(std::min_element(origins_.begin(), origins_.end(), [](const auto& a, const auto& b) {
        return a.second.seen_at < b.second.seen_at;
      }));
    }
    found = origins_.emplace(key, Origin{}).first;
    found->second.seen_at = now;
    return found->second.bucket.take(now);
  }
  found->second.seen_at = now;
  return found->second.bucket.take(now) && strangers_.take(now);
}

std::optional<std::string> AdvertGate::report(Micros now) {
  if (shed_ == 0 || (reported_at_ && now - *reported_at_ < kReportPause)) return std::nullopt;
  reported_at_ = now;
  const std::string text = std::to_string(shed_) + " adverts were shed, the last of " +
                           text_of(last_shed_) + " for VRID " +
                           std::to_string(last_shed_.virtual_router_id) + " on " + last_shed_.device +
                           ": more arrive than virtual routers send";
  shed_ = 0;
  return text;
}

}  // namespace uvs

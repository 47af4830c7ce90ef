// What tests of failover's native side share: a namespace whose far device stands for the rest of the link, with
// addresses of both families at both ends, an listener there, and events that can be waited for. Every wait is for a state.
#pragma once

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "../contract/io/scratch_network.h"
#include "host/failover_network.h"
#include "io/monotonic_clock.h"

namespace uvs::test {

inline constexpr const char* kGuardianPath = UVS_GUARDIAN;
inline constexpr Micros kPatience = 20 * kMicrosPerSecond;

inline IpAddress ip(const std::string& text) {
  IpAddress parsed;
  const bool is_ipv6 = text.find(':') != std::string::npos;
  REQUIRE(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, text.c_str(), parsed.bytes.data()) == 1);
  return parsed;
}

inline void wait_until(const std::function<bool()>& is_reached, const char* what) {
  INFO(what);
  const Micros end = monotonic_now() + kPatience;
  while (!is_reached()) {
    REQUIRE(monotonic_now() < end);
    (void)poll(nullptr, 0, 1);
  }
}

class FailoverTestbed {
 public:
  static constexpr const char* kNear = ScratchNetwork::kNear;
  static constexpr const char* kFar = ScratchNetwork::kFar;

  FailoverTestbed() { prepare(); }

  // Also after a device was made anew.
  static void prepare() {
    set("net/ipv4/conf/all/rp_filter", 0);
    for (const std::string device : {kNear, kFar}) {
      set("net/ipv4/conf/" + device + "/rp_filter", 0);
      // Both ends are this machine's: what comes from one looks to the other as if it were its own.
      set("net/ipv4/conf/" + device + "/accept_local", 1);
      set("net/ipv6/conf/" + device + "/accept_dad", 0);
      set("net/ipv6/conf/" + device + "/disable_ipv6", 0);
    }
    const auto add = [](const std::string& address, const char* device) {
      run("ip address add " + address + " dev " + device + " 2>/dev/null");
    };
    add("198.18.0.1/24", kNear);
    add("198.18.0.2/24", kFar);
    add("fd00:18::1/64 nodad", kNear);
    add("fd00:18::2/64 nodad", kFar);
  }

  static bool has_address(const std::string& text) {
    const auto links = snapshot_links();
    REQUIRE(links.ok());
    for (const FailoverLink& link : links.value()) {
      for (const FailoverAddress& address : link.addresses) {
        if (address.address == ip(text)) return true;
      }
    }
    return false;
  }

 private:
  static void set(const std::string& key, int value) {
    std::ofstream file("/proc/sys/" + key);
    file << value << std::flush;
    REQUIRE_MESSAGE(file.good(), key);
  }
  ScratchNetwork network_;
};

struct Heard {
  std::vector<uint8_t> message;
  IpAddress source, destination;
  uint8_t ttl = 0;
  Micros at = 0;
};

// Everything that arrives at the far end.
class FarListener {
 public:
  explicit FarListener(Family family = Family::kIpv4)
      : receiver_(open(family, {ip(family == Family::kIpv4 ? "224.0.0.18" : "ff02::12")})) {}

  // Waits for the next one.
  Heard next() {
    if (const auto advert = next_within(kPatience)) return *advert;
    FAIL("no advert was heard");
    return {};
  }
  std::optional<Heard> next_within(Micros patience) {
    const Micros end = monotonic_now() + patience;
    while (waiting_.empty()) {
      const Micros now = monotonic_now();
      if (now >= end) return std::nullopt;
      pollfd watched{receiver_.descriptor(), POLLIN, 0};
      (void)poll(&watched, 1, static_cast<int>((end - now + 999) / 1000));
      receiver_.receive([this](const HeardAdvert& advert) {
        waiting_.push_back({{advert.message.begin(), advert.message.end()},
                            advert.source,
                            advert.destination,
                            advert.ttl,
                            monotonic_now()});
      });
    }
    const Heard first = waiting_.front();
    waiting_.erase(waiting_.begin());
    return first;
  }

 private:
  static AdvertReceiver open(Family family, const std::vector<IpAddress>& groups) {
    auto opened = AdvertReceiver::open(FailoverTestbed::kFar, family, groups);
    REQUIRE_MESSAGE(opened.ok(), opened.status().message);
    return std::move(opened.value());
  }
  AdvertReceiver receiver_;
  std::vector<Heard> waiting_;
};

class RecordedEvents final : public FailoverEvents {
 public:
  void advert(const std::string& device, Family, const HeardAdvert& heard) override {
    note("advert " + device + " " + std::to_string(heard.ttl) + " " +
         std::to_string(heard.message.size()));
  }
  void links_changed() override { note("links-changed"); }
  void lease_expired(const std::string& router) override { note("lease-expired " + router); }
  void frame(const std::string& device, std::span<const uint8_t> bytes) override {
    note("frame " + device + " " + std::to_string(bytes.size()));
  }
  void warning(const std::string& message) override { note("warning " + message); }

  // Waits for an event that begins so.
  void wait_for(const std::string& beginning) {
    INFO(beginning);
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::microseconds(kPatience),
                                        [&] { return count_locked(beginning) > 0; });
    REQUIRE(came);
  }
  size_t count(const std::string& beginning) const {
    const std::lock_guard lock(mutex_);
    return count_locked(beginning);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    told_.clear();
  }

 private:
  void note(const std::string& text) {
    {
      const std::lock_guard lock(mutex_);
      told_.push_back(text);
    }
    changed_.notify_all();
  }
  size_t count_locked(const std::string& beginning) const {
    size_t count = 0;
    for (const std::string& text : told_) count += text.starts_with(beginning) ? 1 : 0;
    return count;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> told_;
};

inline AdvertMessage message_to(const std::string& destination, std::vector<uint8_t> bytes) {
  return {ip(destination), std::move(bytes)};
}

inline AdvertEgress near_egress(Family family = Family::kIpv4) {
  return {FailoverTestbed::kNear, family, ip(family == Family::kIpv4 ? "198.18.0.1" : "fd00:18::1"),
          255};
}

inline HostAddress virtual_address() {
  HostAddress address;
  address.address = ip("198.18.0.100");
  address.prefix_length = 32;
  address.device = FailoverTestbed::kNear;
  return address;
}

inline LastWill last_will() {
  LastWill will;
  will.egress = near_egress();
  will.goodbye = {message_to("224.0.0.18", {0x31, 51, 0})};
  will.addresses = {virtual_address()};
  return will;
}

}  // namespace uvs::test

// Which devices are attached: compares what there is with what there was and tells follower and
// events what to do. Housekeeping thread only (the first update: the thread that starts it).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "host/links.h"
#include "host/machine_watch.h"

namespace uvs {

class DeviceWatch {
 public:
  DeviceWatch(std::optional<std::vector<std::string>> interfaces, DeviceFollower& follower,
              HostEvents& events)
      : interfaces_(std::move(interfaces)), follower_(follower), events_(events) {}

  // `links` is everything there is now.
  void update(const std::vector<LinkRecord>& links);
  // As of the last update, by ifindex; devices that are named but not there come last.
  std::vector<DeviceState> states() const;
  // The first interface of the configuration that is not there; empty: none.
  std::string missing() const;

 private:
  void update_one(const LinkRecord& link);
  void detach(DeviceState& state, const std::string& reason);

  std::optional<std::vector<std::string>> interfaces_;
  DeviceFollower& follower_;
  HostEvents& events_;
  std::map<uint32_t, DeviceState> devices_;
};

}  // namespace uvs

// What failover's network has to tell whoever decides.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "host/advert_socket.h"

namespace uvs {

// Called on the network thread, a lost lease also on the thread that calls advertise(), a frame also on the one that
// calls listen_for_frames(); never under a lock of ours.
// Must not wait.
class FailoverEvents {
 public:
  virtual ~FailoverEvents() = default;
  virtual void advert(const std::string& device, Family family, const HeardAdvert& advert) = 0;
  virtual void links_changed() = 0;
  // Until acknowledge_expiry() the router sends nothing with a repetition.
  virtual void lease_expired(const std::string& router) = 0;
  virtual void frame(const std::string& device, std::span<const uint8_t> frame) = 0;
  virtual void warning(const std::string& message) = 0;
};

}  // namespace uvs

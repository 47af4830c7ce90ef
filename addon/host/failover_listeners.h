// Where failover listens: a socket for each device and family that adverts come in by, and one for each device on which
// addresses are probed. The port, src/dataplane/network.ts, says what the calls mean.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/advert_gate.h"
#include "host/failover_events.h"
#include "host/frame_socket.h"
#include "io/status.h"

namespace uvs {

class FailoverListeners {
 public:
  // `events` outlives it.
  explicit FailoverListeners(FailoverEvents& events) : events_(events) {}
  FailoverListeners(const FailoverListeners&) = delete;

  // What to wait for. It owns no socket: closing one that has joined groups may wait for the kernel.
  struct Source {
    std::string device;
    Family family = Family::kIpv4;
    std::weak_ptr<AdvertReceiver> adverts;
    std::weak_ptr<ProbeListener> probes;
    int descriptor = -1;
  };

  // The control thread. Whoever waits for sources() asks anew after it.
  Status listen_for_adverts(const std::string& device, Family family, const std::vector<IpAddress>& groups);
  void stop_listening_for_adverts(const std::string& device, Family family);
  void follow(const std::string& router, const std::optional<AdvertOrigin>& master);
  Status listen_for_frames(const std::string& device, std::vector<ProbedAddress> addresses);
  void stop_listening_for_frames(const std::string& device);

  // The network thread.
  std::vector<Source> sources() const;
  // Reports what waits in it, if it is still open.
  void receive(const Source& source);

 private:
  bool admits(const Source& source, const HeardAdvert& advert);

  FailoverEvents& events_;
  mutable std::mutex mutex_;  // guards what follows; nothing waits and nobody is called under it
  std::map<std::pair<std::string, Family>, std::shared_ptr<AdvertReceiver>> adverts_;
  std::map<std::string, std::shared_ptr<ProbeListener>> probes_;
  AdvertGate gate_;
};

}  // namespace uvs

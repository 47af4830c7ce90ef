// What failover does on this machine's network: listens (failover_listeners) and sends (advert_senders), and reports links that
// change. One thread, `uvs-network`, does whatever must not wait for the control plane. It decides nothing. The rules are
// those of the port, src/dataplane/network.ts.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/advert_gate.h"
#include "host/failover_events.h"
#include "host/failover_links.h"
#include "host/frame_socket.h"
#include "host/advert_senders.h"
#include "io/status.h"

namespace uvs {

class FailoverNetwork {
 public:
  using Done = AdvertSenders::Done;

  // Removes routes and virtual MAC devices that a dead director left, starts guardian (its executable is
  // `guardian_path`) and thread. IO, PRIVILEGE_MISSING. `events` outlives the returned object.
  static Result<std::unique_ptr<FailoverNetwork>> start(const std::string& guardian_path,
                                                FailoverEvents& events);
  // Joins the thread and lets the guardian carry out what it has: whoever ends without stop() has come to grief.
  ~FailoverNetwork();

  // Dismisses the guardian, which does nothing, and joins the thread; whoever waits for an entrust hears that it is done.
  // Waits up to a second. Twice is fine; nothing else may be called after it.
  void stop();

  // One control thread. As in the port, which says what they mean.
  Status listen_for_adverts(const std::string& device, Family family, const std::vector<IpAddress>& groups);
  void stop_listening_for_adverts(const std::string& device, Family family);
  void follow(const std::string& router, const std::optional<AdvertOrigin>& master);
  Status open(const std::string& router, const AdvertEgress& egress);
  void close(const std::string& router);
  // Empty: everything was sent.
  std::string advertise(const std::string& router, std::vector<AdvertMessage> messages,
                        const std::optional<Repetition>& repetition);
  void acknowledge_expiry(const std::string& router);
  // The will's egress is the router's. `done` is called on the network thread or before this returns.
  void entrust(const std::string& router, LastWill will, Done done);
  void revoke(const std::string& router);
  // Empty: it was sent.
  std::string send_frame(const std::string& device, std::span<const uint8_t> frame);
  Status listen_for_frames(const std::string& device, std::vector<ProbedAddress> addresses);
  void stop_listening_for_frames(const std::string& device);

  // For tests: whom to stop or kill.
  std::optional<pid_t> guardian_pid() const;

 private:
  struct Impl;
  explicit FailoverNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace uvs

// Raw sockets for VRRP adverts (IP protocol 112): one that hears a device and family, one that speaks for a virtual
// router. They carry whole VRRP messages and judge nothing. Nothing here blocks; a socket may be used by one thread
// while another changes its groups.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

inline constexpr int kVrrpProtocol = 112;

// A message as it was heard. `message` lives as long as the call that hands it over.
struct HeardAdvert {
  std::span<const uint8_t> message;
  IpAddress source, destination;
  uint8_t ttl = 0;
};

class AdvertReceiver {
 public:
  static constexpr int kMostAtOnce = 128;

  // Hears unicast to this machine and the multicast `groups` on `device`. DEVICE_MISSING, PRIVILEGE_MISSING, IO.
  static Result<AdvertReceiver> open(const std::string& device, Family family,
                                     const std::vector<IpAddress>& groups);

  // Leaves groups that are not in `groups` and joins those that are new; what waits unread stays.
  Status change_groups(const std::vector<IpAddress>& groups);
  // What waits, and no more than kMostAtOnce: whoever floods one device must not keep the thread from the others.
  void receive(const std::function<void(const HeardAdvert&)>& visit);

  // Of the device when the socket was opened; one that was removed and made anew has another.
  uint32_t ifindex() const { return ifindex_; }
  int descriptor() const { return socket_.get(); }

 private:
  AdvertReceiver(FileDescriptor socket, uint32_t ifindex, Family family)
      : socket_(std::move(socket)), ifindex_(ifindex), family_(family) {}
  int change_group(int option_ipv4, int option_ipv6, const IpAddress& group);

  FileDescriptor socket_;
  uint32_t ifindex_;
  Family family_;
  std::vector<IpAddress> groups_;
};

// Where and how adverts of one virtual router leave.
struct AdvertEgress {
  std::string device;
  Family family = Family::kIpv4;
  IpAddress source;
  uint8_t ttl = 255;
};

struct AdvertMessage {
  IpAddress destination;
  std::vector<uint8_t> bytes;
};

class AdvertSender {
 public:
  // DEVICE_MISSING, PRIVILEGE_MISSING, or IO when the source is no address of this machine. A link-local source has
  // to stand on the device itself, or on the one that it is a macvlan of.
  static Result<AdvertSender> open(const AdvertEgress& egress);

  // 0, or the errno of the first message that could not be sent; the others are sent all the same.
  int send(std::span<const AdvertMessage> messages) const;

  uint32_t ifindex() const { return ifindex_; }

 private:
  AdvertSender(FileDescriptor socket, uint32_t ifindex, AdvertEgress egress)
      : socket_(std::move(socket)), ifindex_(ifindex), egress_(std::move(egress)) {}
  int send_one(const AdvertMessage& message) const;

  FileDescriptor socket_;
  uint32_t ifindex_;
  AdvertEgress egress_;
};

// What AdvertSender::send says, in words, with what an operator can do about it. 0: empty.
std::string advert_error_text(const AdvertEgress& egress, int error);

// 0, or ENODEV or ENETDOWN: whether a packet that is sent on the device now can leave. A device without a carrier
// takes packets and loses them.
int device_error(int socket, const char* device);

}  // namespace uvs

// rtnetlink in the small: building requests, walking attributes, one socket for requests, dumps and
// events. Control side only; a socket belongs to one thread at a time.
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/file_descriptor.h"
#include "io/status.h"

namespace uvs {

class NetlinkRequest {
 public:
  template <typename Body>
  NetlinkRequest(uint16_t type, uint16_t flags, const Body& body) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    append(&header, sizeof(header));
    append(&body, sizeof(body));
  }

  void bytes(uint16_t type, const void* data, size_t size_bytes);
  template <typename T>
  void value(uint16_t type, const T& value) {
    bytes(type, &value, sizeof(value));
  }
  // Zero-terminated, as the kernel wants names.
  void text(uint16_t type, std::string_view text);
  // Everything added until end() stands inside the attribute.
  size_t begin(uint16_t type);
  void end(size_t start);
  // Fixed-size payload inside a nested attribute that is no attribute itself (VETH_INFO_PEER's
  // ifinfomsg).
  void append(const void* data, size_t size_bytes);

  std::span<uint8_t> finish(uint32_t sequence);

 private:
  std::vector<uint8_t> buffer_;
};

// The attributes behind a message's body, or inside a nested one.
class NetlinkAttributes {
 public:
  explicit NetlinkAttributes(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  std::optional<std::span<const uint8_t>> find(uint16_t type) const;
  template <typename T>
  std::optional<T> value(uint16_t type) const {
    const auto bytes = find(type);
    if (!bytes || bytes->size() < sizeof(T)) return std::nullopt;
    T result;
    std::memcpy(&result, bytes->data(), sizeof(T));
    return result;
  }
  std::string_view text(uint16_t type) const;

 private:
  std::span<const uint8_t> bytes_;
};

// A received message: its header's type and flags, its fixed body, its attributes.
struct NetlinkMessage {
  uint16_t type = 0;
  uint16_t flags = 0;
  std::span<const uint8_t> payload;

  // Null when the payload is shorter than Body.
  template <typename Body>
  const Body* body() const {
    return payload.size() < sizeof(Body) ? nullptr : reinterpret_cast<const Body*>(payload.data());
  }
  template <typename Body>
  NetlinkAttributes attributes() const {
    const size_t offset = NLMSG_ALIGN(sizeof(Body));
    return NetlinkAttributes(payload.size() < offset ? std::span<const uint8_t>{}
                                                     : payload.subspan(offset));
  }
};

class NetlinkSocket {
 public:
  static constexpr int kDumpAttempts = 8;
  using Visitor = std::function<void(const NetlinkMessage&)>;

  // Bursts of events (a routing daemon that starts) must fit; the kernel doubles the number.
  static constexpr int kBuffer_bytes = 4 << 20;

  // `groups`: RTNLGRP_*. A socket with groups is for events (non-blocking), one without for
  // requests.
  static Result<NetlinkSocket> open(std::span<const unsigned> groups = {}, int buffer_bytes = kBuffer_bytes);

  // Sends (with NLM_F_ACK or NLM_F_DUMP) and waits for the end of the answer: 0 or an errno. What
  // it consists of goes to `visit`. EINTR from a dump: the kernel's data changed meanwhile.
  int request(NetlinkRequest& request, const Visitor& visit = {});
  // A dump as a whole: when the kernel's data changed meanwhile it is taken again, up to
  // kDumpAttempts times, and `begin` is called before each. 0 or an errno; EINTR: the data never
  // rested, what the last attempt told may lack something, and the events tell what.
  int dump(NetlinkRequest& request, const std::function<void()>& begin, const Visitor& visit);
  // Sends without waiting for an answer: 0 or an errno.
  int send(NetlinkRequest& request);
  // Throws away what has come in (refusals of what send() sent); never waits.
  void discard();
  // Events that are there now: 0, or ENOBUFS when the kernel had to throw some away, or another errno. What is there
  // is read to its end in any case: until then the kernel throws away more and says nothing, and who asks it for
  // everything before would miss that.
  int drain(const Visitor& visit);

  // Of routes only the events about those with this rtm_protocol come in: a routing daemon's do not even wake us.
  Status ignore_routes_except(uint8_t protocol);

  int descriptor() const { return socket_.get(); }

 private:
  explicit NetlinkSocket(FileDescriptor socket) : socket_(std::move(socket)), buffer_(1 << 17) {}
  int collect(uint32_t sequence, const Visitor& visit);

  FileDescriptor socket_;
  std::vector<uint8_t> buffer_;
  uint32_t sequence_ = 0;
};

}  // namespace uvs

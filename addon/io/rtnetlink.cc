#include "io/rtnetlink.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <iterator>

namespace uvs {

void NetlinkRequest::append(const void* data, size_t size_bytes) {
  const auto* from = static_cast<const uint8_t*>(data);
  buffer_.insert(buffer_.end(), from, from + size_bytes);
  buffer_.resize(NLMSG_ALIGN(buffer_.size()));
}

void NetlinkRequest::bytes(uint16_t type, const void* data, size_t size_bytes) {
  rtattr header{};
  header.rta_type = type;
  header.rta_len = static_cast<uint16_t>(RTA_LENGTH(size_bytes));
  append(&header, sizeof(header));
  append(data, size_bytes);
}

void NetlinkRequest::text(uint16_t type, std::string_view text) {
  std::vector<char> terminated(text.begin(), text.end());
  terminated.push_back('\0');
  bytes(type, terminated.data(), terminated.size());
}

size_t NetlinkRequest::begin(uint16_t type) {
  const size_t start = buffer_.size();
  bytes(type, nullptr, 0);
  return start;
}

void NetlinkRequest::end(size_t start) {
  const auto length = static_cast<uint16_t>(buffer_.size() - start);
  std::memcpy(buffer_.data() + start, &length, sizeof(length));
}

std::span<uint8_t> NetlinkRequest::finish(uint32_t sequence) {
  nlmsghdr header;
  std::memcpy(&header, buffer_.data(), sizeof(header));
  header.nlmsg_len = static_cast<uint32_t>(buffer_.size());
  header.nlmsg_seq = sequence;
  std::memcpy(buffer_.data(), &header, sizeof(header));
  return buffer_;
}

std::optional<std::span<const uint8_t>> NetlinkAttributes::find(uint16_t type) const {
  std::span<const uint8_t> rest = bytes_;
  while (rest.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, rest.data(), sizeof(header));
    if (header.rta_len < sizeof(rtattr) || header.rta_len > rest.size()) break;
    if ((header.rta_type & NLA_TYPE_MASK) == type) {
      return rest.subspan(RTA_LENGTH(0), header.rta_len - RTA_LENGTH(0));
    }
    rest = rest.subspan(std::min<size_t>(RTA_ALIGN(header.rta_len), rest.size()));
  }
  return std::nullopt;
}

std::string_view NetlinkAttributes::text(uint16_t type) const {
  const auto bytes = find(type);
  if (!bytes) return {};
  const auto* start = reinterpret_cast<const char*>(bytes->data());
  return {start, strnlen(start, bytes->size())};
}

Result<NetlinkSocket> NetlinkSocket::open(std::span<const unsigned> groups, int buffer_bytes) {
  const int type = SOCK_RAW | SOCK_CLOEXEC | (groups.empty() ? 0 : SOCK_NONBLOCK);
  FileDescriptor socket(::socket(AF_NETLINK, type, NETLINK_ROUTE));
  if (!socket.is_open()) return errno_status(errno, "cannot open an rtnetlink socket");
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) != 0) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
  }
  // Strict checking makes the kernel honour filters in dump requests instead of ignoring them.
  const int on = 1;
  setsockopt(socket.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return errno_status(errno, "cannot bind an rtnetlink socket");
  }
  for (const unsigned group : groups) {
    // A group of a family that this kernel lacks (IPv6 off) is no reason to stop.
    setsockopt(socket.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
  }
  return NetlinkSocket(std::move(socket));
}

int NetlinkSocket::send(NetlinkRequest& request) {
  const auto bytes = request.finish(++sequence_);
  return ::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0 ? errno : 0;
}

int NetlinkSocket::collect(uint32_t sequence, const Visitor& visit) {
  bool is_interrupted = false;
  for (;;) {
    const ssize_t received = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    auto left = static_cast<unsigned>(received);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer_.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      // Sequence 0: an event. Another number: the rest of an answer that was given up.
      if (sequence != 0 && header->nlmsg_seq != sequence) continue;
      if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) is_interrupted = true;
      const auto* payload = static_cast<const uint8_t*>(NLMSG_DATA(header));
      if (header->nlmsg_type == NLMSG_ERROR) {
        const int error = -reinterpret_cast<const nlmsgerr*>(payload)->error;
        if (sequence != 0) return error;
        continue;
      }
      if (header->nlmsg_type == NLMSG_DONE) {
        int error = 0;  // a dump that failed half-way says so here
        if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
          std::memcpy(&error, payload, sizeof(error));
        if (error < 0) return -error;
        return is_interrupted ? EINTR : 0;
      }
      if (visit)
        visit(
            {header->nlmsg_type, header->nlmsg_flags, {payload, header->nlmsg_len - NLMSG_HDRLEN}});
    }
  }
}

int NetlinkSocket::request(NetlinkRequest& request, const Visitor& visit) {
  if (const int error = send(request)) return error;
  return collect(sequence_, visit);
}

int NetlinkSocket::dump(NetlinkRequest& request, const std::function<void()>& begin,
                        const Visitor& visit) {
  int error = EINTR;
  for (int attempt = 0; error == EINTR && attempt < kDumpAttempts; attempt++) {
    begin();
    error = this->request(request, visit);
  }
  return error;
}

void NetlinkSocket::discard() {
  while (recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT) >= 0) {
  }
}

int NetlinkSocket::drain(const Visitor& visit) {
  int error = collect(0, visit);
  const bool is_lost = error == ENOBUFS;
  while (error == ENOBUFS) error = collect(0, visit);
  if (error != EAGAIN && error != EWOULDBLOCK) return error;
  return is_lost ? ENOBUFS : 0;
}

Status NetlinkSocket::ignore_routes_except(uint8_t protocol) {
  constexpr uint32_t kTypeAt = offsetof(nlmsghdr, nlmsg_type);
  constexpr uint32_t kProtocolAt = NLMSG_HDRLEN + offsetof(rtmsg, rtm_protocol);
  // The kernel's BPF reads in network byte order, netlink is in the host's.
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTypeAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kProtocolAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, protocol, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter{std::size(steps), steps};
  if (setsockopt(descriptor(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0) return {};
  return errno_status(errno, "cannot choose which routes to hear of");
}

}  // namespace uvs

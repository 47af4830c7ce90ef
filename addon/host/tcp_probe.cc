#include "host/tcp_probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"
#include "io/monotonic_clock.h"
#include "io/quiet_thread.h"
#include "io/status.h"

namespace uvs {

namespace {

socklen_t fill_address(sockaddr_storage& storage, Family family, const IpAddress& address,
                       uint16_t port) {
  storage = {};
  if (family == Family::kIpv4) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    std::memcpy(&ipv4.sin_addr, address.bytes.data(), sizeof(ipv4.sin_addr));
    return sizeof(ipv4);
  }
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  std::memcpy(&ipv6.sin6_addr, address.bytes.data(), sizeof(ipv6.sin6_addr));
  return sizeof(ipv6);
}

// 0, or what failed and its errno.
std::string bind_as_told(int fd, const TcpProbe& probe) {
  if (!probe.bind_device.empty() &&
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, probe.bind_device.c_str(),
                 static_cast<socklen_t>(probe.bind_device.size())) != 0) {
    return "cannot bind to the device " + probe.bind_device + ": " + error_text(errno);
  }
  if (probe.fwmark != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_MARK, &probe.fwmark, sizeof(probe.fwmark)) != 0) {
    return "cannot set the mark: " + error_text(errno);
  }
  if (!probe.has_bind_address && probe.bind_port == 0) return {};
  // A fixed port must be usable again while the last attempt's connection is in TIME_WAIT.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage address;
  const socklen_t size =
      fill_address(address, probe.family, probe.has_bind_address ? probe.bind_address : IpAddress{},
                   probe.bind_port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0)
    return "cannot bind the source address: " + error_text(errno);
  return {};
}

}  // namespace

struct TcpProber::Impl {
  struct Attempt {
    FileDescriptor socket;
    Micros deadline = 0;
    Done done;
  };

  FileDescriptor wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;  // guards what follows; `done` is never called under it
  std::vector<std::pair<TcpProbe, Done>> asked;
  bool is_stopping = false;
  std::vector<Attempt> attempts;  // the thread's own
  std::thread thread;

  void begin(const TcpProbe& probe, Done done);
  bool take_asked();
  void wait();
  void loop();
};

void TcpProber::Impl::begin(const TcpProbe& probe, Done done) {
  const int domain = probe.family == Family::kIpv4 ? AF_INET : AF_INET6;
  FileDescriptor socket(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open()) return done("cannot open a socket: " + error_text(errno));
  if (const std::string error = bind_as_told(socket.get(), probe); !error.empty())
    return done(error);
  sockaddr_storage address;
  const socklen_t size = fill_address(address, probe.family, probe.address, probe.port);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0) return done({});
  if (errno != EINPROGRESS) return done(error_text(errno));
  attempts.push_back(
      {std::move(socket), monotonic_now() + Micros{probe.timeout_ms} * 1000, std::move(done)});
}

// False: stop.
bool TcpProber::Impl::take_asked() {
  std::vector<std::pair<TcpProbe, Done>> fresh;
  bool goes_on;
  {
    const std::lock_guard lock(mutex);
    fresh.swap(asked);
    goes_on = !is_stopping;
  }
  for (auto& [probe, done] : fresh) begin(probe, std::move(done));
  return goes_on;
}

void TcpProber::Impl::wait() {
  std::vector<pollfd> watched{{wakeup.get(), POLLIN, 0}};
  Micros until = UINT64_MAX;
  for (const Attempt& attempt : attempts) {
    watched.push_back({attempt.socket.get(), POLLOUT, 0});
    until = std::min(until, attempt.deadline);
  }
  const Micros now = monotonic_now();
  const int timeout_ms = until == UINT64_MAX ? -1
                         : until <= now      ? 0
                                             : static_cast<int>((until - now + 999) / 1000);
  (void)poll(watched.data(), watched.size(), timeout_ms);
  if (watched[0].revents != 0) {
    eventfd_t count;
    (void)eventfd_read(wakeup.get(), &count);
  }
  std::vector<Attempt> open;
  for (size_t i = 0; i < attempts.size(); i++) {
    Attempt& attempt = attempts[i];
    if (watched[i + 1].revents != 0) {
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      attempt.socket.reset();
      attempt.done(error == 0 ? "" : error_text(error));
    } else if (attempt.deadline <= monotonic_now()) {
      attempt.done("no answer in time");
    } else {
      open.push_back(std::move(attempt));
    }
  }
  attempts = std::move(open);
}

void TcpProber::Impl::loop() {
  while (take_asked()) wait();
  for (Attempt& attempt : attempts) attempt.done("the prober has stopped");
}

TcpProber::TcpProber() : impl_(std::make_unique<Impl>()) {
  impl_->thread = start_quiet_thread("uvs-probe", [impl = impl_.get()] { impl->loop(); });
}

TcpProber::~TcpProber() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_stopping = true;
  }
  (void)eventfd_write(impl_->wakeup.get(), 1);
  impl_->thread.join();
}

void TcpProber::probe(const TcpProbe& probe, Done done) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->asked.emplace_back(probe, std::move(done));
  }
  (void)eventfd_write(impl_->wakeup.get(), 1);
}

}  // namespace uvs

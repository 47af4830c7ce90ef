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

// What has failed with `error`; 0: nothing.
TcpProbeEnd end_of(uint64_t id, int error, const std::string& what = {}) {
  if (error == 0) return {id, {}, {}};
  const char* name = strerrorname_np(error);
  return {id, what + error_text(error), name ? name : ""};
}

// True; else `end` says what has failed.
bool bind_as_told(int fd, const TcpProbe& probe, TcpProbeEnd& end) {
  if (!probe.bind_device.empty() &&
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, probe.bind_device.c_str(),
                 static_cast<socklen_t>(probe.bind_device.size())) != 0) {
    end = end_of(probe.id, errno, "cannot bind to the device " + probe.bind_device + ": ");
    return false;
  }
  if (probe.fwmark != 0 &&
      setsockopt(fd, SOL_SOCKET, SO_MARK, &probe.fwmark, sizeof(probe.fwmark)) != 0) {
    end = end_of(probe.id, errno, "cannot set the mark: ");
    return false;
  }
  if (!probe.has_bind_address && probe.bind_port == 0) return true;
  // A fixed port must be usable again while the last attempt's connection is in TIME_WAIT.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // And closed by a reset: the pair of ports would stay in TIME_WAIT and refuse the next probe.
  const linger at_once{1, 0};
  if (probe.bind_port != 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  sockaddr_storage address;
  const socklen_t size =
      fill_address(address, probe.family, probe.has_bind_address ? probe.bind_address : IpAddress{},
                   probe.bind_port);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return true;
  end = end_of(probe.id, errno, "cannot bind the source address: ");
  return false;
}

// What answers within so long of another is reported with it.
constexpr int kGatherMs = 2;

}  // namespace

struct TcpProber::Impl {
  struct Attempt {
    uint64_t id = 0;
    FileDescriptor socket;
    Micros deadline = 0;
  };

  explicit Impl(Ended report) : ended(std::move(report)) {}

  const Ended ended;
  FileDescriptor wakeup{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;  // guards what follows; `ended` is never called under it
  std::vector<TcpProbe> asked;
  std::vector<uint64_t> cancelled;
  bool is_stopping = false;
  // The thread's own.
  std::vector<Attempt> attempts;
  std::vector<pollfd> watched;
  std::vector<TcpProbeEnd> ends;
  std::thread thread;

  void begin(const TcpProbe& probe);
  bool take_asked();
  int timeout_ms() const;
  void wait();
  void collect();
  void report();
  void loop();
};

void TcpProber::Impl::begin(const TcpProbe& probe) {
  const int domain = probe.family == Family::kIpv4 ? AF_INET : AF_INET6;
  FileDescriptor socket(::socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!socket.is_open()) return ends.push_back(end_of(probe.id, errno, "cannot open a socket: "));
  if (TcpProbeEnd end; !bind_as_told(socket.get(), probe, end)) return ends.push_back(std::move(end));
  sockaddr_storage address;
  const socklen_t size = fill_address(address, probe.family, probe.address, probe.port);
  const int outcome = connect(socket.get(), reinterpret_cast<sockaddr*>(&address), size);
  if (outcome != 0 && errno == EINPROGRESS) {
    const Micros deadline = monotonic_now() + Micros{probe.timeout_ms} * 1000;
    attempts.push_back({probe.id, std::move(socket), deadline});
    return;
  }
  ends.push_back(end_of(probe.id, outcome == 0 ? 0 : errno));
}

// False: stop.
bool TcpProber::Impl::take_asked() {
  std::vector<TcpProbe> fresh;
  std::vector<uint64_t> gone;
  bool goes_on;
  {
    const std::lock_guard lock(mutex);
    fresh.swap(asked);
    gone.swap(cancelled);
    goes_on = !is_stopping;
  }
  for (const TcpProbe& probe : fresh) begin(probe);
  for (const uint64_t id : gone) std::erase_if(attempts, [&](const Attempt& attempt) { return attempt.id == id; });
  return goes_on;
}

// -1: as long as it takes.
int TcpProber::Impl::timeout_ms() const {
  if (!ends.empty()) return 0;
  Micros until = UINT64_MAX;
  for (const Attempt& attempt : attempts) until = std::min(until, attempt.deadline);
  if (until == UINT64_MAX) return -1;
  const Micros now = monotonic_now();
  return until <= now ? 0 : static_cast<int>((until - now + 999) / 1000);
}

void TcpProber::Impl::wait() {
  watched.assign({{wakeup.get(), POLLIN, 0}});
  for (const Attempt& attempt : attempts) watched.push_back({attempt.socket.get(), POLLOUT, 0});
  const int ready = poll(watched.data(), watched.size(), timeout_ms());
  if (watched[0].revents != 0) {
    eventfd_t count;
    (void)eventfd_read(wakeup.get(), &count);
  } else if (ready > 0 && static_cast<size_t>(ready) < attempts.size()) {
    (void)poll(nullptr, 0, kGatherMs);
    (void)poll(watched.data(), watched.size(), 0);
  }
}

void TcpProber::Impl::collect() {
  std::vector<Attempt> open;
  const Micros now = monotonic_now();
  for (size_t i = 0; i < attempts.size(); i++) {
    Attempt& attempt = attempts[i];
    if (watched[i + 1].revents != 0) {
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(attempt.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      attempt.socket.reset();
      ends.push_back(end_of(attempt.id, error));
    } else if (attempt.deadline <= now) {
      ends.push_back({attempt.id, "no answer in time", {}});
    } else {
      open.push_back(std::move(attempt));
    }
  }
  attempts = std::move(open);
}

void TcpProber::Impl::report() {
  if (ends.empty()) return;
  ended(std::move(ends));
  ends.clear();
}

void TcpProber::Impl::loop() {
  while (take_asked()) {
    wait();
    collect();
    report();
  }
  for (const Attempt& attempt : attempts) ends.push_back({attempt.id, "the prober has stopped", {}});
  report();
}

TcpProber::TcpProber(Ended ended) : impl_(std::make_unique<Impl>(std::move(ended))) {
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

void TcpProber::probe(std::vector<TcpProbe> probes) {
  {
    const std::lock_guard lock(impl_->mutex);
    for (TcpProbe& probe : probes) impl_->asked.push_back(std::move(probe));
  }
  (void)eventfd_write(impl_->wakeup.get(), 1);
}

void TcpProber::cancel(uint64_t id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancelled.push_back(id);
  }
  (void)eventfd_write(impl_->wakeup.get(), 1);
}

}  // namespace uvs

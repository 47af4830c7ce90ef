// The smaller parts beside the path: probes, words to the service manager, captures, privileges.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <optional>

#include "../../contract/io/scratch_network.h"
#include "host/service_manager.h"
#include "host/tcp_probe.h"
#include "io/libpcap.h"
#include "io/privilege.h"

namespace uvs::test {
namespace {

class Outcome {
 public:
  void set(std::string error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    changed_.notify_all();
  }
  std::string wait() {
    std::unique_lock lock(mutex_);
    REQUIRE(
        changed_.wait_for(lock, std::chrono::seconds(5), [this] { return error_.has_value(); }));
    return *error_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::string> error_;
};

uint16_t listen_on(FileDescriptor& socket, const char* where) {
  socket = FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in local{};
  local.sin_family = AF_INET;
  inet_pton(AF_INET, where, &local.sin_addr);
  socklen_t size = sizeof(local);
  REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr*>(&local), size) == 0);
  REQUIRE(listen(socket.get(), 8) == 0);
  REQUIRE(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &size) == 0);
  return ntohs(local.sin_port);
}

// A prober whose one probe is waited for.
struct Probing {
  Outcome outcome;
  std::string code;
  TcpProber prober{[this](std::vector<TcpProbeEnd> ends) {
    REQUIRE(ends.size() == 1);
    code = ends[0].code;
    outcome.set(ends[0].error);
  }};
};

std::string attempt(const TcpProbe& probe) {
  Probing probing;
  probing.prober.probe({probe});
  return probing.outcome.wait();
}

TEST_CASE("a TCP probe connects, is refused, or gets no answer") {
  FileDescriptor listener;
  TcpProbe probe;
  probe.address = address("127.0.0.1");
  probe.port = listen_on(listener, "127.0.0.1");
  CHECK(attempt(probe).empty());
  probe.has_bind_address = true;
  probe.bind_address = address("127.0.0.9");
  CHECK(attempt(probe).empty());
  probe.bind_address = address("192.0.2.77");
  CHECK(attempt(probe).find("cannot bind the source address") == 0);
  probe.has_bind_address = false;
  probe.bind_device = "uvsio-none";
  CHECK(attempt(probe).find("cannot bind to the device uvsio-none") == 0);
  probe.bind_device.clear();
  listener.reset();
  Probing refused;
  refused.prober.probe({probe});
  CHECK(refused.outcome.wait() == "Connection refused");
  CHECK(refused.code == "ECONNREFUSED");
}

TEST_CASE("a TCP probe runs into its time limit, one that is cancelled is not heard of, and a stop ends the others") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("ip addr add 10.5.0.1/24 dev uvsio-near && ip neigh add 10.5.0.9 lladdr 02:00:00:00:00:99 "
      "dev uvsio-near");
  TcpProbe probe;
  probe.address = address("10.5.0.9");
  probe.port = 80;
  probe.bind_device = "uvsio-near";
  probe.fwmark = 7;
  probe.timeout_ms = 50;
  CHECK(attempt(probe) == "no answer in time");
  probe.timeout_ms = 60'000;
  std::vector<TcpProbeEnd> all;
  {
    TcpProber prober([&](std::vector<TcpProbeEnd> ends) { all.insert(all.end(), ends.begin(), ends.end()); });
    TcpProbe first = probe, second = probe;
    first.id = 1;
    second.id = 2;
    prober.probe({first, second});
    prober.cancel(1);
  }
  REQUIRE(all.size() == 1);
  CHECK(all[0].id == 2);
  CHECK(all[0].error == "the prober has stopped");
}

TEST_CASE("the service manager hears what it is told") {
  unsetenv("NOTIFY_SOCKET");
  CHECK_FALSE(notify_service_manager("READY=1"));
  const std::string name = "@uvsio-notify-" + std::to_string(getpid());
  FileDescriptor manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  std::memcpy(own.sun_path + 1, name.data() + 1, name.size() - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  REQUIRE(bind(manager.get(), reinterpret_cast<sockaddr*>(&own), size) == 0);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  CHECK(notify_service_manager("READY=1\nSTATUS=good"));
  char text[64] = "";
  CHECK(recv(manager.get(), text, sizeof(text) - 1, MSG_DONTWAIT) == 19);
  CHECK(std::string(text) == "READY=1\nSTATUS=good");
  setenv("NOTIFY_SOCKET", "relative", 1);
  CHECK_FALSE(notify_service_manager("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}

TEST_CASE("captures that are none are refused, filters compile or say why not") {
  CHECK(CaptureReader::open("/nonexistent/a.pcap").status().code == ErrorCode::kIo);
  const std::string path = "/tmp/uvsio-broken-" + std::to_string(getpid());
  std::ofstream(path) << "this is no capture";
  CHECK_FALSE(CaptureReader::open(path).ok());
  unlink(path.c_str());
  CHECK_FALSE(CaptureWriter::create("/nonexistent/a.pcap").ok());

  const auto filter = compile_capture_filter("tcp port 80");
  REQUIRE(filter.ok());
  CHECK(filter.value().size() > 5);
  const auto wrong = compile_capture_filter("tcp prot 80");
  REQUIRE_FALSE(wrong.ok());
  CHECK(wrong.status().message.find("tcp prot 80") != std::string::npos);
}

TEST_CASE("a missing capability is named") {
  UVS_REQUIRES("root", "bpf");
  CHECK(check_capabilities().ok());
  const auto message_without = [](std::initializer_list<unsigned> dropped) {
    int answer[2];
    REQUIRE(pipe(answer) == 0);
    const pid_t child = fork();
    if (child == 0) {
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      __user_cap_data_struct sets[2];
      syscall(SYS_capget, &header, sets);
      for (const unsigned bit : dropped) sets[bit / 32].effective &= ~(1u << (bit % 32));
      syscall(SYS_capset, &header, sets);
      const std::string message = check_capabilities().message;
      (void)!write(answer[1], message.data(), message.size());
      _exit(0);
    }
    close(answer[1]);
    char text[512] = "";
    (void)!read(answer[0], text, sizeof(text) - 1);
    close(answer[0]);
    waitpid(child, nullptr, 0);
    return std::string(text);
  };
  CHECK(message_without({}).empty());
  CHECK(message_without({CAP_SYS_ADMIN}).empty());
  CHECK(message_without({CAP_NET_RAW}).find("missing CAP_NET_RAW:") == 0);
  CHECK(message_without({CAP_BPF, CAP_SYS_ADMIN, CAP_NET_ADMIN})
            .find("missing CAP_NET_ADMIN, CAP_BPF:") == 0);
}

}  // namespace
}  // namespace uvs::test

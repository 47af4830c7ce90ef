// The guardian against a real kernel: what becomes of addresses and mastership when a director dies, stops, says goodbye
// properly, or talks nonsense; and what becomes of the guardian's work when it dies itself.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "failover_testbed.h"
#include "host/guardian_link.h"
#include "host/guardian_process.h"

namespace uvs::test {
namespace {

constexpr Repetition kLong{20'000, 60'000'000};
constexpr Repetition kShort{20'000, 400'000};
const std::vector<uint8_t> kAdvert{0x31, 51, 100};

// A master in a process of its own, which can be killed and stopped.
class Holder {
 public:
  // `prepare` runs in that process first.
  explicit Holder(const Repetition& repetition, const char* guardian = kGuardianPath,
                  void (*prepare)() = nullptr) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      if (prepare) prepare();
      hold(ends[1], repetition, guardian);
    }
    close(ends[1]);
    char ready = 0;
    REQUIRE(read(ends[0], &ready, 1) == 1);
    close(ends[0]);
  }
  ~Holder() {
    if (pid_ > 0) end(SIGKILL);
  }
  Holder(const Holder&) = delete;

  void signal(int number) const { REQUIRE(kill(pid_, number) == 0); }
  void end(int number) {
    (void)kill(pid_, number);
    (void)waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  [[noreturn]] static void hold(int ready, const Repetition& repetition, const char* guardian) {
    RecordedEvents events;
    auto started = FailoverNetwork::start(guardian, events);
    if (!started.ok()) _exit(1);
    FailoverNetwork& network = *started.value();
    if (!add_address(virtual_address()).ok() || !network.open("VI_1", near_egress()).ok()) _exit(1);
    (void)network.advertise("VI_1", {message_to("224.0.0.18", kAdvert)}, repetition);
    network.entrust("VI_1", last_will(), [ready](const Status& status) {
      if (status.ok()) (void)!write(ready, "r", 1);
    });
    for (;;) pause();
  }
  pid_t pid_ = 0;
};

// The first advert with priority 0 and when it came.
Micros wait_for_goodbye(FarListener& listener) {
  for (;;) {
    const Heard heard = listener.next();
    if (heard.message.back() == 0) return heard.at;
    CHECK(heard.message == kAdvert);
  }
}

void expect_silence(FarListener& listener) {
  const auto heard = listener.next_within(3 * kShort.interval);
  CHECK_FALSE(heard);
}

TEST_CASE("a killed director: priority 0 is said at once and its addresses go") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  Holder holder(kLong);
  CHECK(FailoverTestbed::has_address("198.18.0.100"));
  const Micros killed_at = monotonic_now();
  holder.end(SIGKILL);
  const Micros said_after = wait_for_goodbye(listener) - killed_at;
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
  MESSAGE("priority 0 after ", said_after, " us, address gone after ", monotonic_now() - killed_at, " us");
  CHECK(said_after < kMicrosPerSecond);
  expect_silence(listener);
}

// Another user with two capabilities, which are not ambient: as with a Node binary that has them from its file.
void become_nobody() {
  constexpr uid_t kNobody = 65'534;
  if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0)
    _exit(2);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  constexpr uint32_t kFew = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  sets[0] = {kFew, kFew, 0};
  if (syscall(SYS_capset, &header, sets.data()) != 0) _exit(3);
}

TEST_CASE("two capabilities are enough for the guardian, too") {
  UVS_REQUIRES("root");
  char folder[] = "/tmp/uvs-guardian-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string guardian = std::string(folder) + "/uvs-guardian";
  // Anybody may run it there, wherever this checkout is.
  run("cp " + std::string(kGuardianPath) + " " + guardian + " && chmod 755 " + folder + " " + guardian);
  {
    FailoverTestbed scratch;
    FarListener listener;
    Holder holder(kLong, guardian.c_str(), become_nobody);
    holder.end(SIGKILL);
    wait_for_goodbye(listener);
    wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
  }
  run("rm -r " + std::string(folder));
}

TEST_CASE("after a lost lease another mastership begins as if nothing had been") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  RecordedEvents events;
  auto network = std::move(FailoverNetwork::start(kGuardianPath, events).value());
  REQUIRE(network->open("VI_1", near_egress()).ok());
  const auto entrust = [&] {
    REQUIRE(add_address(virtual_address()).ok());
    std::atomic<bool> is_entrusted = false;
    network->entrust("VI_1", last_will(), [&](const Status& done) { is_entrusted = done.ok(); });
    wait_until([&] { return is_entrusted.load(); }, "the guardian's answer");
  };
  CHECK(network->advertise("VI_1", {message_to("224.0.0.18", kAdvert)}, kShort) == "");
  entrust();
  events.wait_for("lease-expired VI_1");
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
  network->acknowledge_expiry("VI_1");
  CHECK(network->advertise("VI_1", {message_to("224.0.0.18", {0x31, 51, 0})}, std::nullopt) == "");
  CHECK(network->advertise("VI_1", {message_to("224.0.0.18", kAdvert)}, kShort) == "");
  entrust();
  CHECK(events.count("lease-expired") == 1);
  events.clear();
  events.wait_for("lease-expired VI_1");
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go again");
}

TEST_CASE("a stopped director: the same when its lease has run out, and nothing after it goes on") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  const Micros started_at = monotonic_now();
  Holder holder(kShort);
  holder.signal(SIGSTOP);
  const Micros said_at = wait_for_goodbye(listener);
  CHECK(said_at >= started_at + kShort.lease);
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
  holder.signal(SIGCONT);
  expect_silence(listener);
  holder.end(SIGKILL);  // and a will that was carried out is not carried out again
  expect_silence(listener);
}

TEST_CASE("signals that end a director's session do not end its guardian") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  RecordedEvents events;
  auto network = std::move(FailoverNetwork::start(kGuardianPath, events).value());
  const auto guardian = network->guardian_pid();
  REQUIRE(guardian);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) REQUIRE(kill(*guardian, signal) == 0);
  CHECK(getsid(*guardian) == *guardian);
  // It answers still.
  REQUIRE(network->open("VI_1", near_egress()).ok());
  std::atomic<bool> is_entrusted = false;
  network->entrust("VI_1", last_will(), [&](const Status& done) { is_entrusted = done.ok(); });
  wait_until([&] { return is_entrusted.load(); }, "the guardian's answer");
  CHECK(network->guardian_pid() == guardian);
  std::ifstream status("/proc/" + std::to_string(*guardian) + "/status");
  std::stringstream text;
  text << status.rdbuf();
  const size_t at = text.str().find("VmRSS:");
  REQUIRE(at != std::string::npos);
  const long resident_kib = std::stol(text.str().substr(at + 6));
  MESSAGE("resident memory of the guardian: ", resident_kib, " KiB");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(resident_kib < 2'500);
#endif
  network->stop();
  CHECK(kill(*guardian, 0) != 0);
}

TEST_CASE("dismissed or revoked, a will is void") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  for (const bool is_revoked : {true, false}) {
    RecordedEvents events;
    auto network = std::move(FailoverNetwork::start(kGuardianPath, events).value());
    REQUIRE(add_address(virtual_address()).ok());
    REQUIRE(network->open("VI_1", near_egress()).ok());
    std::atomic<bool> is_entrusted = false;
    CHECK(network->advertise("VI_1", {message_to("224.0.0.18", kAdvert)}, kShort) == "");
    network->entrust("VI_1", last_will(), [&](const Status& done) { is_entrusted = done.ok(); });
    wait_until([&] { return is_entrusted.load(); }, "the guardian's answer");
    if (is_revoked) {
      network->revoke("VI_1");
      events.wait_for("lease-expired VI_1");
    }
    network->stop();
    network->stop();
    network.reset();
    CHECK(FailoverTestbed::has_address("198.18.0.100"));
    for (auto heard = listener.next_within(3 * kShort.interval); heard; heard = listener.next_within(3 * kShort.interval))
      CHECK(heard->message == kAdvert);
  }
}

TEST_CASE("a director that ends without a word counts as dead") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  RecordedEvents events;
  auto network = std::move(FailoverNetwork::start(kGuardianPath, events).value());
  REQUIRE(add_address(virtual_address()).ok());
  REQUIRE(network->open("VI_1", near_egress()).ok());
  std::atomic<bool> is_entrusted = false;
  network->entrust("VI_1", last_will(), [&](const Status& done) { is_entrusted = done.ok(); });
  wait_until([&] { return is_entrusted.load(); }, "the guardian's answer");
  network.reset();
  wait_for_goodbye(listener);
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
}

TEST_CASE("a guardian that dies is replaced, and its successor has every will") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  RecordedEvents events;
  auto network = std::move(FailoverNetwork::start(kGuardianPath, events).value());
  REQUIRE(add_address(virtual_address()).ok());
  REQUIRE(network->open("VI_1", near_egress()).ok());
  std::atomic<bool> is_entrusted = false;
  network->entrust("VI_1", last_will(), [&](const Status& done) { is_entrusted = done.ok(); });
  wait_until([&] { return is_entrusted.load(); }, "the guardian's answer");
  const pid_t first = *network->guardian_pid();
  for (const int how : {SIGKILL, SIGSTOP}) {
    events.clear();
    const pid_t before = *network->guardian_pid();
    REQUIRE(kill(before, how) == 0);
    // One that only hangs is found out when it is asked something.
    if (how == SIGSTOP) network->entrust("VI_1", last_will(), [](const Status& done) { CHECK_FALSE(done.ok()); });
    events.wait_for("warning the guardian");
    wait_until([&] { return network->guardian_pid().value_or(before) != before; }, "another guardian");
  }
  CHECK(*network->guardian_pid() != first);
  CHECK(network->advertise("VI_1", {message_to("224.0.0.18", kAdvert)}, kShort) == "");
  events.wait_for("lease-expired VI_1");
  wait_for_goodbye(listener);
  wait_until([] { return !FailoverTestbed::has_address("198.18.0.100"); }, "the address to go");
}

TEST_CASE("nonsense is refused, and what was said properly still counts") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  FarListener listener;
  REQUIRE(add_address(virtual_address()).ok());
  auto board = LeaseBoard::create();
  REQUIRE(board.ok());
  auto guardian = GuardianProcess::start(kGuardianPath, board.value().descriptor());
  REQUIRE_MESSAGE(guardian.ok(), guardian.status().message);
  const int socket = guardian.value().socket();
  const auto say = [&](const std::vector<uint8_t>& bytes) {
    REQUIRE(send(socket, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  };
  const auto answer = [&] {
    pollfd watched{socket, POLLIN, 0};
    REQUIRE(poll(&watched, 1, static_cast<int>(kPatience / 1000)) == 1);
    std::vector<uint8_t> bytes(256);
    const ssize_t size = recv(socket, bytes.data(), bytes.size(), 0);
    REQUIRE(size > 0);
    bytes.resize(static_cast<size_t>(size));
    const auto message = decode_guardian_message(bytes);
    REQUIRE(std::holds_alternative<AnswerMessage>(message));
    return std::get<AnswerMessage>(message);
  };
  say({1});
  say(std::vector<uint8_t>(300, 0xff));
  std::vector<uint8_t> broken = encode_entrust(1, 41, last_will()).value();
  broken.pop_back();
  say(broken);
  CHECK(answer().error == EBADMSG);
  LastWill stranger = last_will();
  stranger.egress.device = "nodev0";
  say(encode_entrust(2, 42, stranger).value());
  CHECK(answer().error == ENODEV);
  say(encode(ForgetMessage{2}));
  say(encode_entrust(0, 43, last_will()).value());
  const AnswerMessage good = answer();
  CHECK(good.sequence == 43);
  CHECK(good.error == 0);
  for (const LeaseSlot slot : {LeaseSlot{0}, LeaseSlot{1}, LeaseSlot{2}}) board.value().set(slot, LeaseBoard::kEndless);
  shutdown(socket, SHUT_RDWR);  // as if we had died
  CHECK(wait_for_goodbye(listener) > 0);
  guardian.value().wait(static_cast<int>(kPatience / 1000));
  CHECK_FALSE(FailoverTestbed::has_address("198.18.0.100"));
  CHECK(board.value().get(0) == LeaseBoard::kClaimed);
  CHECK(board.value().get(1) == LeaseBoard::kEndless);
  CHECK(board.value().get(2) == LeaseBoard::kEndless);
  expect_silence(listener);
}

TEST_CASE("without its executable there is no network") {
  UVS_REQUIRES("root");
  FailoverTestbed scratch;
  RecordedEvents events;
  const auto started = FailoverNetwork::start("/nowhere/uvs-guardian", events);
  REQUIRE_FALSE(started.ok());
  CHECK(started.status().message.find("/nowhere/uvs-guardian") != std::string::npos);
}

}  // namespace
}  // namespace uvs::test

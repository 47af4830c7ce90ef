// One director for each network namespace, whoever stands in the way: users without rights, dead directors, odd
// directories, twenty starts at the same moment.
#include "io/namespace_lock.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "../../contract/io/scratch_network.h"

namespace uvs::test {
namespace {

struct Folder {
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { (void)std::system(("rm -rf " + path).c_str()); }
  std::string lock_directory() const { return path + "/run"; }
  std::string path = "/tmp/uvsio-XXXXXX";
};

// A process that does `work`, then lives until it is killed; returns once `work` is done.
class Child {
 public:
  explicit Child(const std::function<bool()>& work) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const char done = work() ? 'y' : 'n';
      (void)!write(ends[1], &done, 1);
      pause();
      _exit(0);
    }
    char done = 'n';
    REQUIRE(read(ends[0], &done, 1) == 1);
    is_done_ = done == 'y';
    close(ends[0]);
    close(ends[1]);
  }
  ~Child() { end(); }
  void end() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    pid_ = 0;
  }
  bool is_done() const { return is_done_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  bool is_done_ = false;
};

bool squat(int type, uid_t user) {
  if (user != 0 && setuid(user) != 0) return false;
  constexpr std::string_view name{"\0uvs-director", 13};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const int socket = ::socket(AF_UNIX, type, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
         (type == SOCK_DGRAM || listen(socket, 8) == 0);
}

TEST_CASE("a second director in the namespace is refused, and hears who the first is") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Folder folder;
  auto first = NamespaceLock::take(folder.lock_directory());
  REQUIRE_MESSAGE(first.ok(), first.status().message);
  const auto second = NamespaceLock::take(folder.lock_directory());
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code == ErrorCode::kAlreadyRunning);
  CHECK(second.status().message.find("(pid " + std::to_string(getpid()) + ")") != std::string::npos);
  // With another /run, as in another container.
  const auto elsewhere = NamespaceLock::take(folder.path + "/other");
  REQUIRE_FALSE(elsewhere.ok());
  CHECK(elsewhere.status().code == ErrorCode::kAlreadyRunning);
}

TEST_CASE("two namespaces that share /run don't hinder each other") {
  UVS_REQUIRES("root");
  Folder folder;
  ScratchNetwork one;
  auto first = NamespaceLock::take(folder.lock_directory());
  REQUIRE(first.ok());
  ScratchNetwork other;
  CHECK(NamespaceLock::take(folder.lock_directory()).ok());
}

TEST_CASE("a user without rights can't keep a director from starting") {
  UVS_REQUIRES("root");
  for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
    ScratchNetwork network;
    Folder folder;
    const Child squatter([&] { return squat(type, 65534); });
    REQUIRE(squatter.is_done());
    CHECK(NamespaceLock::take(folder.lock_directory()).ok());
  }
}

TEST_CASE("a start beside a director that is about to end waits for it, for as long as it was told") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Folder folder;
  Child holder([&] {
    static auto lock = NamespaceLock::take(folder.lock_directory());
    return lock.ok();
  });
  REQUIRE(holder.is_done());
  CHECK_FALSE(NamespaceLock::take(folder.lock_directory(), 1).ok());
  bool has_got_it = false;
  std::thread waiting([&] { has_got_it = NamespaceLock::take(folder.lock_directory(), 60 * kMicrosPerSecond).ok(); });
  holder.end();
  waiting.join();
  CHECK(has_got_it);
}

TEST_CASE("a dead director's lock is free") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Folder folder;
  Child holder([&] {
    static auto lock = NamespaceLock::take(folder.lock_directory());
    return lock.ok();
  });
  REQUIRE(holder.is_done());
  const auto refused = NamespaceLock::take(folder.lock_directory());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.status().message.find(std::to_string(holder.pid())) != std::string::npos);
  holder.end();
  CHECK(NamespaceLock::take(folder.lock_directory()).ok());
}

TEST_CASE("of twenty that start at the same moment one has the lock, again and again") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Folder folder;
  for (int round = 0; round < 20; round++) {
    int gate[2], results[2];
    REQUIRE(pipe(gate) == 0);
    REQUIRE(pipe(results) == 0);
    std::vector<pid_t> children;
    for (int i = 0; i < 20; i++) {
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child != 0) {
        children.push_back(child);
        continue;
      }
      close(gate[1]);
      char nothing;
      (void)!read(gate[0], &nothing, 1);
      auto lock = NamespaceLock::take(folder.lock_directory());
      const char outcome = lock.ok() ? 'y' : 'n';
      (void)!write(results[1], &outcome, 1);
      pause();
    }
    close(gate[1]);
    int winners = 0;
    for (int i = 0; i < 20; i++) {
      char outcome = 'n';
      REQUIRE(read(results[0], &outcome, 1) == 1);
      winners += outcome == 'y';
    }
    CHECK(winners == 1);
    for (const pid_t child : children) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
    for (const int end : {gate[0], results[0], results[1]}) close(end);
  }
}

TEST_CASE("a directory that others may write, a link, no directory, none that can be made: refused with reason and remedy") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  Folder folder;
  const std::string directory = folder.lock_directory();
  const auto refusal = [](const std::string& at) {
    const auto taken = NamespaceLock::take(at);
    REQUIRE_FALSE(taken.ok());
    CHECK(taken.status().code == ErrorCode::kIo);
    return taken.status().message;
  };
  const std::string not_ours = "no directory that only root and the director may write";
  run("mkdir -m 1777 " + directory);
  CHECK(refusal(directory).find(not_ours) != std::string::npos);
  run("chmod 700 " + directory + " && chown 65534 " + directory);
  CHECK(refusal(directory).find(not_ours) != std::string::npos);
  run("rmdir " + directory + " && mkdir " + folder.path + "/else && ln -s else " + directory);
  CHECK(refusal(directory).find(not_ours) != std::string::npos);
  run("rm " + directory + " && touch " + directory);
  CHECK(refusal(directory).find(not_ours) != std::string::npos);
  CHECK(refusal("/proc/uvs").find("systemd: RuntimeDirectory=uvs") != std::string::npos);
}

}  // namespace
}  // namespace uvs::test

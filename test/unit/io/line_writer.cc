// The log's writer: order, what a reader that is slow or gone costs, and that nobody ever waits.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "host/line_writer.h"
#include "io/file_descriptor.h"

namespace uvs::test {
namespace {

constexpr Micros kPatience = 5 * kMicrosPerSecond;

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    reader = FileDescriptor(ends[0]);
    writer = FileDescriptor(ends[1]);
  }
  // Reads until `end` was seen.
  std::string read_until(const std::string& end) const {
    std::string text;
    char bytes[4096];
    while (text.find(end) == std::string::npos) {
      const ssize_t count = read(reader.get(), bytes, sizeof(bytes));
      REQUIRE(count > 0);
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }
  FileDescriptor reader, writer;
};

TEST_CASE("lines arrive in their order") {
  const Pipe pipe;
  LineWriter writer(pipe.writer.get());
  for (int i = 0; i < 100; i++) writer.write("line " + std::to_string(i) + "\n");
  CHECK(writer.drain(kPatience));
  const std::string text = pipe.read_until("line 99\n");
  CHECK(text.starts_with("line 0\nline 1\n"));
  CHECK(writer.loss().count == 0);
}

TEST_CASE("a pipe that nobody reads: what waits is bounded, the rest is lost and counted, and reading mends it") {
  const Pipe pipe;
  const std::string line = std::string(1023, 'x') + "\n";
  const auto capacity = static_cast<size_t>(fcntl(pipe.writer.get(), F_GETPIPE_SZ));
  REQUIRE(::write(pipe.writer.get(), std::string(capacity, '.').data(), capacity) ==
          static_cast<ssize_t>(capacity));
  LineWriter writer(pipe.writer.get(), 64 * line.size());
  for (int i = 0; i < 1000; i++) writer.write(line);
  CHECK_FALSE(writer.drain(0));
  const LineLoss loss = writer.loss();
  CHECK(loss.error == ENOBUFS);
  CHECK_FALSE(loss.is_over);
  CHECK(loss.count == 1000 - 64);
  std::string text;
  char bytes[65536];
  while (text.size() < capacity + 64 * line.size()) {
    const ssize_t count = read(pipe.reader.get(), bytes, sizeof(bytes));
    REQUIRE(count > 0);
    text.append(bytes, static_cast<size_t>(count));
  }
  CHECK(writer.drain(kPatience));
  CHECK(writer.loss().is_over);
  CHECK(writer.loss().count == loss.count);
}

TEST_CASE("a reader that is gone costs lines, and nothing else") {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  LineWriter writer(pipe.writer.get());
  pipe.reader.reset();
  writer.write("one\ntwo\n");
  CHECK(writer.drain(kPatience));
  CHECK(writer.loss().count == 2);
  CHECK(writer.loss().error == EPIPE);
  CHECK_FALSE(writer.loss().is_over);
}

TEST_CASE("a full disk costs lines, and nothing else") {
  const FileDescriptor full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full.is_open());
  LineWriter writer(full.get());
  writer.write("one\n");
  CHECK(writer.drain(kPatience));
  CHECK(writer.loss().count == 1);
  CHECK(writer.loss().error == ENOSPC);
}

TEST_CASE("a descriptor that somebody made non-blocking is waited for") {
  const Pipe pipe;
  REQUIRE(fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK) == 0);
  LineWriter writer(pipe.writer.get());
  writer.write(std::string(200'000, 'x') + "\n");
  writer.write("last\n");
  CHECK(pipe.read_until("last\n").size() == 200'006);
  CHECK(writer.drain(kPatience));
  CHECK(writer.loss().count == 0);
}

TEST_CASE("its end waits for nobody") {
  const Pipe pipe;
  {
    LineWriter writer(pipe.writer.get());
    writer.write(std::string(500'000, 'x') + "\n");
  }
  CHECK(pipe.read_until("\n").size() == 500'001);
}

}  // namespace
}  // namespace uvs::test

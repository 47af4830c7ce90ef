// Limits of our own answers: the figures of Linux's defaults, whoever floods.
#include <doctest/doctest.h>

#include "core/forward/answer_limits.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

struct Limits {
  AnswerLimits limits{{.k0 = 1, .k1 = 2}};
  Micros now = 5 * kMicrosPerSecond;

  int granted(const std::string& target, int asked, Answer answer = Answer::kPortUnreachable) {
    int count = 0;
    for (int i = 0; i < asked; i++) {
      count += limits.allow(answer, endpoint(target).family, address(target), now);
    }
    return count;
  }
  // One answer for each of `count` hosts.
  int granted_to_many(int count, uint32_t first) {
    int result = 0;
    for (int i = 0; i < count; i++) {
      IpAddress target;
      store(target.bytes.data(), Be32{first + static_cast<uint32_t>(i)});
      result += limits.allow(Answer::kHostUnreachable, Family::kIpv4, target, now);
    }
    return result;
  }
};

}  // namespace

TEST_CASE("answer limits: six at once to a host, then one a second") {
  Limits limits;
  for (const char* host : {"172.16.0.1", "2001:db8::1"}) {
    CHECK(limits.granted(host, 100) == 6);
    limits.now += 999'999;
    CHECK(limits.granted(host, 10) == 0);
    limits.now += 1;
    CHECK(limits.granted(host, 10) == 1);
    limits.now -= kMicrosPerSecond;  // the clock went back
    CHECK(limits.granted(host, 10) == 0);
    limits.now += 4 * kMicrosPerSecond;
    CHECK(limits.granted(host, 10) == 3);
    limits.now += 3600 * kMicrosPerSecond;
  }
  CHECK(limits.granted("172.16.0.1", 100) == 6);
  limits.now = ~Micros{0};
  CHECK(limits.granted("172.16.0.1", 100) == 6);
}

TEST_CASE("answer limits: fifty at once to all, then a thousand a second") {
  Limits limits;
  CHECK(limits.granted_to_many(1000, 0x0a000000) == 50);
  int total = 0;
  for (int i = 0; i < 1000; i++) {
    limits.now += 1000;
    total += limits.granted_to_many(20, 0x0b000000 + static_cast<uint32_t>(i) * 20);
  }
  CHECK(total == 1000);
}

TEST_CASE("answer limits: a host that floods takes nothing from the others") {
  Limits limits;
  for (int i = 0; i < 1000; i++) {
    limits.granted("172.16.0.1", 20);
    limits.now += 1000;
    CHECK(limits.granted_to_many(1, 0x0b000000 + static_cast<uint32_t>(i)) == 1);
  }
}

TEST_CASE("answer limits: 'too big' is never refused, and costs nothing") {
  Limits limits;
  CHECK(limits.granted_to_many(1000, 0x0a000000) == 50);
  CHECK(limits.granted("172.16.0.1", 2000, Answer::kTooBig) == 2000);
  CHECK(limits.granted("2001:db8::1", 2000, Answer::kTooBig) == 2000);
  limits.now += kMicrosPerSecond;
  CHECK(limits.granted("172.16.0.1", 10) == 6);
}

TEST_CASE("answer limits: of more hosts than are remembered the oldest give way") {
  Limits limits;
  for (uint32_t i = 0; i < 4 * AnswerLimits::kSets * AnswerLimits::kWays; i++) {
    limits.now += 1000;
    CHECK(limits.granted_to_many(1, 0x0b000000 + i) == 1);
  }
}

}  // namespace uvs::test

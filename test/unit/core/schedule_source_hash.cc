// sh: buckets dealt out by weight, the kernel's hash_32, refusal and fallback. The expected servers of the first case
// were recorded from a live kernel.
#include <doctest/doctest.h>

#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

namespace {

std::string choices(ScheduledService& service, const std::vector<std::string>& sources) {
  std::string letters;
  for (const std::string& source : sources) letters += service.choose(1, false, packet_from(source));
  return letters;
}

const std::vector<std::string> kClients = {
    "172.16.0.1:10000",  "172.16.7.14:11237", "172.16.14.27:12474", "172.16.21.40:13711", "172.16.28.53:14948",
    "172.16.35.66:16185", "172.16.42.79:17422", "172.16.49.92:18659", "172.16.56.105:19896", "172.16.63.118:21133"};

}  // namespace

TEST_CASE("sh chooses as recorded, and refuses who meets a quiesced server") {
  ScheduledService service(scheduler_named("sh"), {{'d', 0}, {'c', 1}, {'b', 2}, {'a', 3}});
  CHECK(choices(service, kClients) == "baa-abcaba");
  service.set_flags(true, false);
  CHECK(choices(service, kClients) == "baababcaba");
  service.set_flags(false, true);
  CHECK(choices(service, kClients) == "-aa-aabbc-");
}

TEST_CASE("sh deals 256 buckets by weight, a quiesced server taking one a round") {
  ScheduledService service(scheduler_named("sh"), {{'a', 2}, {'b', 0}, {'c', 1}});
  const std::vector<uint32_t>& buckets = service.current().plan.buckets;
  REQUIRE(buckets.size() == 256);
  CHECK(std::vector(buckets.begin(), buckets.begin() + 8) == std::vector<uint32_t>{0, 0, 1, 2, 0, 0, 1, 2});
}

TEST_CASE("sh takes the high bits of the product, of all four words of an IPv6 address") {
  ScheduledService service(scheduler_named("sh"), {{'a'}, {'b'}});
  // Buckets alternate a b. 1 * 0x61C88647 >> 24 = 0x61, odd: b. 2 * … = 0xC391… : 0xC3, odd: b. 3 * … = 0x25: b.
  // 4 * 0x61C88647 = 0x8722191C: 0x87: b. 5: 0xE8EA9F63: 0xE8, even: a.
  CHECK(choices(service, {"0.0.0.1:1", "0.0.0.2:1", "0.0.0.3:1", "0.0.0.4:1", "0.0.0.5:1"}) == "bbbba");
  // 7 ^ 2 = 5 ^ 0 …
  CHECK(choices(service, {"[0:7:0:2::]:1", "[::5]:1", "[0:5::]:1", "[0:4:0:1:0:0:0:0]:9"}) == "aaaa");
}

TEST_CASE("sh with nobody: no buckets, or only unusable ones") {
  ScheduledService service(scheduler_named("sh"), {});
  CHECK(choices(service, kClients) == "----------");
  service.set_flags(true, true);
  CHECK(choices(service, kClients) == "----------");
  service.set({{'a', 0}, {'b', 3}});
  service.state('b').is_overloaded.set(true);
  CHECK(choices(service, kClients) == "----------");
}

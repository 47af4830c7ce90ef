// lc and wlc by sequences computed by hand: overhead is active * 256 + inactive, the first in the list wins a tie, and
// wlc compares overhead / weight without rounding.
#include <doctest/doctest.h>

#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

TEST_CASE("lc takes the first of the least, whatever the weights") {
  ScheduledService service(scheduler_named("lc"), {{'c', 1}, {'b', 9}, {'a', 1}});
  CHECK(service.choose(3) == "ccc");  // nothing opens: the tie stays
  CHECK(service.choose(7, true) == "cbacbac");
}

TEST_CASE("lc counts 256 inactive connections as one active") {
  ScheduledService service(scheduler_named("lc"), {{'b'}, {'a'}});
  service.state('b').active.set(1);
  service.state('a').inactive.set(255);
  CHECK(service.choose(1) == "a");
  service.state('a').inactive.set(256);
  CHECK(service.choose(1) == "b");
  service.state('a').inactive.set(257);
  CHECK(service.choose(1) == "b");
}

TEST_CASE("wlc divides by the weight") {
  ScheduledService service(scheduler_named("wlc"), {{'c', 1}, {'b', 2}, {'a', 3}});
  // By hand: c 0, b 0, a 0; then a at 256/3, b at 256/2, and so on; recorded from the kernel as c b a a b a c.
  CHECK(service.choose(12, true) == "cbaabacbaaba");
}

TEST_CASE("wlc does not round") {
  ScheduledService service(scheduler_named("wlc"), {{'b', 65535}, {'a', 65534}});
  service.state('b').active.set(65535);
  service.state('a').active.set(65534);
  CHECK(service.choose(1) == "b");  // equal: the first
  service.state('b').inactive.set(1);
  CHECK(service.choose(1) == "a");
  service.state('b').active.set(4'000'000'000);
  service.state('a').active.set(4'000'000'000);
  CHECK(service.choose(1) == "b");
}

TEST_CASE("both pass over quiesced and overloaded destinations") {
  for (const Scheduler* id : {scheduler_named("lc"), scheduler_named("wlc")}) {
    ScheduledService service(id, {{'c', 0}, {'b', 1}, {'a', 1}});
    CHECK(service.choose(1) == "b");
    service.state('b').is_overloaded.set(true);
    CHECK(service.choose(1) == "a");
    service.state('a').is_overloaded.set(true);
    CHECK(service.choose(1) == "-");
  }
}

// rr and wrr by sequences computed by hand from the rules, and by those recorded from the kernel. The pointer's and the
// level's way through changes of the list is where an implementation goes wrong.
#include <doctest/doctest.h>

#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

TEST_CASE("rr begins with the head of the list and goes round") {
  ScheduledService service(scheduler_named("rr"), {{'c'}, {'b'}, {'a'}});
  CHECK(service.choose(7) == "cbacbac");
}

TEST_CASE("rr passes over quiesced and overloaded destinations, and looks at each once") {
  ScheduledService service(scheduler_named("rr"), {{'d', 0}, {'c'}, {'b'}, {'a'}});
  CHECK(service.choose(4) == "cbac");
  service.state('b').is_overloaded.set(true);
  CHECK(service.choose(3) == "aca");
  service.state('a').is_overloaded.set(true);
  service.state('c').is_overloaded.set(true);
  CHECK(service.choose(2) == "--");
  service.state('a').is_overloaded.set(false);
  CHECK(service.choose(2) == "aa");
}

TEST_CASE("rr's pointer stays with its destination when others come and go") {
  ScheduledService service(scheduler_named("rr"), {{'c'}, {'b'}, {'a'}});
  CHECK(service.choose(2) == "cb");
  service.set({{'d'}, {'c'}, {'b'}, {'a'}});  // a new one at the head
  CHECK(service.choose(3) == "adc");
  service.set({{'d'}, {'c'}, {'a'}});
  CHECK(service.choose(2) == "ad");
}

TEST_CASE("when rr's destination is removed the pointer moves to the one before it") {
  ScheduledService service(scheduler_named("rr"), {{'e'}, {'d'}, {'c'}, {'b'}, {'a'}});
  CHECK(service.choose(4) == "edcb");
  SUBCASE("its neighbour before") {
    service.set({{'e'}, {'d'}, {'c'}, {'a'}});
    CHECK(service.choose(3) == "aed");
  }
  SUBCASE("several at once") {
    service.set({{'e'}, {'a'}});
    CHECK(service.choose(3) == "aea");
  }
  SUBCASE("all before it too: the list head") {
    service.set({{'a'}});
    CHECK(service.choose(2) == "aa");
  }
  SUBCASE("everything, and something else comes") {
    service.set({});
    CHECK(service.choose(1) == "-");
    service.set({{'x'}, {'y'}});
    CHECK(service.choose(3) == "xyx");
  }
}

TEST_CASE("rr does not move when weights change") {
  ScheduledService service(scheduler_named("rr"), {{'c'}, {'b'}, {'a'}});
  CHECK(service.choose(1) == "c");
  service.set({{'c', 5}, {'b', 0}, {'a', 2}});
  CHECK(service.choose(3) == "aca");
}

TEST_CASE("wrr: weights 1, 2, 3 from the head, as recorded") {
  ScheduledService service(scheduler_named("wrr"), {{'c', 1}, {'b', 2}, {'a', 3}});
  // Levels 3, 2, 1: a | b a | c b a. The kernel's service was filled one by one (c last), which left the level at 1.
  CHECK(service.choose(12) == "abacbaabacba");
}

TEST_CASE("wrr goes down by the greatest common divisor") {
  ScheduledService service(scheduler_named("wrr"), {{'a', 4}, {'b', 2}});
  // Step 2, top 3; levels 3 and 1.
  CHECK(service.current().plan.weight_step == 2);
  CHECK(service.current().plan.weight_top == 3);
  CHECK(service.choose(6) == "aabaab");
}

TEST_CASE("wrr gives each its weight in a turn") {
  ScheduledService service(scheduler_named("wrr"), {{'a', 5}, {'b', 0}, {'c', 1}, {'d', 7}});
  const std::string turn = service.choose(13);
  CHECK(std::count(turn.begin(), turn.end(), 'a') == 5);
  CHECK(std::count(turn.begin(), turn.end(), 'c') == 1);
  CHECK(std::count(turn.begin(), turn.end(), 'd') == 7);
}

TEST_CASE("wrr starts from the head after a change, at a level that exists") {
  ScheduledService service(scheduler_named("wrr"), {{'a', 3}, {'b', 2}, {'c', 1}});
  CHECK(service.choose(2) == "aa");  // levels 3, then 2
  CHECK(service.scheduler_state().level == 2);
  SUBCASE("the level stays when it is below the top") {
    service.set({{'d', 1}, {'a', 3}, {'b', 2}, {'c', 1}});
    CHECK(service.choose(6) == "abdabc");
  }
  SUBCASE("it drops to the top when that is lower") {
    service.set({{'a', 1}, {'c', 1}});
    CHECK(service.scheduler_state().level == 1);
    CHECK(service.choose(3) == "aca");
  }
  SUBCASE("it is brought onto the new step") {
    service.set({{'a', 4}, {'b', 2}});  // step 2, top 3: 2 becomes 2/2*2+1
    CHECK(service.scheduler_state().level == 3);
  }
  SUBCASE("a change of something else than destinations is none") {
    service.set_flags(true, false);
    CHECK(service.choose(1) == "b");
  }
}

TEST_CASE("wrr with nobody usable ends, wherever it began") {
  ScheduledService service(scheduler_named("wrr"), {{'a', 3}, {'b', 1}, {'c', 1}});
  for (size_t chosen_before = 0; chosen_before < 6; chosen_before++) {
    service.choose(1);
    for (const char name : {'a', 'b', 'c'}) service.state(name).is_overloaded.set(true);
    CHECK(service.choose(2) == "--");
    for (const char name : {'a', 'b', 'c'}) service.state(name).is_overloaded.set(false);
  }
  service.set({{'a', 0}, {'b', 0}});
  CHECK(service.choose(1) == "-");
  service.set({{'a', 0}, {'b', 2}});
  CHECK(service.choose(2) == "bb");
  service.set({});
  CHECK(service.choose(1) == "-");
}

TEST_CASE("wrr finds one that stands before its place and reaches the lowest level only") {
  ScheduledService service(scheduler_named("wrr"), {{'a', 1}, {'b', 1}, {'c', 3}});
  CHECK(service.choose(5) == "ccabc");
  service.state('c').is_overloaded.set(true);
  CHECK(service.choose(4) == "abab");
}

// What every scheduler promises, whatever its rule; a new one joins by its line in the registry. Exceptions are named with
// their reason.
#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

namespace {

// Refuses clients that meet a server it can't use, although others could be used: the kernel's sh without fallback.
bool may_refuse(SchedulerId id) { return id == SchedulerId::kSourceHash; }

template <typename Check>
void for_each_scheduler(Check check) {
  for (size_t i = 0; i < kSchedulerCount; i++) {
    const auto id = static_cast<SchedulerId>(i);
    CAPTURE(scheduler(id).name);
    check(id);
  }
}

std::string many(ScheduledService& service, size_t count) {
  std::string letters;
  for (size_t i = 0; i < count; i++) {
    letters += service.choose(1, true, packet_from("172.16." + std::to_string(i % 250) + ".9:1000"));
  }
  return letters;
}

}  // namespace

TEST_CASE("names are those of ipvsadm, each once") {
  std::set<std::string> names;
  for_each_scheduler([&](SchedulerId id) { names.insert(scheduler(id).name); });
  CHECK(names == std::set<std::string>{"rr", "wrr", "lc", "wlc", "sh"});
}

TEST_CASE("nobody is chosen from no destinations, nor when all are quiesced or overloaded") {
  for_each_scheduler([](SchedulerId id) {
    ScheduledService empty(id, {});
    CHECK(many(empty, 3) == "---");
    ScheduledService quiesced(id, {{'a', 0}, {'b', 0}});
    CHECK(many(quiesced, 3) == "---");
    ScheduledService overloaded(id, {{'a'}, {'b'}});
    overloaded.state('a').is_overloaded.set(true);
    overloaded.state('b').is_overloaded.set(true);
    CHECK(many(overloaded, 3) == "---");
  });
}

TEST_CASE("only usable destinations are chosen, and one alone gets everything") {
  for_each_scheduler([](SchedulerId id) {
    ScheduledService service(id, {{'a', 0}, {'b', 2}, {'c', 1}});
    service.state('c').is_overloaded.set(true);
    for (const char letter : many(service, 300)) {
      CHECK((letter == 'b' || (may_refuse(id) && letter == '-')));
    }
    service.set({{'b', 2}});
    CHECK(many(service, 5) == "bbbbb");
  });
}

TEST_CASE("every usable destination gets something") {
  for_each_scheduler([](SchedulerId id) {
    ScheduledService service(id, {{'a', 3}, {'b', 2}, {'c', 1}});
    const std::string letters = many(service, 240);
    for (const char letter : {'a', 'b', 'c'}) CHECK(letters.find(letter) != std::string::npos);
  });
}

TEST_CASE("the list may change at any moment") {
  for_each_scheduler([](SchedulerId id) {
    ScheduledService service(id, {{'a'}});
    uint32_t random = 7;
    for (int round = 0; round < 300; round++) {
      std::vector<Letter> list;
      std::set<char> usable;
      for (char name = 'a'; name < 'i'; name++) {
        random = random * 1664525 + 1013904223;
        if (random >> 31) continue;
        list.push_back({name, (random >> 20) % 4});
        if (list.back().weight > 0) usable.insert(name);
      }
      service.set(list);
      for (const char letter : many(service, 5)) {
        if (letter != '-') CHECK(usable.contains(letter));
        if (letter == '-' && !may_refuse(id)) CHECK(usable.empty());
      }
    }
  });
}

// What every scheduler promises, whatever its rule; a new one joins by its line in the registry. Exceptions are named with
// their reason.
#include <doctest/doctest.h>

#include <cstring>
#include <set>

#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

namespace {

bool is_one_of(const Scheduler* id, const std::set<std::string_view>& names) { return names.contains(id->name); }
// Refuses clients although a server could be used, as the kernel does: those that meet one that can't (sh, mh, dh without
// fallback), and everybody when all have more connections than their weight (ovf).
bool may_refuse(const Scheduler* id) { return is_one_of(id, {"sh", "mh", "dh", "ovf"}); }
// Gives all to one as long as it can: the heaviest.
bool has_favourite(const Scheduler* id) { return is_one_of(id, {"fo"}); }

template <typename Check>
void for_each_scheduler(Check check) {
  for (const Scheduler* id : schedulers()) {
    CAPTURE(id->name);
    check(id);
  }
}

std::string many(ScheduledService& service, size_t count) {
  std::string letters;
  for (size_t i = 0; i < count; i++) {
    letters += service.choose(1, true, packet_from("172.16." + std::to_string(i % 250) + ".9:1000",
                                                "10.9." + std::to_string(i % 250) + ".1:80"));
  }
  return letters;
}

}  // namespace

TEST_CASE("every scheduler is found by its name, which is short enough to cross") {
  std::set<std::string_view> names;
  for_each_scheduler([&](const Scheduler* id) {
    CHECK(scheduler_named(id->name) == id);
    CHECK(id->name.size() <= 8);
    names.insert(id->name);
  });
  CHECK(names.size() == schedulers().size());
  CHECK(scheduler_named("") == nullptr);
  CHECK(scheduler_named("rrr") == nullptr);
}

TEST_CASE("nobody is chosen from no destinations, nor when all are quiesced or overloaded") {
  for_each_scheduler([](const Scheduler* id) {
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
  for_each_scheduler([](const Scheduler* id) {
    ScheduledService service(id, {{'a', 0}, {'b', 2}, {'c', 1}});
    service.state('c').is_overloaded.set(true);
    for (const char letter : many(service, 300)) {
      CHECK((letter == 'b' || (may_refuse(id) && letter == '-')));
    }
    service.set({{'b', 999}});
    CHECK(many(service, 5) == "bbbbb");
  });
}

TEST_CASE("every usable destination gets something") {
  for_each_scheduler([](const Scheduler* id) {
    ScheduledService service(id, {{'a', 3}, {'b', 2}, {'c', 1}});
    const std::string letters = many(service, 240);
    for (const char letter : {'a', 'b', 'c'}) {
      if (letter == 'a' || !has_favourite(id)) CHECK(letters.find(letter) != std::string::npos);
    }
  });
}

TEST_CASE("a removed server whose connections run out costs no client") {
  for_each_scheduler([](const Scheduler* id) {
    ScheduledService service(id, {{'a', 1}, {'b', 1}});
    service.set({{'a', 999}, {'b', 0, true}});
    const std::string letters = many(service, 250);
    CHECK(letters == std::string(250, 'a'));
  });
}

TEST_CASE("the list may change at any moment") {
  for_each_scheduler([](const Scheduler* id) {
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

// Each scheduler against a plain model of its rule over random lists and loads: the same choice every time. The models
// walk the list as the rule is told, without plans or positions.
#include <doctest/doctest.h>

#include <numeric>
#include <random>

#include "../../unit/core/schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

namespace {

struct Load {
  char name;
  uint32_t weight, active, inactive;
  bool is_overloaded;
  bool is_usable() const { return weight > 0 && !is_overloaded; }
};

std::vector<Load> any_list(std::mt19937_64& random) {
  const auto below = [&](uint64_t bound) { return static_cast<uint32_t>(random() % bound); };
  std::vector<Load> list;
  for (char name = 'a'; name < 'a' + static_cast<char>(below(9)); name++) {
    list.push_back({name, below(5), below(4), below(600), below(6) == 0});
  }
  std::shuffle(list.begin(), list.end(), random);
  return list;
}

void apply(ScheduledService& service, const std::vector<Load>& list) {
  std::vector<Letter> letters;
  for (const Load& load : list) letters.push_back({load.name, load.weight});
  service.set(letters);
  for (const Load& load : list) {
    service.state(load.name).active.set(load.active);
    service.state(load.name).inactive.set(load.inactive);
    service.state(load.name).is_overloaded.set(load.is_overloaded);
  }
}

// The least by `is_less(a, b)`, the first of equals.
template <typename IsLess>
char least(const std::vector<Load>& list, IsLess is_less) {
  const Load* best = nullptr;
  for (const Load& load : list) {
    if (load.is_usable() && (best == nullptr || is_less(load, *best))) best = &load;
  }
  return best == nullptr ? '-' : best->name;
}

double overhead(const Load& load) { return load.active * 256.0 + load.inactive; }

}  // namespace

TEST_CASE("lc and wlc choose the least of the list") {
  std::mt19937_64 random(1);
  ScheduledService lc(SchedulerId::kLeastConnection, {}), wlc(SchedulerId::kWeightedLeastConnection, {});
  for (int i = 0; i < 5000; i++) {
    const std::vector<Load> list = any_list(random);
    apply(lc, list);
    apply(wlc, list);
    CHECK(lc.choose(1)[0] == least(list, [](auto& a, auto& b) { return overhead(a) < overhead(b); }));
    // Small weights and loads: products of doubles are exact.
    CHECK(wlc.choose(1)[0] ==
          least(list, [](auto& a, auto& b) { return overhead(a) * b.weight < overhead(b) * a.weight; }));
  }
}

TEST_CASE("rr chooses the next usable one after the last, round and round") {
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; i++) {
    const std::vector<Load> list = any_list(random);
    ScheduledService service(SchedulerId::kRoundRobin, {});
    apply(service, list);
    std::string usable;
    for (const Load& load : list) {
      if (load.is_usable()) usable += load.name;
    }
    const std::string letters = service.choose(20);
    for (size_t k = 0; k < 20; k++) CHECK(letters[k] == (usable.empty() ? '-' : usable[k % usable.size()]));
  }
}

TEST_CASE("wrr gives every usable one its share of a whole turn, and never two levels' worth at once") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; i++) {
    const std::vector<Load> list = any_list(random);
    ScheduledService service(SchedulerId::kWeightedRoundRobin, {});
    apply(service, list);
    // In a turn everyone gets its weight over the greatest common divisor of all weights, usable or not.
    uint32_t step = 0;
    for (const Load& load : list) step = std::gcd(step, load.weight);
    size_t turn = 0;
    for (const Load& load : list) turn += load.is_usable() ? load.weight / step : 0;
    if (turn == 0) {
      CHECK(service.choose(3) == "---");
      continue;
    }
    for (int round = 0; round < 3; round++) {
      const std::string letters = service.choose(turn);
      for (const Load& load : list) {
        const auto expected = load.is_usable() ? load.weight / step : 0;
        CHECK(std::count(letters.begin(), letters.end(), load.name) == expected);
      }
    }
  }
}

TEST_CASE("sh keeps a client to its server, and with fallback refuses nobody who could be served") {
  std::mt19937_64 random(4);
  for (int i = 0; i < 300; i++) {
    const std::vector<Load> list = any_list(random);
    ScheduledService service(SchedulerId::kSourceHash, {});
    apply(service, list);
    for (int client = 0; client < 20; client++) {
      const ParsedPacket packet = packet_from("172.16.1." + std::to_string(client) + ":9");
      service.set_flags(false, false);
      const std::string plain = service.choose(2, false, packet);
      CHECK(plain[0] == plain[1]);
      service.set_flags(true, false);
      const std::string fallback = service.choose(2, false, packet);
      CHECK(fallback[0] == fallback[1]);
      if (plain[0] != '-') CHECK(fallback[0] == plain[0]);
      const bool is_any_usable = std::any_of(list.begin(), list.end(), [](const Load& load) { return load.is_usable(); });
      CHECK((fallback[0] != '-') == is_any_usable);
    }
  }
}

// Each scheduler against a plain model of its rule over random lists and loads: the same choice every time. The models
// walk the list as the rule is told, without plans or positions.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
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

void load(ScheduledService& service, const std::vector<Load>& list) {
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
  ScheduledService lc(scheduler_named("lc"), {}), wlc(scheduler_named("wlc"), {});
  for (int i = 0; i < 5000; i++) {
    const std::vector<Load> list = any_list(random);
    load(lc, list);
    load(wlc, list);
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
    ScheduledService service(scheduler_named("rr"), {});
    load(service, list);
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
    ScheduledService service(scheduler_named("wrr"), {});
    load(service, list);
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
    ScheduledService service(scheduler_named("sh"), {});
    load(service, list);
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

TEST_CASE("sed, nq, fo and ovf choose by their rules") {
  std::mt19937_64 random(5);
  ScheduledService sed(scheduler_named("sed"), {}), nq(scheduler_named("nq"), {}), fo(scheduler_named("fo"), {}),
      ovf(scheduler_named("ovf"), {});
  for (int i = 0; i < 5000; i++) {
    const std::vector<Load> list = any_list(random);
    for (ScheduledService* service : {&sed, &nq, &fo, &ovf}) load(*service, list);
    const auto has_less_delay = [](auto& a, auto& b) { return (a.active + 1) * b.weight < (b.active + 1) * a.weight; };
    const char shortest = least(list, has_less_delay);
    CHECK(sed.choose(1)[0] == shortest);
    const auto idle = std::ranges::find_if(list, [](auto& one) { return one.is_usable() && one.active == 0; });
    CHECK(nq.choose(1)[0] == (idle == list.end() ? shortest : idle->name));
    const auto is_heavier = [](auto& a, auto& b) { return a.weight > b.weight; };
    CHECK(fo.choose(1)[0] == least(list, is_heavier));
    std::vector<Load> with_room = list;
    std::erase_if(with_room, [](auto& one) { return one.active > one.weight; });
    CHECK(ovf.choose(1)[0] == least(with_room, is_heavier));
  }
}

TEST_CASE("dh keeps an address to its server, whoever asks, and deals out the addresses evenly") {
  ScheduledService service(scheduler_named("dh"), {{'a', 9}, {'b', 1}, {'c', 1}, {'d', 1}});
  std::map<char, int> counts;
  for (int i = 0; i < 4096; i++) {
    const std::string to = "10.9." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ":80";
    const std::string first = service.choose(1, false, packet_from("172.16.0.1:1", to));
    CHECK(service.choose(1, false, packet_from("172.16.9.7:2", to)) == first);
    counts[first[0]]++;
  }
  // 64 of 256 buckets each; the multiplicative hash spreads neighbouring addresses all but evenly.
  for (const char letter : {'a', 'b', 'c', 'd'}) CHECK(std::abs(counts[letter] - 1024) < 64);
}

TEST_CASE("mh's table is whole, shared out by weight, and keeps its place while weights are 0") {
  std::mt19937_64 random(6);
  for (int i = 0; i < 200; i++) {
    std::vector<Letter> list;
    const size_t count = 1 + random() % 8;
    for (size_t k = 0; k < count; k++) list.push_back({static_cast<char>('a' + k), 1 + static_cast<uint32_t>(random() % 9)});
    ScheduledService service(scheduler_named("mh"), list);
    const std::vector<uint32_t> buckets = service.current().plan.buckets;
    REQUIRE(buckets.size() == 4093);
    uint32_t total = 0, divisor = 0;
    for (const Letter& letter : list) divisor = std::gcd(divisor, letter.weight);
    for (const Letter& letter : list) total += letter.weight / divisor;
    for (size_t k = 0; k < count; k++) {
      // Whole rounds give each its turns; the last one may break off.
      const uint32_t turns = list[k].weight / divisor;
      const auto share = static_cast<uint32_t>(std::count(buckets.begin(), buckets.end(), k));
      CHECK(share >= 4093 / total * turns);
      CHECK(share <= (4093 / total + 1) * turns);
    }
    for (Letter& letter : list) letter.weight = 0;
    service.set(list);
    CHECK(service.current().plan.buckets == buckets);
    for (Letter& letter : list) letter.is_removed = true;
    service.set(list);
    CHECK(service.current().plan.buckets.empty());
  }
}

TEST_CASE("mh: when one of ten servers leaves, few other clients move") {
  std::vector<Letter> list;
  for (char name = 'a'; name <= 'j'; name++) list.push_back({name});
  ScheduledService service(scheduler_named("mh"), list);
  const auto letters = [&] {
    std::string all;
    for (int i = 0; i < 2000; i++) {
      all += service.choose(1, false, packet_from("172.16." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":9"));
    }
    return all;
  };
  const std::string before = letters();
  list.erase(list.begin() + 4);
  service.set(list);
  const std::string after = letters();
  int moved = 0;
  for (size_t i = 0; i < before.size(); i++) {
    if (before[i] == 'e') CHECK(after[i] != 'e');
    else moved += before[i] != after[i];
  }
  CHECK(moved < 100);  // a hash by the number of servers would move some 1,600
}

TEST_CASE("mh with fallback refuses nobody who could be served, and moves nobody who is") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100; i++) {
    const std::vector<Load> list = any_list(random);
    // All have had a weight, or they have no buckets.
    std::vector<Load> before = list;
    for (Load& load : before) load.weight = std::max(1u, load.weight);
    ScheduledService service(scheduler_named("mh"), {});
    load(service, before);
    load(service, list);
    const bool is_any_usable = std::ranges::any_of(list, [](const Load& load) { return load.is_usable(); });
    for (int client = 0; client < 10; client++) {
      const ParsedPacket packet = packet_from("172.16.1." + std::to_string(client) + ":9");
      service.set_flags(false, false);
      const std::string plain = service.choose(1, false, packet);
      service.set_flags(true, false);
      const std::string fallback = service.choose(1, false, packet);
      if (plain[0] != '-') CHECK(fallback == plain);
      CHECK((fallback[0] != '-') == is_any_usable);
    }
  }
}

TEST_CASE("twos gives by weight where loads are even, and never the more loaded of two") {
  ScheduledService even(scheduler_named("twos"), {{'a', 1}, {'b', 2}, {'c', 5}});
  std::map<char, double> counts;
  for (const char letter : even.choose(80'000)) counts[letter]++;
  // Without loads the first of the two is taken. Chances: 2/9 (0 counts for the first, too), 2/9, 5/9; 5 sigma.
  CHECK(std::abs(counts['a'] / 80'000 - 2.0 / 9) < 0.008);
  CHECK(std::abs(counts['b'] / 80'000 - 2.0 / 9) < 0.008);
  CHECK(std::abs(counts['c'] / 80'000 - 5.0 / 9) < 0.01);
  ScheduledService busy(scheduler_named("twos"), {{'a', 1}, {'b', 1}});
  busy.state('a').active.set(9);
  counts.clear();
  for (const char letter : busy.choose(80'000)) counts[letter]++;
  // a only where both are a: (2/3)^2.
  CHECK(std::abs(counts['a'] / 80'000 - 4.0 / 9) < 0.01);
  // One seed, one sequence.
  ScheduledService one(scheduler_named("twos"), {{'a', 1}, {'b', 2}}), other(scheduler_named("twos"), {{'a', 1}, {'b', 2}});
  CHECK(one.choose(100) == other.choose(100));
}

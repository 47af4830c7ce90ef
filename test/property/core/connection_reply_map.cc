// The reply map against a set, near full; and beside a writer that never rests, a reader that must find every key that
// was in before it looked and stays until it has looked. Run under ThreadSanitizer too.
#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "core/flow/reply_map.h"

using namespace uvs;

namespace {

constexpr size_t kBuckets = 512;
constexpr uvs_hash_key kKey = {7, 8};

}  // namespace

TEST_CASE("the reply map is a set up to nine tenths of its slots, and refuses nothing up to six tenths") {
  for (uint64_t seed = 1; seed <= 3; seed++) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<uvs_flow_bucket> buckets(kBuckets);
    ReplyMap map(buckets, kKey);
    std::set<uint64_t> slow;
    std::vector<uint64_t> known;
    for (int i = 0; i < 100'000; i++) {
      const bool is_new = known.empty() || random() % 2 == 0;
      const uint64_t key = is_new ? random() : known[random() % known.size()];
      if (is_new) known.push_back(key);
      REQUIRE(map.contains(key) == slow.contains(key));
      // Swings between empty and nine tenths full.
      const bool is_growing = i / 5000 % 2 == 0;
      if (slow.contains(key) ? random() % 4 != 0 : !is_growing || slow.size() * 10 >= map.capacity() * 9) {
        REQUIRE(map.erase(key) == (slow.erase(key) == 1));
      } else {
        const ReplyMap::Inserted inserted = map.insert(key);
        if (slow.contains(key)) REQUIRE(inserted == ReplyMap::Inserted::kTaken);
        if (!slow.contains(key) && slow.size() * 10 < map.capacity() * 6) REQUIRE(inserted == ReplyMap::Inserted::kDone);
        if (inserted == ReplyMap::Inserted::kDone) slow.insert(key);
      }
      REQUIRE(map.count() == slow.size());
    }
    for (const uint64_t key : known) REQUIRE(map.contains(key) == slow.contains(key));
  }
}

// The rule that readers rely on: entries move from their first bucket to their second and never back.
TEST_CASE("an entry in its second bucket stays in its very slot") {
  std::mt19937_64 random(9);
  std::vector<uvs_flow_bucket> buckets(64);
  ReplyMap map(buckets, kKey);
  const auto slot_of = [&](uint64_t key, uint64_t bucket) -> const uvs_flow_slot* {
    for (const uvs_flow_slot& slot : buckets[bucket & 63].slots) {
      if (slot.key == key) return &slot;
    }
    return nullptr;
  };
  std::vector<uint64_t> keys;
  std::map<uint64_t, const uvs_flow_slot*> seconds;
  for (int i = 0; i < 5'000; i++) {
    const uint64_t made = random();
    if (map.insert(made) == ReplyMap::Inserted::kDone) keys.push_back(made);
    for (const uint64_t key : keys) {
      const bool is_in_first = slot_of(key, key) != nullptr;
      const uvs_flow_slot* second = slot_of(key, key >> 32);
      REQUIRE((is_in_first || second != nullptr));
      const auto before = seconds.find(key);
      if (before != seconds.end()) REQUIRE(second == before->second);
      if (!is_in_first) seconds[key] = second;
    }
    if (keys.size() * 8 < map.capacity() * 7) continue;
    std::swap(keys[random() % keys.size()], keys.back());
    REQUIRE(map.erase(keys.back()));
    seconds.erase(keys.back());
    keys.pop_back();
  }
}

// An entry moves once in its life, so what can go wrong is soon over: many small maps, one after the other, each with
// keys that stay and others that push them about. A map that the reader still looks at is left alone.
TEST_CASE("a reader beside the writer never misses a key that stays") {
  constexpr size_t kRounds = 1000;
  struct Round {
    std::vector<uvs_flow_bucket> buckets = std::vector<uvs_flow_bucket>(4);
    ReplyMap map{buckets, kKey};
    std::vector<uint64_t> lasting;
  };
  std::mt19937_64 random(42);
  std::vector<Round> rounds(kRounds);
  for (Round& round : rounds) {
    while (round.lasting.size() < 8) {
      round.lasting.push_back(random());
      REQUIRE(round.map.insert(round.lasting.back()) == ReplyMap::Inserted::kDone);
    }
  }
  std::atomic<size_t> current = 0, looked_at = 0;
  std::atomic<uint64_t> misses = 0;
  std::thread reader([&] {
    for (size_t round = 0; round < kRounds; round = current) {
      for (const uint64_t key : rounds[round].lasting) misses += !rounds[round].map.contains(key);
      looked_at = round + 1;
    }
  });
  uint64_t full = 0;
  for (size_t round = 0; round < kRounds; round++) {
    while (looked_at <= round) std::this_thread::yield();
    ReplyMap& map = rounds[round].map;
    std::vector<uint64_t> passing;
    for (int i = 0; i < 12; i++) {
      const uint64_t key = random();
      if (map.insert(key) == ReplyMap::Inserted::kDone) {
        passing.push_back(key);
        continue;
      }
      full++;
      if (passing.empty()) continue;
      std::swap(passing[random() % passing.size()], passing.back());
      CHECK(map.erase(passing.back()));
      passing.pop_back();
    }
    CHECK(map.count() == rounds[round].lasting.size() + passing.size());
    current = round + 1;
  }
  reader.join();
  CHECK(misses == 0);
  CHECK(full > kRounds / 2);  // it was full again and again
}

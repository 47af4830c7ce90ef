// Neighbours: the life of a slot, what happens when all are in use, and worker against host on two
// threads (which TSAN watches in its build).
#include <doctest/doctest.h>

#include <cstring>
#include <thread>
#include <type_traits>
#include <vector>

#include "core/forward/neighbour_table.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

constexpr Micros kSecond = kMicrosPerSecond;

NeighbourKey key_of(uint32_t number, uint32_t ifindex = 1) {
  NeighbourKey key;
  key.ifindex = ifindex;
  key.address = IpAddress::ipv4(10, static_cast<uint8_t>(number >> 16),
                                static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number));
  return key;
}
MacAddress mac_of(uint32_t number) {
  return {{2, 0x55, static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
           static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

void fill(NeighbourTable& table, uint32_t from, Micros now) {
  for (uint32_t i = 0; i < NeighbourTable::kCapacity; i++) {
    const NeighbourIndex index = table.find_or_request(key_of(from + i));
    REQUIRE(index != kNoNeighbour);
    table.touch(index, now);
  }
}

}  // namespace

TEST_CASE("neighbours: asked, answered, changed, failed, asked again") {
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  CHECK_FALSE(table.take_requests());
  CHECK(table.bound() == 0);
  const NeighbourIndex index = table.find_or_request(key_of(1));
  CHECK(table.take_requests());
  CHECK_FALSE(table.take_requests());
  CHECK(table.bound() == 1);
  CHECK(table.key(index) == key_of(1));
  CHECK(table.answer(index).state == NeighbourState::kRequested);
  table.touch(index, 5 * kSecond);
  CHECK(table.last_used(index) == 5 * kSecond);
  CHECK(table.find_or_request(key_of(1)) == index);
  CHECK_FALSE(table.take_requests());  // it was asked for already

  table.update(key_of(1), NeighbourState::kResolved, mac_of(7));
  CHECK(table.answer(index).state == NeighbourState::kResolved);
  CHECK(table.answer(index).mac == mac_of(7));
  table.update(key_of(1), NeighbourState::kResolved, mac_of(8));
  CHECK(table.answer(index).mac == mac_of(8));
  table.update(key_of(1), NeighbourState::kRequested, mac_of(9));  // no knowledge
  table.update(key_of(1), NeighbourState::kFree, mac_of(9));
  CHECK(table.answer(index).mac == mac_of(8));

  table.update(key_of(1), NeighbourState::kFailed, mac_of(8));
  CHECK(table.answer(index).state == NeighbourState::kFailed);
  CHECK(table.answer(index).mac == MacAddress{});
  table.touch(index, 5 * kSecond + 999'999);
  CHECK(table.answer(index).state == NeighbourState::kFailed);
  CHECK_FALSE(table.take_requests());
  table.touch(index, 6 * kSecond);
  CHECK(table.answer(index).state == NeighbourState::kRequested);
  CHECK(table.take_requests());
  table.update(key_of(1), NeighbourState::kFailed, {});
  table.touch(index, 6 * kSecond + 500'000);
  CHECK(table.answer(index).state == NeighbourState::kFailed);
  table.update(key_of(1), NeighbourState::kResolved, mac_of(1));  // it came back by itself
  CHECK(table.answer(index).state == NeighbourState::kResolved);
  CHECK(table.recycled() == 0);
}

TEST_CASE("neighbours: device, family and every byte of the address tell them apart") {
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  NeighbourKey ipv6 = key_of(1);
  ipv6.family = Family::kIpv6;
  NeighbourKey last_byte = ipv6;
  last_byte.address.bytes[15] = 1;
  const NeighbourKey keys[] = {key_of(1), key_of(1, 2), key_of(2), ipv6, last_byte};
  for (uint32_t i = 0; i < 5; i++) CHECK(table.find_or_request(keys[i]) == i);
  for (uint32_t i = 0; i < 5; i++) table.update(keys[i], NeighbourState::kResolved, mac_of(i));
  for (uint32_t i = 0; i < 5; i++) {
    CHECK(table.answer(static_cast<NeighbourIndex>(i)).mac == mac_of(i));
    CHECK(table.key(static_cast<NeighbourIndex>(i)) == keys[i]);
  }
}

TEST_CASE("neighbours: what nobody asked for and what is no slot is ignored") {
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  table.update(key_of(1), NeighbourState::kResolved, mac_of(1));
  CHECK(table.bound() == 0);
  for (const unsigned index : {0u, 16383u, 16384u, 65535u}) {
    const auto none = static_cast<NeighbourIndex>(index);
    CHECK(table.answer(none).state == NeighbourState::kFree);
    CHECK_FALSE(table.key(none).has_value());
    CHECK(table.last_used(none) == 0);
    table.touch(none, kSecond);
  }
}

TEST_CASE("neighbours: a full table takes idle slots back, all at once, and says so") {
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  fill(table, 0, 100 * kSecond);
  CHECK(table.bound() == NeighbourTable::kCapacity);
  for (uint32_t i = 0; i < NeighbourTable::kCapacity; i++) {
    table.update(key_of(i), i == 11 ? NeighbourState::kFailed : NeighbourState::kResolved,
                 mac_of(i));
  }
  const uint32_t stranger = 1 << 20;
  CHECK(table.find_or_request(key_of(stranger)) == kNoNeighbour);  // all in use
  CHECK(table.recycled() == 0);
  CHECK(table.find_or_request(key_of(5)) == 5);

  // A failed one goes after 2 s; the others are in use.
  table.touch(3, 103 * kSecond);
  const NeighbourIndex first = table.find_or_request(key_of(stranger));
  CHECK(first == 11);
  CHECK(table.recycled() == 1);
  CHECK(table.answer(first).state == NeighbourState::kRequested);
  CHECK(table.key(first) == key_of(stranger));
  table.update(key_of(11), NeighbourState::kResolved, mac_of(11));  // late news about the old owner
  CHECK(table.answer(first).state == NeighbourState::kRequested);
  table.update(key_of(stranger), NeighbourState::kResolved, mac_of(99));
  CHECK(table.answer(first).mac == mac_of(99));

  // The next look is a second later at the earliest; then slots idle for a minute go, but not 3, 5
  // (found) and 11.
  CHECK(table.find_or_request(key_of(stranger + 1)) == kNoNeighbour);
  table.touch(3, 160 * kSecond);
  CHECK(table.find_or_request(key_of(5)) == 5);
  const NeighbourIndex second = table.find_or_request(key_of(stranger + 1));
  CHECK(second != kNoNeighbour);
  CHECK(table.recycled() == 2);
  size_t kept = 0;
  for (uint32_t i = 0; i < NeighbourTable::kCapacity; i++)
    kept += table.key(static_cast<NeighbourIndex>(i)).has_value();
  CHECK(kept == 4);
  CHECK(table.answer(4).state == NeighbourState::kFree);
  CHECK(table.answer(3).mac == mac_of(3));
  CHECK(table.answer(5).mac == mac_of(5));

  // Everything still works: the whole table once more, and nothing is found twice.
  for (uint32_t i = 100; i < NeighbourTable::kCapacity - 10; i++) {
    const NeighbourIndex index = table.find_or_request(key_of(stranger + i));
    REQUIRE(index != kNoNeighbour);
    table.update(key_of(stranger + i), NeighbourState::kResolved, mac_of(i));
    REQUIRE(table.answer(index).mac == mac_of(i));
    REQUIRE(table.find_or_request(key_of(stranger + i)) == index);
  }
  CHECK(table.recycled() == 2);
}

TEST_CASE("neighbours: worker and host at once; no MAC ever belongs to another neighbour") {
  NeighbourTable table{{.k0 = 5, .k1 = 6}};
  constexpr uint32_t kNeighbours =
      NeighbourTable::kCapacity + 5000;  // more than fit: slots change hands all the time
  std::atomic<bool> is_over{false};
  std::atomic<uint32_t> answered{0};
  std::thread host([&] {
    while (!is_over.load(std::memory_order_acquire)) {
      if (!table.take_requests()) {
        std::this_thread::yield();
        continue;
      }
      const size_t bound = table.bound();
      for (size_t i = 0; i < bound; i++) {
        const auto index = static_cast<NeighbourIndex>(i);
        const std::optional<NeighbourKey> key = table.key(index);
        if (!key || table.answer(index).state != NeighbourState::kRequested) continue;
        const uint32_t number = load<Be32>(key->address.bytes.data()).host() & 0xffffff;
        table.update(*key, number % 7 == 0 ? NeighbourState::kFailed : NeighbourState::kResolved,
                     mac_of(number));
        answered.fetch_add(1, std::memory_order_relaxed);
      }
    }
  });
  Micros now = kSecond;
  uint32_t wrong = 0, resolved = 0;
  for (uint32_t round = 0; round < 6; round++) {
    NeighbourIndex last = kNoNeighbour;
    for (const bool is_second_look : {false, true}) {
      for (uint32_t i = 0; i < kNeighbours; i++) {
        const uint32_t number = round * 12'000 + kNeighbours - i;  // new ones first
        const NeighbourIndex index = table.find_or_request(key_of(number));
        if (index == kNoNeighbour) continue;
        last = index;
        table.touch(index, now);
        const NeighbourAnswer answer = table.answer(index);
        if (answer.state == NeighbourState::kResolved) {
          resolved++;
          if (answer.mac != mac_of(number)) wrong++;
        }
      }
      // Liveness: every request is answered in the end.
      while (!is_second_look && table.answer(last).state == NeighbourState::kRequested) {
        std::this_thread::yield();
      }
    }
    now += 2 * NeighbourTable::kIdleLimit;
    table.touch(last, now);
  }
  is_over.store(true, std::memory_order_release);
  host.join();
  CHECK(wrong == 0);
  CHECK(answered.load() > 0);
  CHECK(resolved > 10'000);
  CHECK(table.recycled() > 0);
}

// A /64 on the link lets a stranger choose among 2^64 addresses. Without a key to be known there is no default one.
TEST_CASE("neighbours: addresses chosen for one key share a chain under that key alone") {
  static_assert(!std::is_default_constructible_v<NeighbourTable>);
  constexpr uvs_hash_key kKnown{.k0 = 0x757673, .k1 = 0x6e65696768};
  constexpr size_t kChosen = 64;
  std::vector<NeighbourKey> chosen;
  NeighbourKey key{.ifindex = 1, .family = Family::kIpv6, .address = address("fd01::")};
  for (uint64_t number = 0; chosen.size() < kChosen; number++) {
    std::memcpy(key.address.bytes.data() + 8, &number, 8);
    const uint64_t words[3] = {load<uint64_t>(key.address.bytes.data()), number, 1 | uint64_t{6} << 32};
    if (uvs_siphash(words, 3, &kKnown) % (2 * NeighbourTable::kCapacity) == 7) chosen.push_back(key);
  }
  NeighbourTable known{kKnown}, secret{{.k0 = 5, .k1 = 6}};
  for (const NeighbourKey& neighbour : chosen) {
    known.find_or_request(neighbour);
    secret.find_or_request(neighbour);
  }
  CHECK(known.longest_chain() == kChosen);
  CHECK(secret.longest_chain() <= 3);
}

}  // namespace uvs::test

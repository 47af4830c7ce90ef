// The gate before the control plane: what a flood may cost is bounded for each origin and for all together, and nothing is
// shed of the master that is followed.

#include "host/advert_gate.h"

#include <doctest/doctest.h>

namespace uvs::test {
namespace {

constexpr Micros kStart = 1'000'000'000;

AdvertOrigin origin(uint32_t host, uint8_t virtual_router_id = 51) {
  AdvertOrigin result{"eth0", {}, Family::kIpv4, virtual_router_id};
  for (int i = 0; i < 4; i++) result.source.bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(host >> (24 - 8 * i));
  return result;
}

// How many of `count` adverts in one second are admitted; `of` names the origin of each.
template <typename Of>
uint32_t flood(AdvertGate& gate, Micros from, uint32_t count, Of of) {
  uint32_t admitted = 0;
  for (uint32_t i = 0; i < count; i++) admitted += gate.admits(of(i), from + uint64_t{i} * kMicrosPerSecond / count);
  return admitted;
}

TEST_CASE("one origin gets so many at once, and so many a second") {
  AdvertGate gate;
  const auto one = [](uint32_t) { return origin(1); };
  CHECK(flood(gate, kStart, 50'000, one) <= 2 * AdvertGate::kOriginRate);
  const uint32_t second = flood(gate, kStart + kMicrosPerSecond, 50'000, one);
  CHECK(second >= AdvertGate::kOriginRate - 1);
  CHECK(second <= AdvertGate::kOriginRate + 1);
}

TEST_CASE("forged origins share what all may have") {
  AdvertGate gate;
  const auto forged = [](uint32_t i) { return origin(i); };
  CHECK(flood(gate, kStart, 50'000, forged) <= 2 * AdvertGate::kStrangersRate);
  CHECK(flood(gate, kStart + kMicrosPerSecond, 50'000, forged) <= AdvertGate::kStrangersRate + 1);
}

TEST_CASE("the followed master is heard through any flood, and only where it is followed") {
  AdvertGate gate;
  gate.follow("VI_1", origin(7));
  uint32_t heard = 0;
  const auto mixed = [](uint32_t i) { return i % 500 == 0 ? origin(7) : origin(1'000 + i); };
  for (uint32_t i = 0; i < 500'000; i++) {
    const AdvertOrigin from = mixed(i);
    const bool is_admitted = gate.admits(from, kStart + uint64_t{i} * 20);
    if (i % 500 == 0) heard += is_admitted;
  }
  CHECK(heard == 1'000);  // 10 seconds, a hundred a second
  gate.follow("VI_1", std::nullopt);
  const auto former = [](uint32_t) { return origin(7); };
  CHECK(flood(gate, kStart + 20 * kMicrosPerSecond, 10'000, former) <= 2 * AdvertGate::kOriginRate);
}

TEST_CASE("a master's own flood is bounded, too; two routers may follow one") {
  AdvertGate gate;
  gate.follow("VI_1", origin(7));
  gate.follow("VI_2", origin(7));
  gate.follow("VI_2", std::nullopt);
  const auto master = [](uint32_t) { return origin(7); };
  const uint32_t admitted = flood(gate, kStart, 50'000, master);
  CHECK(admitted > AdvertGate::kFollowedRate);
  CHECK(admitted <= 2 * AdvertGate::kFollowedRate);
}

TEST_CASE("what is shed is counted and told once in a while") {
  AdvertGate gate;
  CHECK_FALSE(gate.report(kStart));
  flood(gate, kStart, 1'000, [](uint32_t) { return origin(0x0a000001); });
  const auto text = gate.report(kStart + kMicrosPerSecond);
  REQUIRE(text);
  CHECK(text->find("10.0.0.1 for VRID 51 on eth0") != std::string::npos);
  flood(gate, kStart + 2 * kMicrosPerSecond, 1'000, [](uint32_t) { return origin(1); });
  CHECK_FALSE(gate.report(kStart + 3 * kMicrosPerSecond));
  CHECK(gate.report(kStart + 40 * kMicrosPerSecond));
}

}  // namespace
}  // namespace uvs::test

// ClientRules against a slow model: of all prefixes that hold the address the longest.
#include "core/table/client_rules.h"

#include <doctest/doctest.h>

#include <random>

#include "packet_builder.h"

namespace uvs::test {
namespace {

bool has_prefix(const IpAddress& address, const IpAddress& prefix, unsigned length) {
  for (unsigned bit = 0; bit < length; bit++) {
    const auto mask = static_cast<uint8_t>(0x80 >> bit % 8);
    if ((address.bytes[bit / 8] & mask) != (prefix.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

bool slow_allows(const std::vector<ClientPrefix>& prefixes, Family family, const IpAddress& client) {
  int longest = -1;
  bool is_allowed = true, is_any_allowed = false;
  for (const ClientPrefix& prefix : prefixes) {
    if (prefix.family != family) continue;
    is_any_allowed = is_any_allowed || prefix.is_allowed;
    if (!has_prefix(client, prefix.address, prefix.length) || prefix.length < longest) continue;
    is_allowed = prefix.length == longest ? is_allowed && prefix.is_allowed : prefix.is_allowed;
    longest = prefix.length;
  }
  return longest < 0 ? !is_any_allowed : is_allowed;
}

struct Chance {
  std::mt19937_64 random;

  // Few values a byte, the smallest and the greatest among them: prefixes nest, collide and lie at the ends.
  IpAddress address(Family family) {
    constexpr uint8_t kBytes[] = {0, 0xff, 1, 0x80};
    IpAddress result;
    for (size_t i = 0; i < address_size(family); i++) result.bytes[i] = kBytes[random() % std::size(kBytes)];
    return result;
  }
  std::vector<ClientPrefix> prefixes(size_t count) {
    std::vector<ClientPrefix> result(count);
    const bool has_allowed = random() % 4 != 0;
    for (ClientPrefix& prefix : result) {
      prefix.family = random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
      prefix.address = address(prefix.family);
      prefix.length = static_cast<uint8_t>(random() % (address_size(prefix.family) * 8 + 1));
      prefix.is_allowed = has_allowed && random() % 2 == 0;
    }
    return result;
  }
};

}  // namespace

TEST_CASE("property: ClientRules says what a linear search says, in many small lists and at their edges") {
  Chance chance{std::mt19937_64(1)};
  size_t allowed = 0, refused = 0;
  for (int turn = 0; turn < 1000; turn++) {
    CAPTURE(turn);
    const std::vector<ClientPrefix> prefixes = chance.prefixes(chance.random() % 30);
    const ClientRules rules(prefixes);
    const auto check = [&](Family family, const IpAddress& client) {
      const bool is_allowed = rules.allows(family, client);
      REQUIRE(is_allowed == slow_allows(prefixes, family, client));
      (is_allowed ? allowed : refused)++;
    };
    for (const ClientPrefix& prefix : prefixes) {
      const size_t last = address_size(prefix.family) - 1;
      IpAddress first = prefix.address, end = prefix.address;
      for (unsigned bit = prefix.length; bit < address_size(prefix.family) * 8; bit++) {
        first.bytes[bit / 8] = static_cast<uint8_t>(first.bytes[bit / 8] & ~(0x80 >> bit % 8));
        end.bytes[bit / 8] = static_cast<uint8_t>(end.bytes[bit / 8] | 0x80 >> bit % 8);
      }
      for (IpAddress edge : {first, end}) {
        for (const int step : {0, 1, -2}) {
          edge.bytes[last] = static_cast<uint8_t>(edge.bytes[last] + step);
          check(prefix.family, edge);
        }
      }
    }
    for (int i = 0; i < 50; i++) {
      const Family family = chance.random() % 2 == 0 ? Family::kIpv4 : Family::kIpv6;
      check(family, chance.address(family));
    }
  }
  CHECK(allowed > 10'000);
  CHECK(refused > 10'000);
}

TEST_CASE("property: as many prefixes as may be, each found") {
  std::vector<ClientPrefix> prefixes;
  for (uint32_t i = 0; i < 65'536; i++) {
    prefixes.push_back({Family::kIpv4, IpAddress::ipv4(10, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 128), 25, i % 2 == 0});
  }
  const ClientRules rules(prefixes);
  for (const ClientPrefix& prefix : prefixes) {
    IpAddress client = prefix.address;
    REQUIRE(rules.allows(Family::kIpv4, client) == prefix.is_allowed);
    client.bytes[3] = 127;
    REQUIRE(!rules.allows(Family::kIpv4, client));
  }
}

}  // namespace uvs::test

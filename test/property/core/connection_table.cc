// The fast table against a slow one: a std::map from client to connection, under the same 100,000 random operations,
// expiry included. What the one finds, the other finds; what ends, ends in both within the wheel's grain.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "core/flow/connection_table.h"
#include "packet_builder.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr uint32_t kCapacity = 2000;
constexpr int kOperations = 100'000;

struct Key {
  IpAddress client, virtual_address;
  uint16_t client_port, virtual_port;
  auto operator<=>(const Key& other) const {
    return std::tie(client.bytes, virtual_address.bytes, client_port, virtual_port) <=>
           std::tie(other.client.bytes, other.virtual_address.bytes, other.client_port, other.virtual_port);
  }
};
struct Slow {
  ConnectionIndex index;
  IpAddress server;
  uint16_t server_port;
  Micros expires;
};

template <Family F>
void run(uint64_t seed) {
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return static_cast<uint32_t>(random() % bound); };
  const auto any_address = [&](uint8_t net, uint32_t count) {
    IpAddress address;
    address.bytes[0] = net;
    address.bytes[address_size(F) - 1] = static_cast<uint8_t>(below(count));
    return address;
  };
  ConnectionTable<F> fast(kCapacity, {random(), random()});
  std::map<Key, Slow> slow;
  Micros now = random();  // anywhere, near the wrap too
  const auto hash = [&](const Key& key) { return fast.hash(key.client, key.client_port, kProtocolTcp); };
  const auto expire = [&] {
    while (fast.expire(tick_of(now), 100, [&](ConnectionIndex index) {
      const Connection<F>& record = fast[index];
      const Key key{record.client.unpacked(), record.virtual_address.unpacked(), record.client_port, record.virtual_port};
      const auto found = slow.find(key);
      REQUIRE(found != slow.end());
      REQUIRE(found->second.index == index);
      REQUIRE(static_cast<int64_t>(now - found->second.expires) >= 0);  // never early
      slow.erase(found);
      fast.erase(index);
    })) {
    }
    for (const auto& [key, connection] : slow) {
      REQUIRE(static_cast<int64_t>(now - connection.expires) < 1'000'000);  // never a second late
    }
  };

  for (int i = 0; i < kOperations; i++) {
    const Key key{any_address(172, 50), any_address(10, 3), static_cast<uint16_t>(below(40)), static_cast<uint16_t>(below(2))};
    const auto found = slow.find(key);
    const ConnectionIndex index = fast.find_request(hash(key), key.client, key.client_port, key.virtual_address,
                                                    key.virtual_port, kProtocolTcp);
    REQUIRE(index == (found == slow.end() ? kNoConnection : found->second.index));
    REQUIRE(fast.count() == slow.size());
    const uint32_t what = below(1000);
    const uint32_t timeout_s = below(20) == 0 ? 1 + below(3000) : 1 + below(100);
    if (what < 500 && found == slow.end()) {
      Connection<F> record{};
      const IpAddress server = any_address(192, 4);
      const auto server_port = static_cast<uint16_t>(below(3));
      // As on the path, where the reply map refuses them: no two with the same reply.
      if (fast.find_reply(hash(key), key.client, key.client_port, server, server_port, kProtocolTcp) != kNoConnection) continue;
      record.client = PackedAddress<F>::of(key.client);
      record.virtual_address = PackedAddress<F>::of(key.virtual_address);
      record.destination = PackedAddress<F>::of(server);
      record.client_port = key.client_port;
      record.virtual_port = key.virtual_port;
      record.destination_port = server_port;
      record.protocol = kProtocolTcp;
      record.flags.is_nat = true;
      const ConnectionIndex made = fast.insert(record, hash(key), tick_after(now, timeout_s), tick_of(now));
      REQUIRE((made == kNoConnection) == (slow.size() == kCapacity));
      if (made != kNoConnection) slow[key] = {made, server, server_port, now + timeout_s * kMicrosPerSecond};
    } else if (what < 800 && found != slow.end()) {
      fast.renew(index, tick_after(now, timeout_s));
      found->second.expires = now + timeout_s * kMicrosPerSecond;
      REQUIRE(fast.find_reply(hash(key), key.client, key.client_port, found->second.server, found->second.server_port,
                              kProtocolTcp) == index);
    } else if (what < 850 && found != slow.end()) {
      fast.erase(index);
      slow.erase(found);
    } else if (what > 980) {
      now += what > 998 ? below(2'000'000'000) : below(700'000);  // now and then over half an hour
      expire();
    }
  }
  now += 4000 * kMicrosPerSecond;
  expire();
  REQUIRE(fast.count() == 0);
}

}  // namespace

TEST_CASE("the connection table is a map: IPv4") {
  for (const uint64_t seed : {1u, 2u, 3u}) run<Family::kIpv4>(seed);
}

TEST_CASE("the connection table is a map: IPv6") {
  for (const uint64_t seed : {11u, 12u}) run<Family::kIpv6>(seed);
}

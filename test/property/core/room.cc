// Who gives way, against slow models: the bits of IndexSet against std::set, and the table's hand against a search
// through all records; and the rule itself through the whole path, in both families at once: whoever is confirmed stays.
#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

#include "core/flow/connection_table.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

TEST_CASE("an index set is a std::set") {
  for (const uint32_t bound : {1u, 64u, 65u, 4096u, 5000u, 300'000u}) {
    CAPTURE(bound);
    std::mt19937_64 random(bound);
    IndexSet fast(bound);
    std::set<uint32_t> slow;
    for (int i = 0; i < 20'000; i++) {
      // Dense in some places, empty in others; now and then nearly nobody is left.
      const auto index = static_cast<uint32_t>(random() % 4 == 0 ? random() % bound : random() % 70 % bound);
      REQUIRE(fast.contains(index) == slow.contains(index));
      if (slow.contains(index)) {
        fast.remove(index);
        slow.erase(index);
      } else if (i % 2000 < 1000) {
        fast.add(index);
        slow.insert(index);
      }
      REQUIRE(fast.count() == slow.size());
      const auto from = static_cast<uint32_t>(random() % (bound + 1));
      auto next = slow.lower_bound(from);
      if (next == slow.end()) next = slow.begin();
      REQUIRE(fast.next(from) == (slow.empty() ? IndexSet::kNone : *next));
    }
  }
}

TEST_CASE("the table's hand finds what a search through all records finds") {
  constexpr uint32_t kCapacity = 500;
  std::mt19937_64 random(7);
  ConnectionTable<Family::kIpv4> table(kCapacity, {1, 2});
  std::map<ConnectionIndex, Standing> slow;
  std::array<ConnectionIndex, 3> hands{};
  const auto search = [&](Standing standing) {
    ConnectionIndex& hand = hands[static_cast<size_t>(standing)];
    for (const ConnectionIndex begin : {hand, ConnectionIndex{0}}) {
      for (auto at = slow.lower_bound(begin); at != slow.end(); at++) {
        if (at->second == standing) return hand = at->first + 1, at->first;
      }
    }
    return kNoConnection;
  };
  for (int i = 0; i < 100'000; i++) {
    const auto standing = static_cast<Standing>(random() % 3);
    if (random() % 2 == 0 && slow.size() < kCapacity) {
      Connection<Family::kIpv4> record{};
      record.protocol = kProtocolUdp;
      record.client_port = static_cast<uint16_t>(i);
      slow[table.insert(record, static_cast<uint32_t>(i), 100, 0)] = Standing::kUnconfirmed;
    } else if (!slow.empty() && random() % 2 == 0) {
      auto some = slow.lower_bound(static_cast<ConnectionIndex>(random() % kCapacity));
      if (some == slow.end()) some = slow.begin();
      table.set_standing(some->first, some->second = standing);
    } else if (standing != Standing::kConfirmed && table.count(standing) > 0) {
      const ConnectionIndex index = table.next_to_end(standing);
      REQUIRE(index == search(standing));
      table.erase(index);
      slow.erase(index);
    }
    for (const Standing each : {Standing::kUnconfirmed, Standing::kClosed}) {
      REQUIRE(table.count(each) == std::ranges::count_if(slow, [&](const auto& entry) { return entry.second == each; }));
    }
  }
}

// The model knows each client's connection and whether it is confirmed, and asks only what the rule promises.
TEST_CASE("whatever a flood does: confirmed connections stay, the limit holds, only confirmed ones refuse a client") {
  constexpr uint32_t kRoom = 40;
  for (const uint64_t seed : {1u, 2u, 3u}) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    TestDirector director(kRoom);
    const auto method = [&](int host) { return host == 1 ? ForwardingMethod::kNat : ForwardingMethod::kDirectRoute; };
    director.publish({tcp_service("10.9.0.1:80", {server("10.1.0.1:80", method(1)), server("10.1.0.2:80", method(2))}),
                      tcp_service("[fd09::1]:80", {server("[fd01::1]:80", method(1)), server("[fd01::2]:80", method(2))})});
    std::map<uint32_t, int> confirmed;  // client to server
    const auto packet = [](uint32_t client) {
      const bool is_six = client % 2 != 0;
      return Packet(kProtocolTcp, endpoint((is_six ? "[fd16::1]:" : "172.16.0.1:") + std::to_string(1000 + client)),
                    endpoint(is_six ? "[fd09::1]:80" : "10.9.0.1:80"));
    };
    for (int i = 0; i < 20'000; i++) {
      const auto client = static_cast<uint32_t>(random() % 60);
      if (random() % 4 != 0) {
        const Seen seen = director.from_client(packet(1000 + static_cast<uint32_t>(random() % 50'000)).syn());
        if (seen.verdict == Verdict::kDrop) REQUIRE(confirmed.size() == kRoom);
        if (seen.verdict != Verdict::kDrop) REQUIRE(seen.verdict == Verdict::kForward);
      } else if (const auto found = confirmed.find(client); found != confirmed.end()) {
        REQUIRE(server_of(director.from_client(packet(client).ack())) == found->second);
        if (random() % 8 != 0) continue;
        director.from_client(packet(client).rst().ack());  // CLOSE: may go at any time
        confirmed.erase(found);
      } else {
        const Seen seen = director.from_client(packet(client).syn());
        if (seen.verdict == Verdict::kDrop) {
          REQUIRE(confirmed.size() == kRoom);
          continue;
        }
        const int at = server_of(seen);
        if (at == 1) {
          const ParsedPacket& request = seen.packet;
          director.from_server(Packet(kProtocolTcp, {request.family, request.destination, request.destination_port},
                                      {request.family, request.source, request.source_port}).syn().ack());
        }
        REQUIRE(server_of(director.from_client(packet(client).ack())) == at);
        confirmed[client] = at;
      }
      REQUIRE(director->connection_count() <= kRoom);
    }
    CHECK(director.counters(0, 0).traffic.connections > 100);
  }
}
